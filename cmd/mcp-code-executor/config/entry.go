package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config/edit"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// Entry is a server in a client's configuration file.
type Entry struct {
	Type    string            `json:"type,omitempty"`
	Command string            `json:"command"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Tools   []string          `json:"tools,omitempty"`   // that may be used
	Timeout int               `json:"timeout,omitempty"` // seconds
	// Drop are variables that an older entry may have and this one does not.
	Drop []string `json:"-"`
}

// ServerName is what the server is called in a client.
const ServerName = "python"

// EntryFor is this program's entry for a client, with the settings that are in force
// here, and the project where the client has a word for it.
func (c Client) EntryFor(getenv func(string) string) (Entry, error) {
	exe, err := os.Executable()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Env: map[string]string{}}
	e.Command, e.Args = startOf(exe, exec.LookPath)
	home := server.HomeDir(getenv)
	for _, s := range settings.Table() {
		if value := s.Absolute(getenv(s.Name), home); value != "" {
			e.Env[s.Name] = value
		}
	}
	if c.project != "" && e.Env["WORK_DIR"] == "" && e.Env["CODE_STORAGE_DIR"] == "" {
		e.Env["WORK_DIR"] = c.project
	}
	return e, nil
}

// startOf is the command that starts this program. What npx and uvx have put into
// their caches may be gone tomorrow: there it is they who start it.
func startOf(exe string, lookPath func(string) (string, error)) (command string, args []string) {
	path := filepath.ToSlash(exe)
	if strings.Contains(path, "/_npx/") {
		if npx, err := lookPath("npx"); err == nil {
			return npx, []string{"-y", "mcp-code-executor"}
		}
	}
	if strings.Contains(path, "/archive-v0/") {
		if uvx, err := lookPath("uvx"); err == nil {
			return uvx, []string{"mcp-code-executor"}
		}
	}
	return exe, nil
}

// Members are the entry as the client keeps it.
func (c Client) Members(e Entry) edit.Members { return c.members(e) }

// environment are the variables in the order of the table of settings.
func (e Entry) environment() edit.Members {
	var env edit.Members
	for _, s := range settings.Table() {
		if value, ok := e.Env[s.Name]; ok {
			env = append(env, edit.Member{Name: s.Name, Value: value})
		}
	}
	for _, name := range e.Drop {
		env = append(env, edit.Member{Name: name})
	}
	return env
}

// plain are the members of most clients' entries.
func (e Entry) plain() (all edit.Members) {
	if e.Type != "" {
		all = append(all, edit.Member{Name: "type", Value: e.Type})
	}
	all = append(all, edit.Member{Name: "command", Value: e.Command})
	if e.Args != nil {
		all = append(all, edit.Member{Name: "args", Value: e.Args})
	}
	if env := e.environment(); len(env) > 0 {
		all = append(all, edit.Member{Name: "env", Value: env})
	}
	if len(e.Tools) > 0 {
		all = append(all, edit.Member{Name: "tools", Value: e.Tools})
	}
	if e.Timeout > 0 {
		all = append(all, edit.Member{Name: "timeout", Value: e.Timeout})
	}
	return all
}

// codex is the entry of Codex, which waits 60 s for an answer if it is not told.
func (e Entry) codex() edit.Members {
	all := edit.Members{{Name: "command", Value: e.Command}}
	if e.Args != nil {
		all = append(all, edit.Member{Name: "args", Value: e.Args})
	}
	all = append(all, edit.Member{Name: "tool_timeout_sec", Value: 300})
	if env := e.environment(); len(env) > 0 {
		all = append(all, edit.Member{Name: "env", Value: env})
	}
	return all
}

// opencode is the entry of opencode, whose command is a list.
func (e Entry) opencode() edit.Members {
	all := edit.Members{{Name: "type", Value: "local"}, {Name: "command", Value: append([]string{e.Command}, e.Args...)}, {Name: "enabled", Value: true}}
	if env := e.environment(); len(env) > 0 {
		all = append(all, edit.Member{Name: "environment", Value: env})
	}
	return all
}

// goose is the entry of Goose.
func (e Entry) goose() edit.Members {
	return edit.Members{
		{Name: "enabled", Value: true}, {Name: "type", Value: "stdio"}, {Name: "name", Value: ServerName},
		{Name: "description", Value: "A persistent Python"}, {Name: "cmd", Value: e.Command}, {Name: "args", Value: append([]string{}, e.Args...)},
		{Name: "envs", Value: e.environment()}, {Name: "timeout", Value: 300},
	}
}
