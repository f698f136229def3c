package config

import (
	"path/filepath"
	"testing"
)

// TestPlacesOfSystems: where applications with windows keep their files on each
// system, and which of them follow which variable there.
func TestPlacesOfSystems(t *testing.T) {
	moved := map[string]string{"XDG_CONFIG_HOME": "/xdg", "APPDATA": "/roaming"}
	for _, test := range []struct {
		system, client string
		variables      map[string]string
		want           string
	}{
		{"linux", "claude-desktop", nil, "/h/.config/Claude/claude_desktop_config.json"},
		{"linux", "claude-desktop", moved, "/xdg/Claude/claude_desktop_config.json"},
		{"darwin", "claude-desktop", moved, "/h/Library/Application Support/Claude/claude_desktop_config.json"},
		{"windows", "claude-desktop", nil, "/h/AppData/Roaming/Claude/claude_desktop_config.json"},
		{"windows", "claude-desktop", moved, "/roaming/Claude/claude_desktop_config.json"},
		{"darwin", "vscode", moved, "/h/Library/Application Support/Code/User/mcp.json"},
		{"windows", "vscode", moved, "/roaming/Code/User/mcp.json"},
		{"linux", "zed", moved, "/xdg/zed/settings.json"},
		{"darwin", "zed", moved, "/h/.config/zed/settings.json"},
		{"windows", "zed", moved, "/roaming/Zed/settings.json"},
		{"darwin", "goose", moved, "/xdg/goose/config.yaml"},
		{"windows", "goose", moved, "/roaming/Block/goose/config/config.yaml"},
		{"windows", "opencode", nil, "/h/.config/opencode/opencode.json"},
		{"linux", "codex", map[string]string{"CODEX_HOME": " "}, "/h/.codex/config.toml"},
	} {
		m := Machine{Home: "/h", system: test.system, getenv: func(name string) string { return test.variables[name] }}
		for _, c := range Clients() {
			if got := filepath.ToSlash(c.Files(m)[0]); c.Name == test.client && got != test.want {
				t.Errorf("%s on %s with %v: %s, not %s", test.client, test.system, test.variables, got, test.want)
			}
		}
	}
}
