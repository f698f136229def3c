package config

import (
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config/edit"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// Client is an application that starts the server.
type Client struct {
	Name, Title string
	Format      edit.Format
	Table       string                   // of servers in its file
	Files       func(m Machine) []string // the user's file first
	// Plain: an entry has the members of Entry.
	Plain bool
	// Program starts it, "" where none does.
	Program string
	// Place is a directory that is there where the client is; nil is the directory of
	// its file.
	Place   func(m Machine) string
	members func(e Entry) edit.Members
	after   func(e Entry) string // what else to say, or nil
	// project is the client's word for the directory that is open, "" where it has
	// none: most clients without one start servers in the project.
	project string
}

// Clients are those whose configuration is known, see docs/clients.md.
func Clients() []Client { return append(desktop(), inTerminal()...) }

// desktop are the clients with windows.
func desktop() []Client {
	return []Client{
		{Name: "claude-desktop", Title: "Claude Desktop", Table: "mcpServers", Plain: true,
			Files: func(m Machine) []string {
				return []string{m.application("Claude", "claude_desktop_config.json")}
			},
			members: Entry.plain,
			after:   func(Entry) string { return "Restart the application afterwards." }},
		{Name: "cursor", Title: "Cursor", Table: "mcpServers", Plain: true, Program: "cursor",
			Files:   inHome(".cursor/mcp.json", ".cursor/mcp.json in a project"),
			project: workspaceFolder,
			members: Entry.plain},
		{Name: "vscode", Title: "VS Code", Table: "servers", Plain: true, Program: "code",
			Files: func(m Machine) []string {
				return []string{m.vsCode("User", "mcp.json"), ".vscode/mcp.json in a workspace"}
			},
			project: workspaceFolder,
			members: func(e Entry) edit.Members { e.Type = "stdio"; return e.plain() }},
		{Name: "windsurf", Title: "Windsurf", Table: "mcpServers", Plain: true, Program: "windsurf",
			Files: inHome(".codeium/windsurf/mcp_config.json"), members: Entry.plain},
		{Name: "zed", Title: "Zed", Table: "context_servers", Plain: true, Program: "zed",
			Files: func(m Machine) []string {
				return []string{m.zed("settings.json"), ".zed/settings.json in a project"}
			},
			members: Entry.plain},
		{Name: "cline", Title: "Cline", Table: "mcpServers", Plain: true, Program: "cline",
			Files:   func(m Machine) []string { return []string{m.cline()} },
			members: func(e Entry) edit.Members { e.Timeout = clineTimeout; return e.plain() },
			after: func(Entry) string {
				return "In the extension: MCP Servers, Configure, Configure MCP Servers. It starts servers in no project: set WORK_DIR there."
			}},
	}
}

// inTerminal are the clients for a terminal.
func inTerminal() []Client {
	return []Client{
		{Name: "claude-code", Title: "Claude Code", Table: "mcpServers", Plain: true, Program: "claude",
			Files: func(m Machine) []string {
				return []string{m.moved("CLAUDE_CONFIG_DIR", "", ".claude.json"), ".mcp.json in a project"}
			},
			Place:   func(m Machine) string { return m.moved("CLAUDE_CONFIG_DIR", ".claude") },
			members: func(e Entry) edit.Members { e.Type = "stdio"; return e.plain() },
			after:   claudeAdd},
		{Name: "codex", Title: "Codex", Table: "mcp_servers", Format: edit.TOML, Program: "codex",
			Files: func(m Machine) []string { return []string{m.moved("CODEX_HOME", ".codex", "config.toml")} }, members: Entry.codex},
		{Name: "gemini", Title: "Gemini CLI", Table: "mcpServers", Plain: true, Program: "gemini",
			Files: func(m Machine) []string {
				return []string{m.moved("GEMINI_CLI_HOME", "", ".gemini", "settings.json"), ".gemini/settings.json in a project"}
			}, members: Entry.plain},
		{Name: "qwen", Title: "Qwen Code", Table: "mcpServers", Plain: true, Program: "qwen",
			Files: func(m Machine) []string {
				return []string{m.moved("QWEN_HOME", ".qwen", "settings.json"), ".qwen/settings.json in a project"}
			}, members: Entry.plain},
		{Name: "opencode", Title: "opencode", Table: "mcp", Program: "opencode",
			Files: func(m Machine) []string {
				return []string{m.moved("XDG_CONFIG_HOME", ".config", "opencode", "opencode.json"), "opencode.json in a project"}
			},
			members: Entry.opencode,
			after: func(Entry) string {
				return "opencode 2 has its servers one level deeper, in \"mcp\": {\"servers\": {…}}."
			}},
		{Name: "copilot", Title: "Copilot CLI", Table: "mcpServers", Plain: true, Program: "copilot",
			Files: func(m Machine) []string {
				return []string{m.moved("COPILOT_HOME", ".copilot", "mcp-config.json"), ".mcp.json in a project"}
			},
			members: func(e Entry) edit.Members {
				e.Type, e.Tools = "local", []string{"*"}
				return e.plain()
			}},
		{Name: "goose", Title: "Goose", Table: "extensions", Format: edit.YAML, Program: "goose",
			Files:   func(m Machine) []string { return []string{m.goose("config.yaml")} },
			members: Entry.goose},
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

// claudeAdd is the command that does the same.
func claudeAdd(e Entry) string {
	words := []string{"claude", "mcp", "add", ServerName, "--scope", "user"}
	for _, row := range settings.Table() {
		if value, ok := e.Env[row.Name]; ok {
			words = append(words, "--env", quoteShell(row.Name+"="+value))
		}
	}
	words = append(words, "--", quoteShell(e.Command))
	for _, arg := range e.Args {
		words = append(words, quoteShell(arg))
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
