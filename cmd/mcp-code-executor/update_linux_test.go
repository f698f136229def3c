package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestReplacedProgram: an update, or a cleaned cache, breaks no running server. Its
// next kernel and helper programs run under a guard of its own version, also where
// nothing but the file's path names the program.
func TestReplacedProgram(t *testing.T) {
	t.Parallel()
	underMounts(t, "true")
}

// TestMatrixReplacedProgram is that where there is no /proc.
func TestMatrixReplacedProgram(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	underMounts(t, "mount -t tmpfs none /proc")
}

// underMounts replaces the file of a server that runs after these shell commands.
func underMounts(t *testing.T, mounts string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mcp-code-executor")
	program, err := os.ReadFile(testProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, program, 0o755); err != nil {
		t.Fatal(err)
	}
	replaceProgram(t, launchMounted(t, mounts+"\nexec "+file, inVenv(t)...), file, program)
}

// replaceProgram removes and replaces the file of a running server.
func replaceProgram(t *testing.T, p *program, file string, program []byte) {
	steps := []struct {
		name   string
		change func() error
	}{
		{"in place", func() error { return nil }},
		{"removed", func() error { return os.Remove(file) }},
		{"replaced", func() error { return os.WriteFile(file, []byte("#!/bin/false\n"), 0o755) }},
	}
	for i, step := range steps {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		if r := p.call("execute_code", args{"code": "40 + 2", "session": step.name}); r.IsError || r.rest() != "Out[1]: 42" {
			t.Errorf("%s: %s", step.name, r.text())
		}
		if r := p.call("check_installed_packages", args{"packages": []string{"ipykernel"}, "session": step.name}); r.IsError {
			t.Errorf("%s: %s", step.name, r.text())
		}
		if running := guards(t, p); len(running) != i+1 {
			t.Errorf("%s: guards %v, want %d", step.name, running, i+1)
		}
	}
	for _, pid := range guards(t, p) {
		if exe, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "exe")); err != nil || !bytes.Equal(exe, program) {
			t.Errorf("guard %d is another program (%v)", pid, err)
		}
	}
}

// TestCleanedTemporaryFiles: what removes old temporary files takes the server's
// private directory too. Kernels that run go on, new ones start.
func TestCleanedTemporaryFiles(t *testing.T) {
	t.Parallel()
	cleanTemporaryFiles(t, "on")
}

func TestMatrixCleanedTemporaryFiles(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	cleanTemporaryFiles(t, "off")
}

func cleanTemporaryFiles(t *testing.T, history string) {
	t.Helper()
	p := launch(t, append(inVenv(t), "HISTORY="+history)...)
	r := p.call("execute_code", args{"code": "from ipykernel.kernelapp import IPKernelApp as A; print(A.instance().abs_connection_file)"})
	private := filepath.Dir(filepath.Dir(strings.TrimSpace(r.rest())))
	if !strings.HasPrefix(filepath.Base(private), "mce-") {
		t.Fatalf("no private directory: %s", r.text())
	}
	if err := os.RemoveAll(private); err != nil {
		t.Fatal(err)
	}
	for _, session := range []string{"default", "new", "newer"} {
		if r := p.call("execute_code", args{"code": "print(40 + 2)", "session": session}); r.IsError || r.rest() != "42" {
			t.Errorf("%s: %s", session, r.text())
		}
	}
	if r := p.call("stop_session", args{"restart": true}); r.IsError {
		t.Error(r.text())
	}
	if r := p.call("execute_code", args{"code": "print(40 + 2)"}); r.IsError || !strings.HasSuffix(r.rest(), "\n42") {
		t.Errorf("restarted: %s", r.text())
	}
	if _, err := os.Lstat(private); err == nil {
		t.Error("the directory is made again under its old name")
	}
}
