//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// Bounds on what follows a death: 1 s until it is told, 5 s for the next call.
// They are logged and asserted with room for a busy machine.
const (
	toldWithin = 1 * time.Second
	nextWithin = 5 * time.Second
	busyFactor = 10
)

// nextCall checks that a session works after its kernel's end: with a new kernel,
// without the old one's variables, and that it says so.
func nextCall(t *testing.T, p *program) {
	t.Helper()
	begun := time.Now()
	r := p.run("'kept' in globals()")
	took := time.Since(begun)
	if !strings.HasSuffix(r.text(), ": False") || r.field("generation") == "" || !strings.Contains(r.text(), "new kernel, generation") {
		t.Errorf("the next call: %s", r.text())
	}
	if took > busyFactor*nextWithin {
		t.Errorf("the next call took %s", took)
	}
	t.Logf("the next call took %s, wanted %s", took.Round(time.Millisecond), nextWithin)
}

// TestKernelsDeathRunning: a kernel that dies under a run: told at once, with what was
// printed before, the right cause, and what is lost; the next call works.
func TestKernelsDeathRunning(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		for _, test := range []struct {
			name, code, status string
			parts              []string
		}{
			{"SIGKILL", "os.kill(os.getpid(), signal.SIGKILL)", "died", []string{"killed (by itself, a person, a resource limit or for lack of memory)", "variables and imports are gone"}},
			{"SIGSEGV", "import ctypes; ctypes.string_at(0)", "died", []string{"native code crashed", "variables and imports are gone"}},
			{"SIGABRT", "os.abort()", "died", []string{"native code crashed"}},
			{"os._exit(23)", "os._exit(23)", "died", []string{"23", "variables and imports are gone"}},
			{"exit()", "exit()", "exited", []string{"the code ended the kernel", "variables and imports are gone"}},
			{"sys.exit in a thread, then SIGTERM", "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", "died", []string{"variables and imports are gone"}},
		} {
			t.Run(test.name, func(t *testing.T) {
				for range repeats(t, 1) {
					p.run("import os, signal, time\nkept = 1")
					r := p.call("execute_code", args{"code": "print('before', flush=True)\ntime.sleep(0.4)\nprint(time.time(), flush=True)\ntime.sleep(0.3)\n" + test.code})
					if !strings.HasPrefix(r.text(), "["+test.status+" | ") || r.IsError != (test.status == "died") {
						t.Errorf("isError=%t: %s", r.IsError, r.text())
					}
					if siteOf(t) != nil { // nobody tells how it ended
						test.parts = []string{"variables and imports are gone"}
					}
					for _, part := range append(test.parts, "before\n") {
						if !strings.Contains(r.text(), part) {
							t.Errorf("%q is missing in:\n%s", part, r.text())
						}
					}
					told := time.Now()
					var died float64
					for line := range strings.Lines(r.text()) {
						if _, err := fmt.Sscanf(line, "%f", &died); err == nil && died > 1e9 {
							break
						}
					}
					late := told.Sub(time.Unix(0, int64(died*1e9))) - 300*time.Millisecond
					if late > busyFactor*toldWithin {
						t.Errorf("told %s after the death", late)
					}
					t.Logf("told after %s, wanted %s", late.Round(time.Millisecond), toldWithin)
					nextCall(t, p)
				}
			})
		}
	})
}

// TestKernelsDeathIdle: a kernel that dies between two calls: the next call is not run,
// for it may count on the variables, and says so; the one after that works.
func TestKernelsDeathIdle(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		for _, test := range []struct {
			name, code string
			signal     syscall.Signal
			parts      []string
		}{
			{"SIGKILL", "", syscall.SIGKILL, []string{"killed (by itself, a person, a resource limit or for lack of memory)"}},
			{"SIGSEGV", "", syscall.SIGSEGV, []string{"native code crashed"}},
			{"os._exit(23)", exitsWhenAsked, 0, []string{"23"}},
		} {
			t.Run(test.name, func(t *testing.T) {
				for range repeats(t, 1) {
					os.Remove(filepath.Join(p.storage, "ran")) // of the case before
					p.run("kept = 1\n" + test.code)
					pid := kernelPID(t, p, "default")
					if test.signal != 0 {
						syscall.Kill(pid, test.signal)
					} else {
						askToExit(t, p)
					}
					for deadline := time.Now().Add(5 * time.Second); syscall.Kill(pid, 0) == nil; {
						if time.Now().After(deadline) {
							t.Fatal("it does not die")
						}
						time.Sleep(2 * time.Millisecond) // polling the process table, not ordering
					}
					begun := time.Now()
					r := p.call("execute_code", args{"code": "open('ran', 'w')"})
					if siteOf(t) != nil { // nobody tells how it ended, nor when: it may seem to end just now
						refused(t, "the next call", r, "variables and imports are gone")
					} else {
						refused(t, "the next call", r, append(test.parts, "NOT run", "variables and imports are gone")...)
						if !strings.HasPrefix(r.text(), "[not run | ") {
							t.Errorf("%s", r.text())
						}
					}
					if took := time.Since(begun); took > busyFactor*toldWithin {
						t.Errorf("told after %s", took)
					}
					nextCall(t, p)
					// A Jupyter server hands what it was sent meanwhile to the kernel that it starts
					// anew, unless that is deleted first: then the code has died, and was not "NOT run".
					if _, err := os.Stat(filepath.Join(p.storage, "ran")); strings.Contains(r.text(), "NOT run") && !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("the code ran: %v", err)
					}
				}
			})
		}
	})
}

// TestQueuedBehindDeath: what waited behind the run that died is not run.
func TestQueuedBehindDeath(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	p.run("kept = 1")
	_, dying := p.begin("execute_code", args{"code": "import os, time; time.sleep(1); os._exit(1)"})
	_, behind := p.begin("execute_code", args{"code": "open('ran', 'w')"})
	if r := p.await(dying, "dying").Result; !strings.HasPrefix(r.text(), "[died | ") {
		t.Errorf("%s", r.text())
	}
	refused(t, "behind it", p.await(behind, "behind").Result, "NOT run")
	nextCall(t, p)
	if _, err := os.Stat(filepath.Join(p.storage, "ran")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the code ran: %v", err)
	}
}

// memoryCgroup makes a memory cgroup with a limit and returns the files that
// take a pid. It needs root and cgroups that can be written, as in most CI
// containers that are privileged.
func memoryCgroup(t *testing.T, limit int64) (procs string) {
	t.Helper()
	name := fmt.Sprintf("mce-test-%d", os.Getpid())
	var problems []error
	for _, kind := range []struct{ root, limit, swap string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"}, // version 1
		{"/sys/fs/cgroup", "memory.max", "memory.swap.max"},                               // version 2
	} {
		dir := filepath.Join(kind.root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			problems = append(problems, err)
			continue
		}
		t.Cleanup(func() {
			// The kernel's memory is given back a moment after its process is gone.
			for deadline := time.Now().Add(5 * time.Second); syscall.Rmdir(dir) != nil && time.Now().Before(deadline); {
				time.Sleep(10 * time.Millisecond) // polling, not ordering
			}
		})
		if err := os.WriteFile(filepath.Join(dir, kind.limit), fmt.Append(nil, limit), 0o644); err != nil {
			problems = append(problems, err)
			continue
		}
		swap := "0"
		if kind.swap == "memory.memsw.limit_in_bytes" {
			swap = fmt.Sprint(limit)
		}
		os.WriteFile(filepath.Join(dir, kind.swap), []byte(swap), 0o644) // absent without swap
		return filepath.Join(dir, "cgroup.procs")
	}
	testneeds.Skip(t, testneeds.MemoryCgroup, fmt.Sprintf("none can be made, which needs root and writable cgroups: %v", errors.Join(problems...)))
	return ""
}

// TestOutOfMemory: a kernel that its memory cgroup killed died of lack of memory,
// and one that was killed otherwise in such a cgroup did not.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	procs := memoryCgroup(t, 300<<20)
	p := start(t, inVenv(t)...)
	if err := os.WriteFile(procs, fmt.Append(nil, p.cmd.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}
	p.request("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "test", "version": "1"}})
	p.notify("notifications/initialized", nil)
	for range repeats(t, 1) {
		p.run("kept = 1")
		r := p.call("execute_code", args{"code": "print('before', flush=True)\nimport time; time.sleep(0.3)\nb = bytearray(1 << 30)\nfor i in range(0, len(b), 4096): b[i] = 1"})
		refused(t, "a run that needs 1 GiB of 300 MiB", r, "[died | ", "out of memory", "before")
		nextCall(t, p)
		p.run("kept = 1")
		r = p.call("execute_code", args{"code": "import os; os.kill(os.getpid(), 9)"})
		if !strings.HasPrefix(r.text(), "[died | ") || strings.Contains(r.text(), "out of memory") {
			t.Errorf("a kill from outside: %s", r.text())
		}
		nextCall(t, p)
	}
}

// TestKernelsMemoryError: a limit on the process's data gives MemoryError, and the state
// is kept.
func TestKernelsMemoryError(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		p.run("kept = 'kept'")
		limit := unix.Rlimit{Cur: 2 << 30, Max: 2 << 30}
		if err := unix.Prlimit(kernelPID(t, p, "default"), unix.RLIMIT_DATA, &limit, nil); err != nil {
			t.Fatal(err)
		}
		r := p.call("execute_code", args{"code": "b = bytearray(4 << 30)"})
		refused(t, "too much", r, "[error MemoryError | ")
		if r := p.run("kept"); !strings.HasSuffix(r.text(), ": 'kept'") || r.field("generation") != "" {
			t.Errorf("the next call: %s", r.text())
		}
	})
}

// TestDeathAtStart: a kernel that dies at every start gives one clear error, with
// its last words, and nothing is run.
func TestDeathAtStart(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	startup := filepath.Join(home, ".ipython", "profile_default", "startup")
	if err := os.MkdirAll(startup, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(startup, "00.py"), []byte("import os\nimport time\nos.write(2, b'the last words\\n'); time.sleep(0.3)\nos._exit(7)\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := launchRaced(t, append(inVenv(t), "HOME="+home)...)
	for range 4 { // no run finished: it is told each time, and not counted as deaths
		r := p.call("execute_code", args{"code": "open('ran', 'w')"})
		refused(t, "a kernel that dies", r, "[failed | ", "ended while starting", "7", "the last words", "not run")
		if n := strings.Count(r.text(), "the last words"); n != 1 {
			t.Errorf("its last words are said %d times:\n%s", n, r.text())
		}
	}
	if err := os.Remove(filepath.Join(startup, "00.py")); err != nil {
		t.Fatal(err)
	}
	if r := p.run("1 + 1"); !strings.HasSuffix(r.text(), ": 2") {
		t.Errorf("fixed: %s", r.text())
	}
}

// TestMatrixDeathAgainAndAgain: three deaths without a run that finished between them,
// then a clear stop, which restarting the session ends.
func TestMatrixDeathAgainAndAgain(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	dies := args{"code": "import os; os._exit(1)"}
	for range 2 {
		refused(t, "a death", p.call("execute_code", dies), "[died | ")
	}
	p.run("'a finished run begins the count anew'")
	for range 3 {
		refused(t, "a death", p.call("execute_code", dies), "[died | ")
	}
	for range 2 {
		refused(t, "after three", p.call("execute_code", args{"code": "1"}), "nothing was run", "died 3 times", "stop_session", "restart: true")
	}
	if r := p.call("stop_session", args{"restart": true}); r.IsError {
		t.Errorf("%s", r.text())
	}
	if r := p.run("1 + 1"); !strings.HasSuffix(r.text(), ": 2") {
		t.Errorf("after the restart: %s", r.text())
	}
	// A kill that was asked for says nothing against the next kernel.
	for range 3 {
		r := p.call("execute_code", args{"code": "input()", "wait_seconds": 10})
		if !strings.HasPrefix(r.text(), "[waiting for input | ") {
			t.Fatalf("%s", r.text())
		}
		p.call("stop_session", args{"restart": true})
	}
	p.run("1")
}
