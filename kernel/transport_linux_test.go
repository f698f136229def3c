package kernel_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestUnixSocketsRefused: a python that may make no unix socket, though this
// process may, gets TCP ports; and the next kernel begins with them.
func TestUnixSocketsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	confine := filepath.Join(dir, "nounix")
	if out, err := exec.Command("gcc", "-Wall", "-o", confine, filepath.Join("..", "testdata", "sandbox", "nounix.c")).CombinedOutput(); err != nil {
		testneeds.Skip(t, testneeds.CCompiler, fmt.Sprintf("%v: %s", err, out))
	}
	each(t, func(t *testing.T, python string) {
		confined := filepath.Join(t.TempDir(), "python")
		script := fmt.Sprintf("#!/bin/sh\nexec '%s' '%s' \"$@\"\n", confine, python)
		if err := os.WriteFile(confined, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		host := newHost(t)
		for range 2 {
			k := start(t, host, confined)
			if _, output := k.run("import socket\ntry: socket.socket(socket.AF_UNIX)\nexcept OSError as e: print(e.strerror)\n6 * 7"); output != "Operation not permitted\n<execute_result 42>" {
				t.Errorf("output %q", output)
			}
			k.Close()
		}
	})
}
