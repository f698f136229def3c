package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/processtest"
)

// TestGreeting: a person who starts the server in a terminal reads in two lines
// what it is and what to do; Ctrl-D ends it. A client, which has a pipe, gets none.
func TestGreeting(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func(stdin *os.File) string {
		cmd := exec.Command(exe)
		cmd.Env = []string{"MCE_TEST_SERVER=1", "GORACE=atexit_sleep_ms=0", "HOME=" + t.TempDir()}
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = stdin, &stderr
		if out, err := cmd.Output(); err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
		return stderr.String()
	}
	person, program := processtest.Terminal(t)
	if _, err := person.Write([]byte{4}); err != nil { // Ctrl-D
		t.Fatal(err)
	}
	said := start(program)
	for _, part := range []string{"MCP server", "Ctrl-D", "config CLIENT", "doctor"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is missing in %s", part, said)
		}
	}
	if strings.Count(said, "\n") != 2 {
		t.Errorf("no two lines: %s", said)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if said := start(null); said != "" {
		t.Errorf("without a terminal: %s", said)
	}
}
