//go:build unix

package pyenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// What this user may not enter is not called missing or broken: the error names the
// directory that is closed, and what lets the user in.
func TestClosed(t *testing.T) {
	if os.Getuid() == 0 {
		asNobody(t, t.TempDir())
		return
	}
	world := t.TempDir()
	at := func(name string) string { return filepath.Join(world, filepath.FromSlash(name)) }
	for _, prefix := range []string{"home/venv", "self", "project/.venv", "programs", "linked"} {
		pyenvtest.Write(t, map[string]string{at(prefix + "/pyvenv.cfg"): "home = /usr/bin\n", at(prefix + "/bin/activate"): ""})
	}
	if err := os.Symlink(at("home/python"), at("linked/bin/python")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"home", "self", "project/.venv", "programs/bin"} {
		if err := os.Chmod(at(dir), 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(at(dir), 0o755) })
	}
	for _, test := range []struct {
		config Config
		closed string
	}{
		{Config{VenvPath: at("home/venv")}, "home"},
		{Config{VenvPath: at("home/venv/bin/python")}, "home"},
		{Config{VenvPath: at("home")}, "home"},
		{Config{VenvPath: at("self")}, "self"},
		{Config{VenvPath: at("project")}, "project/.venv"},
		{Config{VenvPath: at("project/.venv")}, "project/.venv"},
		{Config{VenvPath: at("programs")}, "programs/bin"},
		{Config{VenvPath: at("linked")}, "home"},
		{Config{CondaName: at("home/venv")}, "home"},
		{Config{CondaName: at("self")}, "self"},
	} {
		h := &host.Host{Home: world, Sysroot: world}
		pyenvtest.CloseAtEnd(t, h)
		_, err := NewFinder(h).Resolve(t.Context(), test.config)
		dir := at(test.closed)
		want := "permission denied to enter " + dir + "; if that directory is yours: chmod u+rx " + dir + "; else ask its owner to run chmod o+rx " + dir + ", or choose another environment"
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%+v: %v\nwant %s", test.config, err, want)
		}
	}
}

// A python that may be seen but not run: making its environment anew is no advice.
func TestNotRunnable(t *testing.T) {
	f := newFinder(t)
	prefix := filepath.Join(f.Host.Home, "venv")
	python := filepath.Join(prefix, "bin", "python")
	pyenvtest.Write(t, map[string]string{prefix + "/pyvenv.cfg": "home = /usr/bin\n", python: "#!" + prefix + "/closed\n", prefix + "/closed": "#!/bin/sh\n"})
	if err := os.Chmod(filepath.Join(prefix, "closed"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := f.Resolve(t.Context(), Config{VenvPath: prefix})
	if err == nil || !strings.Contains(err.Error(), "permission denied; choose an environment whose python this user may run, or ask its owner to run chmod a+rx "+python) {
		t.Errorf("got %v", err)
	}
}
