package kinds

import (
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// pdmEntry: it notes in the project which environment it uses.
func pdmEntry() Entry {
	return Entry{
		Noted: true,
		Project: func(_ *host.Host, dir string) []string {
			note, err := host.ReadSmall(filepath.Join(dir, ".pdm-python"))
			if err != nil {
				return nil
			}
			return []string{filepath.Dir(filepath.Dir(strings.TrimSpace(string(note))))}
		},
		Homes: func(h *host.Host) []string {
			data := h.DataHome()
			if runtime.GOOS == "darwin" {
				data = filepath.Join(h.Home, "Library", "Application Support")
			}
			return []string{filepath.Join(data, "pdm", "venvs")}
		},
	}
}
