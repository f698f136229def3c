package kinds

import (
	"path/filepath"
	"runtime"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// uvEntry: it marks the venvs it makes, and installs Pythons.
func uvEntry() Entry {
	return Entry{
		Kind:      UV,
		Refines:   Venv,
		Marks:     func(prefix string) bool { _, ok := Pyvenv(prefix)["uv"]; return ok },
		Activate:  activateVenv,
		Installer: ByUV,
		Facts:     venvFacts,
		Remake: func(prefix string) string {
			return "make it anew: " + host.CommandLine("uv", "venv", "--clear", prefix)
		},
		Pythons: func(h *host.Host) string {
			dir := h.ExpandHome(h.Variable("UV_PYTHON_INSTALL_DIR"))
			switch {
			case filepath.IsAbs(dir):
				return dir
			case runtime.GOOS == "windows":
				return filepath.Join(h.Variable("APPDATA"), "uv", "python")
			}
			return filepath.Join(h.DataHome(), "uv", "python")
		},
	}
}
