package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config/edit"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// Print prints what goes into the client's configuration to stdout, and where it
// goes to stderr. It returns the exit status.
func (c Client) Print(getenv func(string) string, stdout, stderr io.Writer) int {
	e, err := c.EntryFor(getenv)
	if err != nil {
		fmt.Fprintln(stderr, "mcp-code-executor config: finding this program's own file:", err)
		return 1
	}
	c.tell(e, Here(getenv), stderr)
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

// snippet is a file with nothing in it but the entry.
func (c Client) snippet(e Entry) string {
	text, _ := edit.Set(c.Format, nil, edit.Entry{Table: c.Table, Name: ServerName}, c.members(e)) // in nothing, nothing is in the way
	return string(text)
}

// tell says where an entry goes.
func (c Client) tell(e Entry, m Machine, stderr io.Writer) {
	fmt.Fprintf(stderr, "%s: add this to %s; keep what else is in the file", c.Title, strings.Join(c.Files(m), ", or to "))
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

// Quote is s as a string of JSON.
func Quote(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.Encode(s)
	return strings.TrimSpace(b.String())
}
