package kinds

import (
	"path/filepath"
	"slices"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// workonEntry: it is virtualenvwrapper.
func workonEntry() Entry { return Entry{Homes: workonHomes} }

// workonHomes are where virtualenvwrapper and Pipenv keep environments.
func workonHomes(h *host.Host) []string {
	dirs := []string{h.ExpandHome(h.Variable("WORKON_HOME")), filepath.Join(h.Home, ".virtualenvs"), filepath.Join(h.DataHome(), "virtualenvs")}
	return slices.DeleteFunc(dirs, func(dir string) bool { return !filepath.IsAbs(dir) })
}
