package kinds

import (
	"path/filepath"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// ReadyMark is written last into a managed environment: a directory without it
// is half made and is made anew.
const ReadyMark = ".mce-ready.json"

// managedEntry: it is the default environment, which this program made.
func managedEntry() Entry { return Entry{Kind: Managed, Activate: activateVenv} }

// ManagedEnvs lists the managed environments that were finished.
func ManagedEnvs(h *host.Host) []string {
	dirs, _ := filepath.Glob(filepath.Join(host.GlobEscape(h.DataDir), "envs", "default-py3*", ReadyMark))
	for i, mark := range dirs {
		dirs[i] = filepath.Dir(mark)
	}
	return dirs
}
