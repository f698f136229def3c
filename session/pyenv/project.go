package pyenv

import (
	"crypto/sha256"
	"encoding/base64"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// projectEnvs lists the environments that belong to the project in dir: the one
// its tool has noted, those with the usual names, pixi's, and those that Poetry
// and Pipenv keep elsewhere under a name made of the project's path.
func (f *Finder) projectEnvs(dir string) []string {
	// PDM writes down which one it uses.
	if note, err := host.ReadSmall(filepath.Join(dir, ".pdm-python")); err == nil {
		python := strings.TrimSpace(string(note))
		if prefix := filepath.Dir(filepath.Dir(python)); filepath.IsAbs(python) && isPrefix(prefix) {
			return []string{prefix}
		}
	}
	var found []string
	for _, name := range []string{".venv", "venv", "env", ".env"} {
		if prefix := filepath.Join(dir, name); isPrefix(prefix) {
			found = append(found, prefix)
		}
	}
	found = append(found, pixiEnvs(dir)...)
	if host.IsFile(filepath.Join(dir, "pyproject.toml")) {
		for _, cache := range f.poetryDirs() {
			envs, _ := filepath.Glob(filepath.Join(host.GlobEscape(cache), "*-"+host.GlobEscape(pathHash(dir))+"-py*"))
			found = append(found, envs...)
		}
	}
	if pipfile := filepath.Join(dir, "Pipfile"); host.IsFile(pipfile) {
		for _, place := range f.workonHomes() {
			envs, _ := filepath.Glob(filepath.Join(host.GlobEscape(place), "*-"+host.GlobEscape(pathHash(pipfile))+"*"))
			found = append(found, envs...)
		}
	}
	return host.Distinct(found, isPrefix)
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

// pixiEnvs lists the environments of the pixi project that dir belongs to: it is
// the project, its ".pixi" or ".pixi/envs".
func pixiEnvs(dir string) []string {
	envs := filepath.Join(dir, ".pixi", "envs")
	switch {
	case filepath.Base(dir) == ".pixi":
		envs = filepath.Join(dir, "envs")
	case filepath.Base(dir) == "envs" && filepath.Base(filepath.Dir(dir)) == ".pixi":
		envs = dir
	}
	return conda.EnvsIn(envs)
}

// poetryDirs are where Poetry keeps environments outside of projects.
func (f *Finder) poetryDirs() []string {
	if dir := f.Host.ExpandHome(f.Host.Variable("POETRY_VIRTUALENVS_PATH")); filepath.IsAbs(dir) {
		return []string{dir}
	}
	cache := f.Host.ExpandHome(f.Host.Variable("POETRY_CACHE_DIR"))
	switch {
	case filepath.IsAbs(cache):
	case runtime.GOOS == "darwin":
		cache = filepath.Join(f.Host.Home, "Library", "Caches", "pypoetry")
	case runtime.GOOS == "windows":
		cache = filepath.Join(f.Host.Variable("LOCALAPPDATA"), "pypoetry", "Cache")
	default:
		cache = filepath.Join(f.Host.CacheHome(), "pypoetry")
	}
	return []string{filepath.Join(cache, "virtualenvs")}
}

// workonHomes are where virtualenvwrapper and Pipenv keep environments.
func (f *Finder) workonHomes() []string {
	dirs := []string{f.Host.ExpandHome(f.Host.Variable("WORKON_HOME")), filepath.Join(f.Host.Home, ".virtualenvs"), filepath.Join(f.Host.DataHome(), "virtualenvs")}
	return slices.DeleteFunc(dirs, func(dir string) bool { return !filepath.IsAbs(dir) })
}

// venvHomes are the other directories people and tools keep environments in.
func (f *Finder) venvHomes() []string {
	var dirs []string
	for _, name := range []string{".venvs", "venvs", "envs", ".envs", "virtualenvs"} {
		dirs = append(dirs, filepath.Join(f.Host.Home, name))
	}
	data := f.Host.DataHome()
	if runtime.GOOS == "darwin" {
		data = filepath.Join(f.Host.Home, "Library", "Application Support")
	}
	return append(append(dirs, f.poetryDirs()...), filepath.Join(data, "pdm", "venvs"))
}

// pythonHomes are where pyenv and uv install Pythons.
func (f *Finder) pythonHomes() (pyenv, uv string) {
	pyenv = f.Host.Variable("PYENV_ROOT")
	if pyenv == "" {
		pyenv = filepath.Join(f.Host.Home, ".pyenv")
	}
	if runtime.GOOS == "windows" {
		pyenv = filepath.Join(pyenv, "pyenv-win")
	}
	uv = f.Host.ExpandHome(f.Host.Variable("UV_PYTHON_INSTALL_DIR"))
	switch {
	case filepath.IsAbs(uv):
	case runtime.GOOS == "windows":
		uv = filepath.Join(f.Host.Variable("APPDATA"), "uv", "python")
	default:
		uv = filepath.Join(f.Host.DataHome(), "uv", "python")
	}
	return filepath.Join(pyenv, "versions"), uv
}
