package config

import (
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// Client is an application that starts the server.
type Client struct {
	Name, Title string
	Key         string                     // of servers in its file, "" when that is no JSON
	Files       func(home string) []string // the user's file first
	snippet     func(e Entry) string
	after       func(e Entry) string // what else to say, or nil
	// project is the client's word for the directory that is open, "" where it has
	// none: most clients without one start servers in the project.
	project string
}

// Clients are those whose configuration is known, see docs/clients.md.
func Clients() []Client {
	return []Client{
		{Name: "claude-desktop", Title: "Claude Desktop", Key: "mcpServers",
			Files: func(home string) []string {
				return []string{applicationFile(home, "Claude", "claude_desktop_config.json")}
			},
			snippet: func(e Entry) string { return jsonSnippet("mcpServers", e) },
			after:   func(Entry) string { return "Restart the application afterwards." }},
		{Name: "claude-code", Title: "Claude Code", Key: "mcpServers",
			Files: func(home string) []string {
				return []string{filepath.Join(home, ".claude.json"), ".mcp.json in a project"}
			},
			snippet: func(e Entry) string { e.Type = "stdio"; return jsonSnippet("mcpServers", e) },
			after:   claudeAdd},
		{Name: "cursor", Title: "Cursor", Key: "mcpServers",
			Files: func(home string) []string {
				return []string{filepath.Join(home, ".cursor", "mcp.json"), ".cursor/mcp.json in a project"}
			},
			project: workspaceFolder,
			snippet: func(e Entry) string { return jsonSnippet("mcpServers", e) }},
		{Name: "vscode", Title: "VS Code", Key: "servers",
			Files: func(home string) []string {
				return []string{applicationFile(home, "Code", "User", "mcp.json"), ".vscode/mcp.json in a workspace"}
			},
			project: workspaceFolder,
			snippet: func(e Entry) string { e.Type = "stdio"; return jsonSnippet("servers", e) }},
		{Name: "codex", Title: "Codex",
			Files:   func(home string) []string { return []string{filepath.Join(home, ".codex", "config.toml")} },
			snippet: tomlSnippet},
		{Name: "gemini", Title: "Gemini CLI", Key: "mcpServers",
			Files: func(home string) []string {
				return []string{filepath.Join(home, ".gemini", "settings.json"), ".gemini/settings.json in a project"}
			},
			snippet: func(e Entry) string { return jsonSnippet("mcpServers", e) }},
		{Name: "qwen", Title: "Qwen Code", Key: "mcpServers",
			Files: func(home string) []string {
				return []string{filepath.Join(home, ".qwen", "settings.json"), ".qwen/settings.json in a project"}
			},
			snippet: func(e Entry) string { return jsonSnippet("mcpServers", e) }},
		{Name: "opencode", Title: "opencode",
			Files: func(home string) []string {
				return []string{filepath.Join(home, ".config", "opencode", "opencode.json"), "opencode.json in a project"}
			},
			snippet: opencodeSnippet,
			after: func(Entry) string {
				return "opencode 2 has its servers one level deeper, in \"mcp\": {\"servers\": {…}}."
			}},
		{Name: "copilot", Title: "Copilot CLI", Key: "mcpServers",
			Files: func(home string) []string {
				return []string{filepath.Join(home, ".copilot", "mcp-config.json"), ".mcp.json in a project"}
			},
			snippet: func(e Entry) string {
				e.Type, e.Tools = "local", []string{"*"}
				return jsonSnippet("mcpServers", e)
			}},
		{Name: "cline", Title: "Cline", Key: "mcpServers",
			Files: func(home string) []string {
				return []string{filepath.Join(home, ".cline", "data", "settings", "cline_mcp_settings.json")}
			},
			snippet: func(e Entry) string { e.Timeout = clineTimeout; return jsonSnippet("mcpServers", e) },
			after: func(Entry) string {
				return "In the extension: MCP Servers, Configure, Configure MCP Servers. It starts servers in no project: set WORK_DIR there."
			}},
	}
}

// workspaceFolder is what VS Code, and what is made of it, fills in.
const workspaceFolder = "${workspaceFolder}"

// clineTimeout is how long Cline is to wait for an answer, in seconds; it waits 60.
const clineTimeout = 300

// Names are the clients' names.
func Names() []string {
	var names []string
	for _, c := range Clients() {
		names = append(names, c.Name)
	}
	return names
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
func claudeAdd(e Entry) string {
	words := []string{"claude", "mcp", "add", ServerName, "--scope", "user"}
	for _, row := range settings.Table() {
		if value, ok := e.Env[row.Name]; ok {
			words = append(words, "--env", quoteShell(row.Name+"="+value))
		}
	}
	words = append(words, "--", quoteShell(e.Command))
	for _, a := range e.Args {
		words = append(words, quoteShell(a))
	}
	return "or, the same: " + strings.Join(words, " ")
}

// quoteShell quotes a word for a POSIX shell where that is needed.
func quoteShell(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%~") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
