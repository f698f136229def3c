package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMatrixInspector: the command line of the MCP Inspector lists the tools, without
// a complaint of their schemas, and calls one, over stdio and over HTTP. Over HTTP
// the second call finds what the first one has left.
func TestMatrixInspector(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	w := serveWeb(t, inVenv(t), "inspector")
	for name, test := range map[string]struct {
		server []string
		last   string // of two calls that share a name
	}{
		"stdio": {append([]string{testProgram(t)}, asOptions("-e", inVenv(t))...), "False"},
		"http": {[]string{"--transport", "http", "--server-url", w.url,
			"--header", "Authorization: Bearer " + w.secrets["inspector"]}, "True"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			listed := inspect(t, home, test.server, "tools/list", "--strict")
			for _, tool := range listTools(t) {
				if !strings.Contains(listed, `"name":"`+tool.Name+`"`) {
					t.Errorf("%s is not listed", tool.Name)
				}
			}
			run := func(code string) string {
				arguments, err := json.Marshal(args{"code": code, "session": "inspected"})
				if err != nil {
					t.Fatal(err)
				}
				return inspect(t, home, test.server, "tools/call", "--tool-name", "execute_code", "--tool-args-json", string(arguments))
			}
			tells(t, run("x = 6 * 7; x"), "Out[1]: 42")
			tells(t, run("'x' in globals()"), ": "+test.last)
		})
	}
}

// asOptions gives each of the values as an option.
func asOptions(option string, values []string) (options []string) {
	for _, value := range values {
		options = append(options, option, value)
	}
	return options
}

// inspect runs the Inspector, which knows of us only what the command line says, and
// returns its stdout.
func inspect(t *testing.T, home string, server []string, method string, more ...string) string {
	t.Helper()
	program := filepath.Join(required(t, "MCE_TEST_INSPECTOR", "directory with the MCP Inspector"), "node_modules", ".bin", "mcp-inspector")
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	command := append(append([]string{"--cli"}, server...), "--method", method, "--format", "json")
	cmd := exec.CommandContext(ctx, program, append(command, more...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "NO_PROXY=127.0.0.1"}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", method, err, out, errs.String())
	}
	return string(out)
}
