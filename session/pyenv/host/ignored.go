package host

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ignoredTime bounds the question to git.
const ignoredTime = 500 * time.Millisecond

// maxIgnored bounds how many names git is asked about.
const maxIgnored = 500

// GitIgnored tells which of some files below dir git ignores. git itself is asked:
// it knows the user's own excludes, those of the clone, and what is tracked all the
// same. Outside a repository nothing is started; without git nothing is ignored, nor
// where the directory itself is.
func (h *Host) GitIgnored(ctx context.Context, dir string, names []string) map[string]bool {
	git := LookPath("git", h.PathDirs())
	if len(names) == 0 || git == "" || !inRepository(dir) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ignoredTime)
	defer cancel()
	argv := []string{git, "-C", dir, "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "check-ignore", "--", "."}
	for _, name := range names[:min(len(names), maxIgnored)] {
		argv = append(argv, "./"+filepath.ToSlash(name))
	}
	stdout, _, err := h.Output(ctx, append(h.Variables(), "GIT_OPTIONAL_LOCKS=0"), argv...)
	if err != nil { // status 1: none
		return nil
	}
	ignored := map[string]bool{}
	for line := range strings.Lines(string(stdout)) {
		name := strings.TrimRight(line, "\r\n")
		if plain, err := strconv.Unquote(name); err == nil {
			name = plain
		}
		if name == "." {
			return nil
		}
		ignored[filepath.FromSlash(strings.TrimPrefix(name, "./"))] = true
	}
	return ignored
}

// inRepository reports whether dir, or one above it, has a ".git".
func inRepository(dir string) bool {
	for {
		if Exists(filepath.Join(dir, ".git")) {
			return true
		}
		above := filepath.Dir(dir)
		if above == dir {
			return false
		}
		dir = above
	}
}
