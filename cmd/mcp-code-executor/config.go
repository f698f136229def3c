package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// entry is a server in a client's configuration file.
type entry struct {
	Type    string            `json:"type,omitempty"`
	Command string            `json:"command"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

// serverName is what the server is called in a client.
const serverName = "python"

// runConfig is the subcommand: it prints what goes into a client's
// configuration to stdout, and where it goes to stderr.
func runConfig(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 1 {
		for _, c := range clients() {
			if c.name == args[0] {
				return printConfig(c, getenv, stdout, stderr)
			}
		}
	}
	var names []string
	for _, c := range clients() {
		names = append(names, c.name)
	}
	what := "give one client"
	if len(args) == 1 {
		what = fmt.Sprintf("unknown client %q", args[0])
	}
	fmt.Fprintf(stderr, "mcp-code-executor config: %s; known: %s\n", what, strings.Join(names, ", "))
	return exitUsage
}

func printConfig(c client, getenv func(string) string, stdout, stderr io.Writer) int {
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, "mcp-code-executor config: finding this program's own file:", err)
		return 1
	}
	home := homeDir(getenv)
	e := entry{Command: exe, Env: map[string]string{}}
	for _, name := range settings() {
		if value := absoluteSetting(name, getenv(name), home); value != "" {
			e.Env[name] = value
		}
	}
	fmt.Fprintf(stderr, "%s: this goes into %s", c.title, strings.Join(c.files(home), ", or "))
	if c.after != nil {
		fmt.Fprintf(stderr, "\n%s", c.after(e))
	}
	fmt.Fprint(stderr, "\n\n")
	fmt.Fprint(stdout, c.snippet(e))
	var hidden []string
	for _, name := range passedOn() {
		if getenv(name) != "" {
			hidden = append(hidden, name)
		}
	}
	if len(hidden) > 0 {
		fmt.Fprintf(stderr, "\nSet here, and not passed on by every client: %s. Add to \"env\" what the server needs.\n", strings.Join(hidden, ", "))
	}
	return 0
}

// jsonSnippet is the entry under the client's key.
func jsonSnippet(key string, e entry) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	encoder.Encode(map[string]any{key: map[string]entry{serverName: e}}) // strings alone cannot fail
	return b.String()
}

// tomlSnippet is the entry as Codex keeps it. TOML's strings take JSON's escapes.
func tomlSnippet(e entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[mcp_servers.%s]\ncommand = %s\ntool_timeout_sec = 300\n", serverName, quoteJSON(e.Command))
	if len(e.Env) > 0 {
		fmt.Fprintf(&b, "\n[mcp_servers.%s.env]\n", serverName)
		for _, name := range settings() {
			if value, ok := e.Env[name]; ok {
				fmt.Fprintf(&b, "%s = %s\n", name, quoteJSON(value))
			}
		}
	}
	return b.String()
}

func quoteJSON(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.Encode(s)
	return strings.TrimSpace(b.String())
}
