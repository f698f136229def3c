package kinds

import (
	"path/filepath"
	"runtime"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// pyenvEntry: it installs Pythons; pyenv-virtualenv links its environments among them.
func pyenvEntry() Entry {
	return Entry{Pythons: PyenvVersions, Leaves: []string{"PYENV_VIRTUAL_ENV"}}
}

// PyenvVersions is the directory of pyenv's Pythons.
func PyenvVersions(h *host.Host) string {
	root := h.Variable("PYENV_ROOT")
	if root == "" {
		root = filepath.Join(h.Home, ".pyenv")
	}
	if runtime.GOOS == "windows" {
		root = filepath.Join(root, "pyenv-win")
	}
	return filepath.Join(root, "versions")
}
