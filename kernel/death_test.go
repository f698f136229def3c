package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestDeaths is about more ways to end than TestDeath has.
func TestDeaths(t *testing.T) {
	t.Parallel()
	deaths(t, false)
}

func TestMatrixDeaths(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	deaths(t, true)
}

// deathsLeft are left to TestMatrixDeaths: each case has a kernel of its own.
var deathsLeft = []string{"terminated by itself", "all files closed", "replaced by another program"}

func deaths(t *testing.T, matrix bool) {
	t.Helper()
	each(t, func(t *testing.T, python string) {
		host := newHost(t)
		for _, test := range []struct {
			number             int
			name, code, output string // a regular expression
			outcome            kernel.Outcome
			exit               string
		}{
			{130, "exit code after a print", "print(1)\nimport os; os._exit(7)", "(1\n)?", kernel.OutcomeDied, "exit code 7"},
			{131, "abort", "import os; os.abort()", "", kernel.OutcomeDied, "signal 6 (SIGABRT)"},
			{132, "terminated by itself", "import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", "", kernel.OutcomeDied, "signal 15 (SIGTERM)"},
			{133, "exit in the middle", "print(1); exit(); print(2)", "1\n2\n", kernel.OutcomeExited, "exit code 0"},
			{134, "all files closed", "import os, time\nfor i in range(3, 200):\n    try: os.close(i)\n    except OSError: pass\ntime.sleep(1)", ".*", kernel.OutcomeDied, ""},
			{135, "replaced by another program", "import os; os.execv('/bin/sleep', ['sleep', '60'])", "", kernel.OutcomeDied, "signal 9 (SIGKILL)"},
		} {
			if slices.Contains(deathsLeft, test.name) != matrix {
				continue
			}
			t.Run(fmt.Sprintf("%d %s", test.number, test.name), func(t *testing.T) {
				t.Parallel()
				k := start(t, host, python)
				r, output := k.run(test.code)
				if r.Outcome != test.outcome || r.Exit == nil || (test.exit != "" && r.Exit.String() != test.exit) {
					t.Errorf("%+v, want %s, %s", r, test.outcome, test.exit)
				}
				if !regexp.MustCompile("(?s)^(" + test.output + ")$").MatchString(output) {
					t.Errorf("output %q", output)
				}
				if _, err := k.Execute(kernel.Request{ID: "late", Code: "1"}); !errors.Is(err, kernel.ErrDead) {
					t.Errorf("a dead kernel took code: %v", err)
				}
				k.Close()
			})
		}
		if matrix {
			return
		}
		t.Run("136 event loop stopped", func(t *testing.T) {
			k := start(t, host, python)
			k.run("import asyncio; asyncio.get_event_loop().stop()")
			select {
			case <-k.Done():
			case <-time.After(10 * time.Second):
				t.Error("still there")
			}
		})
	})
}

// TestSpoiled is about code that breaks the kernel without ending it: calls
// end or can be ended, whatever is left of the kernel.
func TestSpoiled(t *testing.T) {
	t.Parallel()
	spoiled(t, false)
}

func TestMatrixSpoiled(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	spoiled(t, true)
}

// spoiledLeft are left to TestMatrixSpoiled; TestStreams has the last, too.
var spoiledLeft = []string{"time.sleep replaced", "sys.stdout closed"}

func spoiled(t *testing.T, matrix bool) {
	t.Helper()
	each(t, func(t *testing.T, python string) {
		host := newHost(t)
		for _, test := range []struct {
			number     int
			name, code string
		}{
			{140, "time.sleep replaced", "import time; time.sleep = lambda *a: 1/0"},
			{141, "sys.stdout replaced by something that is no stream", "import sys; sys.stdout = 5"},
			{142, "sys.stdout closed", "import sys; sys.stdout.close()"},
		} {
			if slices.Contains(spoiledLeft, test.name) != matrix {
				continue
			}
			t.Run(fmt.Sprintf("%d %s", test.number, test.name), func(t *testing.T) {
				t.Parallel()
				k := start(t, host, python)
				for _, code := range []string{test.code, "1/0", "1+1"} {
					if stuck := k.tryRun(code); stuck {
						break
					}
				}
				k.Close()
				if err := k.Current(); err != nil {
					t.Error("something runs in a closed kernel")
				}
			})
		}
	})
}

// tryRun runs code for a while; one that does not end is ended with the kernel.
func (k *testKernel) tryRun(code string) (stuck bool) {
	k.t.Helper()
	e := k.send(code)
	ctx, cancel := context.WithTimeout(k.t.Context(), 3*time.Second)
	defer cancel()
	if err := e.Wait(ctx); err != nil {
		k.t.Logf("%q goes on; a new kernel is the only help", code)
		k.Kill()
		if r := ended(k.t, e); r.Outcome != kernel.OutcomeDied {
			k.t.Errorf("%q: %+v after Kill", code, r)
		}
		return true
	}
	k.t.Logf("%q: %+v %q", code, e.Result(), k.output(e))
	return false
}

// TestShutdowns: an orderly end runs atexit handlers, and no end takes long.
func TestShutdowns(t *testing.T) {
	t.Parallel()
	shutdowns(t, false)
}

func TestMatrixShutdowns(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	shutdowns(t, true)
}

// shutdownsLeft are left to TestMatrixShutdowns.
var shutdownsLeft = []string{"child nobody waits for", "thread that goes on", "object in a cycle", "file in a cycle"}

func shutdowns(t *testing.T, matrix bool) {
	t.Helper()
	each(t, func(t *testing.T, python string) {
		host := newHost(t)
		for _, test := range []struct {
			number     int
			name, code string
			within     time.Duration
			killed     bool
		}{
			{150, "idle", "1", 3 * time.Second, false},
			{151, "busy", "print('in', flush=True)\nwhile True: pass", 3 * time.Second, false},
			{152, "child nobody waits for", "import subprocess; p = subprocess.Popen(['sleep', '0'])", 6 * time.Second, true},
			{153, "atexit handler", "import atexit, time\ndef h():\n    time.sleep(1); open('atexit', 'w').close()\natexit.register(h)", 5 * time.Second, false},
			{154, "thread that goes on", "import threading, time; threading.Thread(target=time.sleep, args=(30,)).start()", 6 * time.Second, true},
			{155, "child in its own session", "import subprocess; p = subprocess.Popen(['sleep', '4711'], start_new_session=True); print(p.pid)", 6 * time.Second, true},
			{159, "object in a cycle", "class C:\n    def __init__(self): self.me = self\n    def __del__(self): open('gone', 'w').close()\nc = C()", 5 * time.Second, false},
			{149, "file in a cycle", "f = [open('text', 'w')]; f.append(f); f[0].write('all of it');", 5 * time.Second, false},
		} {
			if slices.Contains(shutdownsLeft, test.name) != matrix {
				continue
			}
			t.Run(fmt.Sprintf("%d %s", test.number, test.name), func(t *testing.T) {
				t.Parallel()
				k := start(t, host, python)
				_, cwd := k.run("import os; print(os.getcwd())")
				e := k.send(test.code)
				if test.name == "busy" {
					k.awaitOutput(e, "in\n")
				} else {
					ended(t, e)
				}
				output := k.output(e)
				patience := 20 * time.Second // a busy machine's kernel exits late
				if test.killed {
					patience = 3 * time.Second
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				began := time.Now()
				k.Shutdown(ctx)
				if took := time.Since(began); took > test.within+20*time.Second {
					t.Errorf("took %v", took)
				}
				if exit := k.Exit(); exit.Killed && !test.killed {
					t.Errorf("%s, killed", exit)
				}
				switch test.number {
				case 153:
					if _, err := os.Stat(filepath.Join(strings.TrimSpace(cwd), "atexit")); err != nil {
						t.Errorf("the handler did not run: %v", err)
					}
				case 159:
					if _, err := os.Stat(filepath.Join(strings.TrimSpace(cwd), "gone")); err != nil {
						t.Errorf("__del__ did not run: %v", err)
					}
				case 149:
					if text, err := os.ReadFile(filepath.Join(strings.TrimSpace(cwd), "text")); string(text) != "all of it" {
						t.Errorf("the file has %q, %v", text, err)
					}
				case 155:
					pid := strings.TrimSpace(output)
					if err := exec.Command("kill", "-0", pid).Run(); err == nil {
						t.Errorf("process %s lives on", pid)
					}
				}
			})
		}
	})
}

// TestShutdownImportsNothing: a module that is imported when it is first used (importlib's
// LazyLoader) is not imported because the kernel ends.
func TestShutdownImportsNothing(t *testing.T) {
	t.Parallel()
	k := start(t, newHost(t), pythons(t)[0])
	_, cwd := k.run(`import importlib.util, os, sys
with open("late.py", "w") as f: f.write("open('imported', 'w').close()")
spec = importlib.util.spec_from_file_location("late", "late.py")
spec.loader = importlib.util.LazyLoader(spec.loader)
sys.modules["late"] = late = importlib.util.module_from_spec(spec)
spec.loader.exec_module(late)
print(os.getcwd())`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	k.Shutdown(ctx)
	cwd = strings.TrimSpace(cwd)
	if _, err := os.Stat(filepath.Join(cwd, "late.py")); err != nil || k.Exit().Killed {
		t.Fatalf("%v, %s", err, k.Exit())
	}
	if _, err := os.Stat(filepath.Join(cwd, "imported")); err == nil {
		t.Error("the module was imported")
	}
}

// TestMatrixManyAtOnce: kernels that start together take no port or file of each other.
func TestMatrixManyAtOnce(t *testing.T) {
	testneeds.All(t)
	host, python := newHost(t), pythons(t)[0]
	before := runtime.NumGoroutine()
	t.Run("kernels", func(t *testing.T) {
		for i := range 8 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				k := start(t, host, python)
				k.run(fmt.Sprintf("x = %d", i))
				if _, output := k.run("x"); output != fmt.Sprintf("<execute_result %d>", i) {
					t.Errorf("x is %s", output)
				}
				k.Close()
			})
		}
	})
	for limit := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// TestWithoutIPykernel: the reason comes with the error, and soon.
func TestWithoutIPykernel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bare")
	if out, err := exec.Command(pythons(t)[0], "-m", "venv", "--without-pip", dir).CombinedOutput(); err != nil {
		t.Fatalf("making a bare environment: %v\n%s", err, out)
	}
	began := time.Now()
	_, err := kernel.Start(t.Context(), newHost(t), kernel.Spec{
		Python: filepath.Join(dir, "bin", "python"), Env: os.Environ(), Dir: t.TempDir(), Session: "test",
	})
	var failed *kernel.StartError
	if !errors.As(err, &failed) || failed.Exit == nil || failed.Exit.Code != 3 || !strings.Contains(string(failed.Exit.Tail), "ipykernel missing") {
		t.Fatalf("%v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestMatrixManyLines: 200,000 prints arrive as one text, in few messages.
func TestMatrixManyLines(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	k := start(t, newHost(t), pythons(t)[0])
	if _, output := k.run("for i in range(200_000): print(i)"); output != numbers(200_000) {
		t.Errorf("%d bytes arrived changed", len(output))
	}
}
