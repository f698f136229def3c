package kinds

import (
	"crypto/sha256"
	"encoding/base64"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// poetryEntry: it keeps environments in a cache, under a name made of the project's path.
func poetryEntry() Entry {
	return Entry{
		Project: func(h *host.Host, dir string) []string {
			if !host.IsFile(filepath.Join(dir, "pyproject.toml")) {
				return nil
			}
			envs, _ := filepath.Glob(filepath.Join(host.GlobEscape(poetryHome(h)), "*-"+host.GlobEscape(pathHash(dir))+"-py*"))
			return envs
		},
		Homes:  func(h *host.Host) []string { return []string{poetryHome(h)} },
		Leaves: []string{"POETRY_ACTIVE"},
	}
}

func poetryHome(h *host.Host) string {
	if dir := h.ExpandHome(h.Variable("POETRY_VIRTUALENVS_PATH")); filepath.IsAbs(dir) {
		return dir
	}
	cache := h.ExpandHome(h.Variable("POETRY_CACHE_DIR"))
	switch {
	case filepath.IsAbs(cache):
	case runtime.GOOS == "darwin":
		cache = filepath.Join(h.Home, "Library", "Caches", "pypoetry")
	case runtime.GOOS == "windows":
		cache = filepath.Join(h.Variable("LOCALAPPDATA"), "pypoetry", "Cache")
	default:
		cache = filepath.Join(h.CacheHome(), "pypoetry")
	}
	return filepath.Join(cache, "virtualenvs")
}

// pathHash is how Poetry (of the project) and Pipenv (of the Pipfile) tell apart
// projects of one name.
func pathHash(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if runtime.GOOS == "windows" {
		path = strings.ToLower(path)
	}
	sum := sha256.Sum256([]byte(path))
	return base64.URLEncoding.EncodeToString(sum[:])[:8]
}
