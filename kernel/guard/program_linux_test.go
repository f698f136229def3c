package guard

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestReplacedProgram starts guards of a program whose file changes, as systems
// without /proc/self/exe must.
func TestReplacedProgram(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path := filepath.Join(t.TempDir(), "program")
	copyFile(t, "/proc/self/exe", path)
	own, err := openProgram(path)
	if err != nil {
		t.Fatal(err)
	}
	defer own.file.Close()
	reaper := newTestReaper(t)
	reaper.program = own

	steps := []struct {
		name   string
		change func() error
		copied bool
	}{
		{"in place", func() error { return nil }, false},
		{"removed", func() error { return os.Remove(path) }, true},
		{"replaced", func() error { return os.WriteFile(path, []byte("#!/bin/false\n"), 0o700) }, true},
	}
	for _, step := range steps {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		p, err := Start(context.Background(), Spec{Argv: sh("read x < /dev/zero"), Stderr: os.Stderr}, reaper)
		if err != nil {
			t.Errorf("%s: %v", step.name, err)
			continue
		}
		exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.GuardPid()), "exe"))
		if copied := strings.Contains(exe, "mce-guard-"); err != nil || copied != step.copied {
			t.Errorf("%s: the guard is %s (%v)", step.name, exe, err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left: %v (%v)", left, err)
	}

	t.Setenv("TMPDIR", "/nonexistent")
	_, err = Start(context.Background(), Spec{Argv: sh("exit")}, reaper)
	if err == nil || !strings.Contains(err.Error(), path+" was removed or replaced") || !strings.Contains(err.Error(), "restart the server") {
		t.Errorf("without room for a copy: %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	r, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
