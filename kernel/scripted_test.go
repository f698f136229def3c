package kernel_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/kerneltest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// inBubble runs a test on a well-behaved kernel in memory.
func inBubble(t *testing.T, name string, test func(t *testing.T, k *testKernel, peer *kerneltest.Kernel)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			k, peer := scripted(t, kerneltest.NoWelcome)
			test(t, k, peer)
		})
	})
}

// ended waits for the end of an execution.
func ended(t *testing.T, e *kernel.Execution) kernel.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := e.Wait(ctx); err != nil {
		t.Fatalf("%s: %v", e.ID(), err)
	}
	return e.Result()
}

// TestEndless is about cells that do not end by themselves.
func TestEndless(t *testing.T) {
	for _, cell := range []kerneltest.Cell{kerneltest.Neither, kerneltest.Silence} {
		inBubble(t, string(cell), func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
			e := k.send(string(cell))
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := e.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || k.Current() != e {
				t.Errorf("ended although the kernel said nothing: %v", err)
			}
			if _, err := k.Execute(kernel.Request{ID: "second", Code: "x"}); !errors.Is(err, kernel.ErrBusy) {
				t.Errorf("a second execution: %v", err)
			}
			k.Kill()
			if r := ended(t, e); r.Outcome != kernel.OutcomeDied || r.Exit == nil || !r.Exit.Killed {
				t.Errorf("after Kill: %+v", r)
			}
			if k.Current() != nil {
				t.Error("a dead kernel runs something")
			}
		})
	}
	inBubble(t, "not interruptible", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		e := k.send(string(kerneltest.Silence))
		began := time.Now()
		stopped, _ := k.Interrupt(t.Context())
		if stopped || time.Since(began) > 6*time.Second || k.Current() != e {
			t.Errorf("stopped=%t after %v", stopped, time.Since(began))
		}
	})
	inBubble(t, "stubborn", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		e := k.send(string(kerneltest.Stubborn))
		synctest.Wait()
		stopped, err := k.Interrupt(t.Context())
		if r := ended(t, e); !stopped || err != nil || r.Outcome != kernel.OutcomeInterrupted {
			t.Errorf("stopped=%t, %v: %+v", stopped, err, r)
		}
	})
	inBubble(t, "idle", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		if stopped, err := k.Interrupt(t.Context()); !stopped || err != nil {
			t.Errorf("interrupt of nothing: %t, %v", stopped, err)
		}
		if _, output := k.run("x"); output != "x\n" {
			t.Errorf("output %q", output)
		}
	})
	inBubble(t, "waiting is not running", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		e := k.send(string(kerneltest.Loop))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := e.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || k.Current() != e {
			t.Errorf("the end of the waiting: %v, running: %t", err, k.Current() == e)
		}
	})
}

// TestInput: a question is shown, answered once, or interrupted.
func TestInput(t *testing.T) {
	ask := func(t *testing.T, k *testKernel, cell kerneltest.Cell, allow bool) *kernel.Execution {
		t.Helper()
		e, err := k.Execute(kernel.Request{ID: "ask", Code: string(cell), AllowInput: allow})
		if err != nil {
			t.Fatal(err)
		}
		// The question waits for iopub to be silent: the bubble's clock goes on.
		time.Sleep(time.Second)
		synctest.Wait()
		return e
	}
	for _, test := range []struct {
		cell  kerneltest.Cell
		allow bool
	}{{kerneltest.Ask, true}, {kerneltest.AskUninvited, false}} {
		inBubble(t, string(test.cell), func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
			e := ask(t, k, test.cell, test.allow)
			if p := e.Waiting(); p == nil || p.Text != "name? " || p.Password {
				t.Fatalf("prompt %+v", p)
			}
			time.Sleep(time.Hour) // a person may take their time
			if err := e.Answer("Ada"); err != nil {
				t.Fatal(err)
			}
			if err := e.Answer("Bob"); !errors.Is(err, kernel.ErrNotWaiting) {
				t.Errorf("a second answer: %v", err)
			}
			if r := ended(t, e); r.Outcome != kernel.OutcomeOK || e.Waiting() != nil {
				t.Errorf("%+v", r)
			}
			if got := k.output(e); got != "<input_request name? >hello Ada\n" {
				t.Errorf("output %q", got)
			}
		})
	}
	inBubble(t, "not allowed", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		e := ask(t, k, kerneltest.Ask, false)
		if r := ended(t, e); r.Ename != "StdinNotImplementedError" {
			t.Errorf("%+v", r)
		}
		if err := e.Answer("x"); !errors.Is(err, kernel.ErrNotWaiting) {
			t.Errorf("an answer to nothing: %v", err)
		}
	})
	inBubble(t, "interrupted", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		e := ask(t, k, kerneltest.Ask, true)
		stopped, err := k.Interrupt(t.Context())
		if r := ended(t, e); !stopped || err != nil || r.Outcome != kernel.OutcomeInterrupted || e.Waiting() != nil {
			t.Errorf("stopped=%t, %v: %+v", stopped, err, r)
		}
	})
	inBubble(t, "died", func(t *testing.T, k *testKernel, peer *kerneltest.Kernel) {
		e := ask(t, k, kerneltest.Ask, true)
		peer.Die(7, 0)
		if r := ended(t, e); r.Outcome != kernel.OutcomeDied || e.Waiting() != nil {
			t.Errorf("%+v", r)
		}
		if err := e.Answer("x"); !errors.Is(err, kernel.ErrNotWaiting) {
			t.Errorf("an answer to the dead: %v", err)
		}
	})
}

// TestEnds: a kernel that ends is noticed at once, and told with its exit.
func TestEnds(t *testing.T) {
	inBubble(t, "idle death", func(t *testing.T, k *testKernel, peer *kerneltest.Kernel) {
		began := time.Now()
		peer.Die(-1, syscall.SIGKILL)
		<-k.Done()
		if took := time.Since(began); took > time.Second || k.Exit().String() != "signal 9 (SIGKILL)" {
			t.Errorf("%s after %v", k.Exit(), took)
		}
		if _, err := k.Execute(kernel.Request{ID: "x"}); !errors.Is(err, kernel.ErrDead) {
			t.Errorf("a dead kernel took code: %v", err)
		}
		if k.Probe(t.Context(), time.Minute) {
			t.Error("a dead kernel answers")
		}
	})
	inBubble(t, "before it is noticed", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		defer kernel.CutOff(k.Kernel)()
		if _, err := k.Execute(kernel.Request{ID: "x-1", Code: "1"}); !errors.Is(err, kernel.ErrDead) {
			t.Errorf("a dead kernel took code: %v", err)
		}
		// Its server did not die during it.
		reader, err := record.Open(k.Record().Dir())
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		runs := reader.Outline(0).Runs
		if len(runs) != 1 || runs[0].Exec != "x-1" || !runs[0].Ended {
			t.Errorf("%+v", runs)
		}
	})
	inBubble(t, "exit", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		result, output := k.run(string(kerneltest.Exit))
		if result.Outcome != kernel.OutcomeExited || result.Exit == nil || result.Exit.String() != "exit code 0" || output != "exit\n" {
			t.Errorf("%+v %q", result, output)
		}
	})
	inBubble(t, "shutdown when idle", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		k.Shutdown(t.Context())
		if exit := k.Exit(); exit.String() != "exit code 0" || exit.Killed {
			t.Errorf("%+v", exit)
		}
	})
	inBubble(t, "shutdown when busy", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		e := k.send(string(kerneltest.Loop))
		synctest.Wait()
		k.Shutdown(t.Context())
		if exit := k.Exit(); exit.Killed {
			t.Errorf("%+v: its atexit handlers did not run", exit)
		}
		if r := ended(t, e); r.Outcome == kernel.OutcomeOK {
			t.Errorf("%+v", r)
		}
	})
	inBubble(t, "shutdown of one that does not", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		e := k.send(string(kerneltest.Silence))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		k.Shutdown(ctx)
		if exit := k.Exit(); !exit.Killed {
			t.Errorf("%+v", exit)
		}
		if r := ended(t, e); r.Outcome != kernel.OutcomeDied {
			t.Errorf("%+v", r)
		}
		k.Close() // twice is harmless
	})
	inBubble(t, "close while it runs", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		e := k.send(string(kerneltest.Loop))
		k.Close()
		if r := ended(t, e); r.Outcome != kernel.OutcomeDied {
			t.Errorf("%+v", r)
		}
	})
}

// TestMatrixNothingGrows: what is kept for thousands of executions that are over is bounded.
func TestMatrixNothingGrows(t *testing.T) {
	testneeds.All(t)
	inBubble(t, "executions", func(t *testing.T, k *testKernel, _ *kerneltest.Kernel) {
		for range 5000 {
			if r, _ := k.run("x"); r.Outcome != kernel.OutcomeOK {
				t.Fatalf("%+v", r)
			}
		}
		if known, waiters := kernel.Known(k.Kernel); known > 4096 || waiters != 0 {
			t.Errorf("%d executions and %d waiters are known", known, waiters)
		}
	})
}

// TestSlowReader: on a loaded machine the handling of an output can take longer than
// a silent kernel is given. Its idle, which waits behind it, is not lost.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := kernel.ScriptedSlow(t.Context(), t, kerneltest.New(kerneltest.NoWelcome), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		slow := &testKernel{Kernel: k, t: t}
		if result, output := slow.run(string(kerneltest.ReplyFirst)); result.OutputLost || result.Outcome != kernel.OutcomeOK || output != "reply first\n" {
			t.Errorf("%+v, output %q", result, output)
		}
	})
}
