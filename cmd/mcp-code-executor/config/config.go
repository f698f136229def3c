package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

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
}

// ServerName is what the server is called in a client.
const ServerName = "python"

// Print prints what goes into the client's configuration to stdout, and where it
// goes to stderr. It returns the exit status.
func (c Client) Print(getenv func(string) string, stdout, stderr io.Writer) int {
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, "mcp-code-executor config: finding this program's own file:", err)
		return 1
	}
	home := server.HomeDir(getenv)
	e := Entry{Command: exe, Env: map[string]string{}}
	for _, s := range settings.Table() {
		if value := s.Absolute(getenv(s.Name), home); value != "" {
			e.Env[s.Name] = value
		}
	}
	if c.project != "" && e.Env["WORK_DIR"] == "" && e.Env["CODE_STORAGE_DIR"] == "" {
		e.Env["WORK_DIR"] = c.project
	}
	c.tell(e, home, stderr)
	fmt.Fprint(stdout, c.snippet(e))
	tellProblems(getenv, stderr)
	var hidden []string
	for _, name := range settings.Foreign() {
		if getenv(name) != "" {
			hidden = append(hidden, name)
		}
	}
	if len(hidden) > 0 {
		fmt.Fprintf(stderr, "\nSet here, and not passed on by every client: %s. Add to \"env\" what the server needs.\n", strings.Join(hidden, ", "))
	}
	return 0
}

// tell says where an entry goes.
func (c Client) tell(e Entry, home string, stderr io.Writer) {
	fmt.Fprintf(stderr, "%s: add this to %s; keep what else is in the file", c.Title, strings.Join(c.Files(home), ", or to "))
	if c.after != nil {
		fmt.Fprintf(stderr, "\n%s", c.after(e))
	}
	fmt.Fprint(stderr, "\n\n")
}

func tellProblems(getenv func(string) string, stderr io.Writer) {
	for _, p := range settings.Read(getenv).Problems {
		fmt.Fprintf(stderr, "\n%s\n", p)
	}
}

// jsonSnippet is the entry under the client's key.
func jsonSnippet(key string, e Entry) string {
	return indented(map[string]any{key: map[string]Entry{ServerName: e}})
}

func indented(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	encoder.Encode(v) // strings alone cannot fail
	return b.String()
}

// opencodeSnippet is the entry as opencode keeps it.
func opencodeSnippet(e Entry) string {
	entry := map[string]any{"type": "local", "command": append([]string{e.Command}, e.Args...), "enabled": true}
	if len(e.Env) > 0 {
		entry["environment"] = e.Env
	}
	return indented(map[string]any{"mcp": map[string]any{ServerName: entry}})
}

// tomlSnippet is the entry as Codex keeps it. TOML's strings take JSON's escapes.
func tomlSnippet(e Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[mcp_servers.%s]\ncommand = %s\n", ServerName, Quote(e.Command))
	if len(e.Args) > 0 {
		var args []string
		for _, a := range e.Args {
			args = append(args, Quote(a))
		}
		fmt.Fprintf(&b, "args = [%s]\n", strings.Join(args, ", "))
	}
	b.WriteString("tool_timeout_sec = 300\n")
	if len(e.Env) > 0 {
		fmt.Fprintf(&b, "\n[mcp_servers.%s.env]\n", ServerName)
		for _, s := range settings.Table() {
			if value, ok := e.Env[s.Name]; ok {
				fmt.Fprintf(&b, "%s = %s\n", s.Name, Quote(value))
			}
		}
	}
	return b.String()
}

// Quote is s as a string of JSON.
func Quote(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.Encode(s)
	return strings.TrimSpace(b.String())
}
