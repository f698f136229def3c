package kernel_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
)

// await waits until an execution's output is as wanted, or its question asked.
func (k *testKernel) await(e *kernel.Execution, what string, ready func() bool) {
	k.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		changed := e.Changed() // before looking, so that no change is missed
		if ready() {
			return
		}
		select {
		case <-changed:
		case <-limit:
			k.t.Fatalf("%s: %s did not come; output %q", e.ID(), what, k.output(e))
		}
	}
}

func (k *testKernel) awaitOutput(e *kernel.Execution, want string) {
	k.t.Helper()
	k.await(e, want, func() bool { return strings.Contains(k.output(e), want) })
}

// TestInterruptedCode is about code that meets an interrupt in its own way.
func TestInterruptedCode(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, python string) {
		k := start(t, newHost(t), python)
		k.run("x = 41; import time, re, signal, subprocess")
		for _, test := range []struct {
			number     int
			name, code string
			outcome    kernel.Outcome
			output     string // a regular expression
			// delay lets code get into a call during which it can tell nothing.
			delay time.Duration
		}{
			{103, "caught", "try: print('in', flush=True); time.sleep(100)\nexcept KeyboardInterrupt: print('caught')\n7", kernel.OutcomeOK, "in\ncaught\n<execute_result 7>", 0},
			{104, "swallowed once", "try: print('in', flush=True); time.sleep(100)\nexcept BaseException: pass\ntime.sleep(100)", kernel.OutcomeInterrupted, "in\n<error KeyboardInterrupt: >", 0},
			{105, "signal ignored", "signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('in', flush=True)\ntime.sleep(1)\nprint('through')", kernel.OutcomeOK, "in\nthrough\n", 0},
			{106, "one C call", "print('in', flush=True); time.sleep(.2)\nsum(range(3 * 10**7))", kernel.OutcomeInterrupted, "in\n<error KeyboardInterrupt: >", 500 * time.Millisecond},
			{107, "regular expression", "print('in', flush=True); time.sleep(.2)\nre.match(r'(a+)+$', 'a' * 40 + 'b')", kernel.OutcomeInterrupted, "in\n<error KeyboardInterrupt: >", 500 * time.Millisecond},
			{108, "shell command", "print('in', flush=True)\n!echo up; sleep 100", kernel.OutcomeOK, `in\nup\r?\n\^C(\r?\n)?`, 0},
			{115, "once more while it is shown", "import os; tb = get_ipython().InteractiveTB\ndef once(*given, **named):\n    del tb.structured_traceback; os.kill(os.getpid(), signal.SIGINT); time.sleep(.1)\n    return tb.structured_traceback(*given, **named)\ntb.structured_traceback = once\nprint('in', flush=True); time.sleep(100)", kernel.OutcomeInterrupted, "in\n<error KeyboardInterrupt: >", 0},
			{109, "child process", "p = subprocess.Popen(['sleep', '100'])\nprint('in', flush=True)\np.wait()", kernel.OutcomeInterrupted, "in\n<error KeyboardInterrupt: >", 0},
		} {
			t.Run(fmt.Sprintf("%d %s", test.number, test.name), func(t *testing.T) {
				k := &testKernel{Kernel: k.Kernel, t: t, n: 1000 * test.number}
				e := k.send(test.code)
				if test.name == "shell command" {
					k.awaitOutput(e, "up")
				}
				k.awaitOutput(e, "in\n")
				<-time.After(test.delay)
				stopped, err := k.Interrupt(t.Context())
				if !stopped || err != nil {
					t.Fatalf("stopped=%t, %v", stopped, err)
				}
				output := k.output(e)
				if r := e.Result(); !r.Interrupted || r.Outcome != test.outcome || !regexp.MustCompile("(?s)^("+test.output+")$").MatchString(output) {
					t.Errorf("%s %s, output %q, want %s", r.Outcome, r.Ename, output, test.outcome)
				}
				if _, output := k.run("x"); output != "<execute_result 41>" {
					t.Errorf("afterwards x is %q", output)
				}
			})
		}
		// Python loses the exit status when the signal comes as the child ends.
		if _, output := k.run("p.wait(5) is not None"); output != "<execute_result True>" {
			t.Errorf("the child process of the interrupted cell: %s", output)
		}
	})
}

// TestAnswers is about input() on a real kernel.
func TestAnswers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, python string) {
		k := start(t, newHost(t), python)
		for _, test := range []struct {
			number     int
			name, code string
			answers    []string
			password   bool
			outcome    kernel.Outcome
			output     string
		}{
			{110, "two questions", "x = input('q') + input('r')\nx * 2", []string{"ab", "ü"}, false, kernel.OutcomeOK, "<input_request q><input_request r><execute_result 'abüabü'>"},
			{111, "password", "import getpass\nlen(getpass.getpass('pw '))", []string{"secret"}, true, kernel.OutcomeOK, "<input_request pw ><execute_result 6>"},
			{112, "end of file", "input()", []string{"\x04"}, false, kernel.OutcomeError, "<input_request ><error EOFError: >"},
			{113, "debugger", "import pdb\ny = 5\npdb.set_trace()\nz = y", []string{"p y", "c"}, false, kernel.OutcomeOK, ".*5\n.*"},
			{114, "interrupted", "input('q')", nil, false, kernel.OutcomeInterrupted, "<input_request q><error KeyboardInterrupt: (Interrupted by user)?>"},
		} {
			t.Run(fmt.Sprintf("%d %s", test.number, test.name), func(t *testing.T) {
				k := &testKernel{Kernel: k.Kernel, t: t, n: 1000 * test.number}
				e, err := k.Execute(kernel.Request{ID: test.name, Code: test.code, AllowInput: true})
				if err != nil {
					t.Fatal(err)
				}
				for _, answer := range test.answers {
					k.await(e, "a question", func() bool { return e.Waiting() != nil })
					if p := e.Waiting(); p.Password != test.password {
						t.Errorf("%+v", p)
					}
					if err := e.Answer(answer); err != nil {
						t.Fatal(err)
					}
				}
				if test.answers == nil {
					k.await(e, "a question", func() bool { return e.Waiting() != nil })
					if stopped, err := k.Interrupt(t.Context()); !stopped || err != nil {
						t.Fatalf("stopped=%t, %v", stopped, err)
					}
				}
				r, output := ended(t, e), k.output(e)
				if r.Outcome != test.outcome || !regexp.MustCompile("(?s)^("+test.output+")$").MatchString(output) {
					t.Errorf("%s %s, output %q", r.Outcome, r.Ename, output)
				}
				if strings.Contains(output, "secret") {
					t.Error("the password is in the record")
				}
				if _, output := k.run("1+1"); output != "<execute_result 2>" {
					t.Errorf("afterwards 1+1 is %q", output)
				}
			})
		}
	})
}

// TestLateOutput: what comes after the end of a cell is not lost, and belongs
// to an execution.
func TestLateOutput(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, python string) {
		k := start(t, newHost(t), python)
		k.run("import threading, time, os, sys, asyncio, subprocess")
		t.Run("120 thread", func(t *testing.T) {
			k := &testKernel{Kernel: k.Kernel, t: t, n: 120_000}
			e := k.send("def late():\n    time.sleep(.5); print('late')\nthreading.Thread(target=late).start()")
			ended(t, e)
			k.awaitOutput(e, "late\n")
		})
		// Which cell a thread's, a task's and a child's text belongs to is the
		// kernel's choice and differs between versions: none of it may be lost.
		for _, test := range []struct {
			number     int
			name, code string
		}{
			{121, "thread across cells", "def more():\n    for i in range(3): time.sleep(.2); print('T%d' % i)\nthreading.Thread(target=more).start()"},
			{122, "task across cells", "async def more():\n    for i in range(3): await asyncio.sleep(.2); print('T%d' % i)\nt = asyncio.ensure_future(more())"},
			{123, "child across cells", "p = subprocess.Popen(['sh', '-c', 'for i in 0 1 2; do sleep .2; echo T$i; done'])"},
		} {
			t.Run(fmt.Sprintf("%d %s", test.number, test.name), func(t *testing.T) {
				k := &testKernel{Kernel: k.Kernel, t: t, n: 1000 * test.number}
				all := []*kernel.Execution{k.send(test.code)}
				ended(t, all[0])
				for range 2 {
					e := k.send("await asyncio.sleep(.3)")
					ended(t, e)
					all = append(all, e)
				}
				text := func() string {
					var b strings.Builder
					for _, e := range all {
						b.WriteString(k.output(e))
					}
					return b.String()
				}
				limit := time.After(10 * time.Second)
				for {
					first, second, third := all[0].Changed(), all[1].Changed(), all[2].Changed()
					if strings.Count(text(), "\n") >= 3 { // a line may come in two pieces
						break
					}
					select {
					case <-first:
					case <-second:
					case <-third:
					case <-limit:
						t.Fatalf("only %q came", text())
					}
				}
				if got := text(); got != "T0\nT1\nT2\n" {
					t.Errorf("text %q", got)
				}
			})
		}
		t.Run("124 forked child falls out of the cell", func(t *testing.T) {
			k := &testKernel{Kernel: k.Kernel, t: t, n: 124_000}
			_, parent := k.run("os.getpid()")
			r, output := k.run("pid = os.fork()\nprint('child' if pid == 0 else 'parent', flush=True)\nif pid: time.sleep(4); print('end')")
			if r.Outcome != kernel.OutcomeOK || r.NoReply || !strings.Contains(output, "parent") || !strings.Contains(output, "child") || !strings.Contains(output, "end\n") {
				t.Errorf("%+v %q", r, output)
			}
			if _, output := k.run("os.getpid()"); output != parent {
				t.Errorf("the child answers: %s, not %s", output, parent)
			}
			// It ends as a script's child ends: by an error, which is shown, or with a status.
			// What it prints can come behind what the parent prints after its end.
			for code, wants := range map[string][]string{
				"raise RuntimeError('in it')": {"Traceback (most recent call last):\n", "raise RuntimeError('in it')\n", "RuntimeError: in it\n", "ended with 1\n"},
				"sys.exit(3)":                 {"ended with 3\n"},
				"sys.exit('words')":           {"words", "ended with 1\n"},
				"print('its own')":            {"its own", "ended with 0\n"},
			} {
				for _, first := range []string{"", "await asyncio.sleep(0)\n"} {
					r, output := k.run(first + "if (pid := os.fork()) == 0:\n    " + code + "\nelse:\n    print('ended with', os.WEXITSTATUS(os.waitpid(pid, 0)[1]))")
					for _, want := range wants {
						if r.Outcome != kernel.OutcomeOK || !strings.Contains(output, want) {
							t.Errorf("%s%s: %+v %q, without %q", first, code, r, output, want)
						}
					}
				}
			}
		})
	})
}
