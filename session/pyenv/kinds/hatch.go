package kinds

import (
	"path/filepath"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// hatchEntry: it keeps environments in virtual/PROJECT/HASH/NAME.
func hatchEntry() Entry {
	return Entry{Nested: func(h *host.Host) (dir, pattern string) {
		return filepath.Join(h.DataHome(), "hatch"), "env/virtual/*/*/*"
	}}
}
