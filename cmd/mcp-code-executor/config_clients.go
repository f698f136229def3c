package main

import (
	"path/filepath"
	"runtime"
	"strings"
)

// client is an application that starts the server.
type client struct {
	name, title string
	key         string                     // of servers in its file, "" when that is no JSON
	files       func(home string) []string // the user's file first
	snippet     func(e entry) string
	after       func(e entry) string // what else to say, or nil
}

// clients are those whose configuration is known, see docs/clients.md.
func clients() []client {
	return []client{
		{name: "claude-desktop", title: "Claude Desktop", key: "mcpServers",
			files: func(home string) []string {
				return []string{applicationFile(home, "Claude", "claude_desktop_config.json")}
			},
			snippet: func(e entry) string { return jsonSnippet("mcpServers", e) },
			after:   func(entry) string { return "Restart the application afterwards." }},
		{name: "claude-code", title: "Claude Code", key: "mcpServers",
			files: func(home string) []string {
				return []string{filepath.Join(home, ".claude.json"), ".mcp.json in a project"}
			},
			snippet: func(e entry) string { e.Type = "stdio"; return jsonSnippet("mcpServers", e) },
			after:   claudeAdd},
		{name: "cursor", title: "Cursor", key: "mcpServers",
			files: func(home string) []string {
				return []string{filepath.Join(home, ".cursor", "mcp.json"), ".cursor/mcp.json in a project"}
			},
			snippet: func(e entry) string { return jsonSnippet("mcpServers", e) }},
		{name: "vscode", title: "VS Code", key: "servers",
			files: func(home string) []string {
				return []string{applicationFile(home, "Code", "User", "mcp.json"), ".vscode/mcp.json in a workspace"}
			},
			snippet: func(e entry) string { e.Type = "stdio"; return jsonSnippet("servers", e) }},
		{name: "codex", title: "Codex",
			files:   func(home string) []string { return []string{filepath.Join(home, ".codex", "config.toml")} },
			snippet: tomlSnippet},
	}
}

// applicationFile is a file of a desktop application.
func applicationFile(home string, names ...string) string {
	base := filepath.Join(home, ".config")
	switch runtime.GOOS {
	case "darwin":
		base = filepath.Join(home, "Library", "Application Support")
	case "windows":
		base = filepath.Join(home, "AppData", "Roaming")
	}
	return filepath.Join(append([]string{base}, names...)...)
}

// claudeAdd is the command that does the same.
func claudeAdd(e entry) string {
	words := []string{"claude", "mcp", "add", serverName, "--scope", "user"}
	for _, name := range settings() {
		if value, ok := e.Env[name]; ok {
			words = append(words, "--env", quoteShell(name+"="+value))
		}
	}
	return "or, the same: " + strings.Join(append(words, "--", quoteShell(e.Command)), " ")
}

// quoteShell quotes a word for a POSIX shell where that is needed.
func quoteShell(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%~") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
