package kinds

import (
	"path/filepath"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// pipenvEntry: it keeps environments where virtualenvwrapper does, under a name made of the
// Pipfile's path.
func pipenvEntry() Entry {
	return Entry{
		Project: func(h *host.Host, dir string) []string {
			pipfile := filepath.Join(dir, "Pipfile")
			if !host.IsFile(pipfile) {
				return nil
			}
			var found []string
			for _, place := range workonHomes(h) {
				envs, _ := filepath.Glob(filepath.Join(host.GlobEscape(place), "*-"+host.GlobEscape(pathHash(pipfile))+"*"))
				found = append(found, envs...)
			}
			return found
		},
		Leaves: []string{"PIPENV_ACTIVE"},
	}
}
