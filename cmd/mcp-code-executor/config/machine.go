package config

import (
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
)

// Machine tells where clients keep their files: below the home, or where the variables
// say that the clients themselves read.
type Machine struct {
	Home   string
	getenv func(string) string
	system string // as runtime.GOOS
}

// Here is the machine on which this program runs.
func Here(getenv func(string) string) Machine {
	return Machine{Home: server.HomeDir(getenv), getenv: getenv, system: runtime.GOOS}
}

// inHome are a file below the home, and others in words.
func inHome(file string, others ...string) func(m Machine) []string {
	return func(m Machine) []string {
		return append([]string{filepath.Join(m.Home, filepath.FromSlash(file))}, others...)
	}
}

// moved is a path below the directory that a variable names, or else below one of the
// home. A relative path is seen from here, as the client would see it.
func (m Machine) moved(variable, otherwise string, names ...string) string {
	base := filepath.Join(m.Home, otherwise)
	if value := strings.TrimSpace(m.getenv(variable)); value != "" {
		if absolute, err := filepath.Abs(value); err == nil {
			base = absolute
		}
	}
	return filepath.Join(append([]string{base}, names...)...)
}

// application is a file of a desktop application.
func (m Machine) application(names ...string) string {
	switch m.system {
	case "darwin":
		return filepath.Join(append([]string{m.Home, "Library", "Application Support"}, names...)...)
	case "windows":
		return m.moved("APPDATA", filepath.Join("AppData", "Roaming"), names...)
	}
	return m.moved("XDG_CONFIG_HOME", ".config", names...)
}

// vsCode is a file of VS Code, whose portable form has its data beside the program.
func (m Machine) vsCode(names ...string) string {
	switch {
	case m.getenv("VSCODE_PORTABLE") != "":
		return m.moved("VSCODE_PORTABLE", "", append([]string{"user-data"}, names...)...)
	case m.getenv("VSCODE_APPDATA") != "":
		return m.moved("VSCODE_APPDATA", "", append([]string{"Code"}, names...)...)
	}
	return m.application(append([]string{"Code"}, names...)...)
}

// zed is a file of Zed, which follows XDG on Linux alone.
func (m Machine) zed(name string) string {
	switch m.system {
	case "windows":
		return m.application("Zed", name)
	case "darwin":
		return filepath.Join(m.Home, ".config", "zed", name)
	}
	return m.moved("XDG_CONFIG_HOME", ".config", "zed", name)
}

// cline is Cline's file. Each of its variables goes before the next.
func (m Machine) cline() string {
	const name = "cline_mcp_settings.json"
	switch {
	case m.getenv("CLINE_MCP_SETTINGS_PATH") != "":
		return m.moved("CLINE_MCP_SETTINGS_PATH", "")
	case m.getenv("CLINE_DATA_DIR") != "":
		return m.moved("CLINE_DATA_DIR", "", "settings", name)
	}
	return m.moved("CLINE_DIR", ".cline", "data", "settings", name)
}

// goose is a file of Goose, which follows XDG on macOS too.
func (m Machine) goose(name string) string {
	switch {
	case m.getenv("GOOSE_PATH_ROOT") != "":
		return m.moved("GOOSE_PATH_ROOT", "", "config", name)
	case m.system == "windows":
		return m.application("Block", "goose", "config", name)
	}
	return m.moved("XDG_CONFIG_HOME", ".config", "goose", name)
}
