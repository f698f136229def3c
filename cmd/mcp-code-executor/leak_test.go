//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// held is what a server process holds.
type held struct {
	goroutines, files, children, dirs int
}

// goroutines counts a server's goroutines by the dump it writes when it gets
// SIGQUIT, which ends it.
func goroutines(t *testing.T, p *program, stderr *strings.Builder) int {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGQUIT)
	<-p.ended
	p.cmd.Wait()
	n := strings.Count(stderr.String(), "\ngoroutine ")
	if n == 0 {
		t.Fatalf("no goroutines in:\n%.3000s", stderr)
	}
	return n
}

// holds counts what a live server holds: descriptors, processes with its mark, and
// kernels' directories.
func holds(t *testing.T, p *program, value string) (h held) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	h.files = len(files)
	h.children = len(marked(t, value))
	dirs, err := filepath.Glob(filepath.Join(p.home, "run", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	h.dirs = len(dirs)
	return h
}

// TestLeaks: after many runs and restarts a server holds no goroutine, descriptor,
// process or directory more than after a few.
func TestLeaks(t *testing.T) { leaks(t, 60, 6) }

func TestMatrixLeaks(t *testing.T) {
	testneeds.All(t)
	leaks(t, 200, 10)
}

// leaks compares what a server holds after 4 runs and 2 restarts, and after that many.
func leaks(t *testing.T, runs, restarts int) {
	t.Helper()
	if n := repeats(t, 1); n > 1 {
		runs, restarts = 1000, 100
	}
	measure := func(runs, restarts int) held {
		t.Helper()
		value := fmt.Sprintf("%d-%s-%d", os.Getpid(), t.Name(), runs)
		home := t.TempDir()
		run := filepath.Join(home, "run")
		if err := os.Mkdir(run, 0o700); err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		p := launchInto(t, &stderr, append(inVenv(t), "XDG_RUNTIME_DIR="+run, "HOME="+home, "GOTRACEBACK=all", mark+value)...)
		p.home = home
		for i := range restarts {
			for range runs / restarts {
				p.run("1")
			}
			p.call("execute_code", args{"code": "1/0"})
			p.call("execute_code", args{"code": "while True: pass", "wait_seconds": 0.01})
			p.call("interrupt_execution", nil)
			p.call("inspect_variables", nil)
			if i%2 == 0 {
				p.call("stop_session", args{"restart": true})
			} else {
				p.call("execute_code", args{"code": "import os; os._exit(1)"})
			}
		}
		p.run("1")
		p.call("inspect_variables", nil)
		// What a call leaves ends a moment after its answer.
		h, last := held{}, held{files: -1}
		for deadline := time.Now().Add(10 * time.Second); h != last && time.Now().Before(deadline); {
			time.Sleep(200 * time.Millisecond) // until it is steady, not ordering
			h, last = holds(t, p, value), h
		}
		h.goroutines = goroutines(t, p, &stderr)
		nothingLeft(t, value)
		return h
	}
	few, many := measure(4, 2), measure(runs, restarts)
	t.Logf("after 4 runs and 2 restarts %+v; after %d and %d %+v", few, runs, restarts, many)
	// A thread of the runtime's own may come and go.
	if many.goroutines > few.goroutines+2 || many.files > few.files+2 || many.children > few.children || many.dirs > few.dirs {
		t.Errorf("after 4 runs and 2 restarts %+v, after %d and %d %+v", few, runs, restarts, many)
	}
}

// launchInto is launch with a place for all that the server writes to stderr.
func launchInto(t *testing.T, stderr *strings.Builder, settings ...string) *program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, storage: filepath.Join(t.TempDir(), "code"), replies: map[int]chan reply{}, ended: make(chan struct{})}
	p.cmd = exec.Command(exe)
	p.cmd.Env = append([]string{"MCE_TEST_SERVER=1", "PATH=/usr/bin:/bin", "CODE_STORAGE_DIR=" + p.storage, "SPARE_KERNEL=off"}, settings...)
	p.cmd.Stderr = stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	go p.read(stdout)
	p.request("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "test", "version": "1"}})
	p.notify("notifications/initialized", nil)
	return p
}
