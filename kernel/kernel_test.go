package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMain lets the test binary stand for the program: the guard is this binary
// executed again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		syscall.Exit(guard.Main(os.Args[2:])) // os.Exit takes a second in race builds
	}
	os.Exit(testneeds.Run(m))
}

// pythons are the interpreters with ipykernel to test with: the newest,
// or each in turn, see testneeds.Kernels.
func pythons(t *testing.T) []string {
	t.Helper()
	return testneeds.Kernels(t)
}

// each runs a test on every ipykernel.
func each(t *testing.T, test func(t *testing.T, python string)) {
	for i, python := range pythons(t) {
		t.Run(fmt.Sprintf("python%d", i), func(t *testing.T) { test(t, python) })
	}
}

type testKernel struct {
	*kernel.Kernel
	t *testing.T
	n int
}

func newHost(t *testing.T) *kernel.Host {
	t.Helper()
	reaper, err := guard.NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	host := &kernel.Host{
		RecordDir: filepath.Join(t.TempDir(), "records"),
		Reaper:    reaper,
		Version:   "test",
		Log:       slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return host
}

func start(t *testing.T, host *kernel.Host, python string) *testKernel {
	t.Helper()
	k, err := kernel.Start(t.Context(), host, kernel.Spec{
		Python:     python,
		Env:        os.Environ(),
		Dir:        t.TempDir(),
		Session:    "test",
		Generation: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return &testKernel{Kernel: k, t: t}
}

// send executes code without waiting.
func (k *testKernel) send(code string) *kernel.Execution {
	k.t.Helper()
	k.n++
	e, err := k.Execute(kernel.Request{ID: fmt.Sprintf("t-%d", k.n), Code: code})
	if err != nil {
		k.t.Fatalf("executing %q: %v", code, err)
	}
	return e
}

// run executes code to its end and returns the result and what it put out.
func (k *testKernel) run(code string) (kernel.Result, string) {
	k.t.Helper()
	e := k.send(code)
	ctx, cancel := context.WithTimeout(k.t.Context(), 5*time.Minute) // a traceback of endless recursion takes a minute on a busy machine
	defer cancel()
	if err := e.Wait(ctx); err != nil {
		k.t.Fatalf("waiting for %q: %v", code, err)
	}
	return e.Result(), k.output(e)
}

// output shows an execution's outputs plainly: text as it is, the rest by kind.
func (k *testKernel) output(e *kernel.Execution) string {
	k.t.Helper()
	var b strings.Builder
	from, to := e.Range()
	for entry, err := range k.Record().Read(e.ID(), from, to) {
		if err != nil {
			k.t.Fatal(err)
		}
		out := entry.Output
		if out == nil {
			continue
		}
		if out.CommID != "" {
			fmt.Fprintf(&b, "<widget %s: %s>", out.CommID, out.Type)
			continue
		}
		switch out.Type {
		case jupyter.OutputStream:
			text, err := out.Text.Bytes(1 << 30)
			if err != nil {
				k.t.Fatal(err)
			}
			b.Write(text)
		case jupyter.OutputExecuteResult, jupyter.OutputDisplayData:
			text, err := out.Data["text/plain"].Bytes(1 << 30)
			if err != nil {
				k.t.Fatal(err)
			}
			fmt.Fprintf(&b, "<%s %s>", out.Type, text)
		case jupyter.OutputError:
			fmt.Fprintf(&b, "<error %s: %s>", out.Ename, out.Evalue)
		default:
			fmt.Fprintf(&b, "<%s %s%s>", out.Type, out.Text.Inline, out.Prompt)
		}
	}
	return b.String()
}

func TestExecute(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, python string) {
		k := start(t, newHost(t), python)
		for _, test := range []struct {
			name, code, output string
			outcome            kernel.Outcome
		}{
			{"last expression", "1+1", "<execute_result 2>", kernel.OutcomeOK},
			{"streams", "print('a')\nimport sys\nprint('b', file=sys.stderr)\n1+1", "a\nb\n<execute_result 2>", kernel.OutcomeOK},
			{"state", "x = 41", "", kernel.OutcomeOK},
			{"state kept", "x + 1", "<execute_result 42>", kernel.OutcomeOK},
			{"exception", "1/0", "<error ZeroDivisionError: division by zero>", kernel.OutcomeError},
			{"unknown magic: error only in the reply", "%nosuch", "", kernel.OutcomeError},
			{"top-level await", "import asyncio\nawait asyncio.sleep(0, 'slept')", "<execute_result 'slept'>", kernel.OutcomeOK},
			{"blank", "  \n", "", kernel.OutcomeOK},
			{"pager", "len?", "", kernel.OutcomeOK},
			{"input refused", "input()", "", kernel.OutcomeError},
			{"sys.exit keeps the kernel", "import sys\nsys.exit(3)", "", kernel.OutcomeError},
			{"lone surrogate", "print('before\\ud800after')\n'\\ud800'", "", kernel.OutcomeOK},
			{"surrogate in an exception", "raise ValueError('\\ud800')", "", kernel.OutcomeError},
			{"NUL in the source", "print('\x00')", "", kernel.OutcomeError},
			{"still there", "x", "<execute_result 41>", kernel.OutcomeOK},
		} {
			result, output := k.run(test.code)
			if result.Outcome != test.outcome {
				t.Errorf("%s: outcome %s %s: %s, want %s; output %q", test.name, result.Outcome, result.Ename, result.Evalue, test.outcome, output)
			}
			if test.output != "" && output != test.output {
				t.Errorf("%s: output %q, want %q", test.name, output, test.output)
			}
			if result.OutputLost || (result.NoReply && test.name != "NUL in the source") {
				t.Errorf("%s: NoReply=%t OutputLost=%t", test.name, result.NoReply, result.OutputLost)
			}
		}
	})
}

func TestDeath(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, python string) {
		host := newHost(t)
		for _, test := range []struct {
			code, exit string
			outcome    kernel.Outcome
		}{
			{"import os\nos._exit(23)", "exit code 23", kernel.OutcomeDied},
			{"import os\nos.kill(os.getpid(), 9)", "signal 9 (SIGKILL)", kernel.OutcomeDied},
			{"import ctypes\nctypes.string_at(0)", "signal 11 (SIGSEGV)", kernel.OutcomeDied},
			{"print('bye')\nexit()", "exit code 0", kernel.OutcomeExited},
		} {
			k := start(t, host, python)
			result, _ := k.run(test.code)
			if result.Outcome != test.outcome || result.Exit == nil || result.Exit.String() != test.exit {
				t.Errorf("%q: %+v, want %s, %s", test.code, result, test.outcome, test.exit)
			}
			if _, err := k.Execute(kernel.Request{ID: "late", Code: "1"}); err == nil {
				t.Errorf("%q: a dead kernel took code", test.code)
			}
			k.Close()
		}
	})
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, python string) {
		k := start(t, newHost(t), python)
		k.run("x = 41; import time, asyncio")
		for _, code := range []string{
			"print('in', flush=True)\nwhile True: pass",
			"print('in', flush=True)\ntime.sleep(100)",
			"print('in', flush=True)\nawait asyncio.sleep(100)",
			"await asyncio.sleep(0)\nprint('in', flush=True)\ntime.sleep(100)",
		} {
			e := k.send(code)
			k.awaitOutput(e, "in")
			stopped, err := k.Interrupt(t.Context())
			if !stopped || err != nil {
				t.Fatalf("%q: stopped=%t, %v", code, stopped, err)
			}
			if r := e.Result(); r.Outcome != kernel.OutcomeInterrupted {
				t.Errorf("%q: %+v", code, r)
			}
			if _, output := k.run("x"); output != "<execute_result 41>" {
				t.Errorf("%q: afterwards x is %q", code, output)
			}
		}
	})
}

// TestFlood: what is printed arrives complete and in order, in pieces that no
// reader has to fear.
func TestFlood(t *testing.T) {
	k := start(t, newHost(t), pythons(t)[0])
	const lines = 5_000
	_, output := k.run(fmt.Sprintf("for i in range(%d): print(i, flush=True)", lines))
	var want strings.Builder
	for i := range lines {
		fmt.Fprintln(&want, i)
	}
	if output != want.String() {
		t.Errorf("%d bytes of %d lines arrived changed", len(output), lines)
	}
}

// TestMatrixFlood is that at once.
func TestMatrixFlood(t *testing.T) {
	testneeds.All(t)
	k := start(t, newHost(t), pythons(t)[0])
	_, output := k.run("print('x' * 50_000_000)")
	if len(output) != 50_000_001 {
		t.Errorf("%d bytes arrived of 50,000,001", len(output))
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	_, err := kernel.Start(t.Context(), host, kernel.Spec{Python: "/nonexistent/python", Dir: t.TempDir(), Session: "test"})
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/python") {
		t.Errorf("a missing python: %v", err)
	}
	script := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho no kernel here >&2\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = kernel.Start(t.Context(), host, kernel.Spec{Python: script, Dir: t.TempDir(), Session: "test"})
	var start *kernel.StartError
	if !errors.As(err, &start) || start.Exit == nil || start.Exit.Code != 7 || !strings.Contains(string(start.Exit.Tail), "no kernel here") {
		t.Errorf("a python that ends: %v", err)
	}
}
