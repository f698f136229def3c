package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// nounix is a program that starts another one which may make no unix socket.
func nounix(t *testing.T) string {
	dir := sharedDir("sandbox", func(dir string) {
		source := filepath.Join("..", "..", "testdata", "sandbox", "nounix.c")
		out, err := exec.Command("sh", "-c", `mkdir -p "$1" && gcc -Wall -o "$1/nounix" "$2"`, "sh", dir, source).CombinedOutput()
		if err != nil {
			testneeds.Skip(t, testneeds.CCompiler, fmt.Sprintf("%v: %s", err, out))
		}
	})
	return filepath.Join(dir, "nounix")
}

// TestSandboxNoUnixSockets: a sandbox without network needs unix sockets to its kernel.
// Where these are refused nothing runs, and the error says so; with the network code runs.
func TestSandboxNoUnixSockets(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	for setting, wants := range map[string][]string{
		"SANDBOX_NETWORK=off": {"nothing was run", "without network a kernel can only be reached by unix sockets"},
		"SANDBOX_NETWORK=on":  nil,
	} {
		p := prepare(t, append(inVenv(t), "SANDBOX=workspace", "WORK_DIR="+t.TempDir(), setting)...)
		p.under = nounix(t)
		p.start()
		p.shakeHands()
		if r := p.call("execute_code", args{"code": "1 + 1"}); wants != nil {
			refused(t, setting, r, wants...)
		} else {
			has(t, r, "[ok | ", "sandbox workspace (bubblewrap)", "]: 2")
		}
	}
}

// TestKernelsNoUnixSockets: where a sandbox refuses unix sockets, kernels get TCP ports
// and everything goes on as ever. MCE_TEST_UNDER=PROGRAM runs any other test there.
func TestKernelsNoUnixSockets(t *testing.T) {
	t.Parallel()
	for _, python := range testneeds.Kernels(t) {
		p := prepare(t, venvOf(python)...)
		p.under = nounix(t)
		p.start()
		p.shakeHands()
		if r := p.run("import socket\ntry: socket.socket(socket.AF_UNIX)\nexcept OSError as e: print(e.strerror)"); !strings.Contains(r.text(), "Operation not permitted") {
			t.Fatalf("the sandbox does nothing: %s", r.text())
		}
		p.run("kept = 'kept'\nprint('x' * 3_000_000)")
		if r := p.call("execute_code", args{"code": "import time; time.sleep(60)", "timeout_seconds": 0.5}); !strings.HasPrefix(r.text(), "[interrupted | ") {
			t.Errorf("%s", r.text())
		}
		p.call("execute_code", args{"code": "kept += input('? ')"})
		p.call("send_input", args{"text": " too"})
		if r := p.run("kept"); !strings.HasSuffix(r.text(), ": 'kept too'") {
			t.Errorf("%s", r.text())
		}
		if r := p.call("inspect_variables", nil); !strings.Contains(r.text(), "kept") {
			t.Errorf("%s", r.text())
		}
		p.call("stop_session", args{"restart": true})
		p.run("1")
		if r := p.call("execute_code", args{"code": "import os; os._exit(3)"}); !strings.HasPrefix(r.text(), "[died | ") {
			t.Errorf("%s", r.text())
		}
		p.run("1")
	}
}
