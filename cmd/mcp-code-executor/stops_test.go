//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// headOf is the status line and the line under it: what every client shows.
func headOf(r result) string {
	lines := strings.SplitN(r.text(), "\n", 3)
	return strings.Join(lines[:min(2, len(lines))], "\n")
}

// stubborn is code that makes something of its own of an interrupt.
var stubborn = []struct{ name, code, status string }{
	{"shell command", "!sleep 30; echo finished", "interrupted"},
	{"shell command assigned", "x = !sleep 30", "interrupted"},
	{"os.system", "import os; os.system('sleep 30')", "interrupted"},
	{"bash cell", "%%bash\nsleep 30", "error"},
	{"caught, goes on", "import time\ntry: time.sleep(30)\nexcept KeyboardInterrupt: print('caught')\n'done'", "interrupted"},
	{"except BaseException", "import subprocess\ntry: subprocess.run(['sleep', '30'])\nexcept BaseException: pass", "interrupted"},
	{"subprocess.run", "import subprocess; subprocess.run(['sleep', '30'])", "interrupted"},
	{"loop that breaks", "import time\nfor i in range(300):\n    try: time.sleep(0.1)\n    except KeyboardInterrupt: break", "interrupted"},
	{"another error", "import time\ntry: time.sleep(30)\nexcept KeyboardInterrupt: raise ValueError('mine')", "error ValueError"},
	{"cancelled await", "import asyncio\ntry: await asyncio.sleep(30)\nexcept BaseException: pass", "interrupted"},
	{"own handler", "import signal, time\nold = signal.signal(signal.SIGINT, lambda *a: None)\nuntil = time.time() + 2\nwhile time.time() < until: pass\nsignal.signal(signal.SIGINT, old)", "interrupted"},
	{"question", "try: input('? ')\nexcept KeyboardInterrupt: print('no answer')", "interrupted"},
	{"ends the kernel", "import os, time\ntry: time.sleep(30)\nexcept KeyboardInterrupt: os._exit(3)", "died"},
}

// TestKernelsStopsAreTold: whatever code makes of an interrupt, the status or the line
// under it says what struck and when.
func TestKernelsStopsAreTold(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		for _, test := range stubborn {
			t.Run(test.name, func(t *testing.T) {
				r := p.call("execute_code", args{"code": test.code, "timeout_seconds": 1})
				if strings.HasPrefix(r.text(), "[waiting for input | ") {
					r = p.call("get_execution", args{"id": r.field("id"), "wait_seconds": 0})
					for strings.HasPrefix(r.text(), "[waiting for input | ") || strings.HasPrefix(r.text(), "[running | ") { // until it has ended
						r = p.call("get_execution", args{"id": r.field("id"), "wait_seconds": 0.1})
					}
				}
				head := headOf(r)
				if test.status == "died" {
					head = r.text()
				}
				if !strings.HasPrefix(head, "["+test.status) || !strings.Contains(head, "limit timeout_seconds=1 struck after ") {
					t.Errorf("%s", r.text())
				}
			})
		}
		if onAttached(t) {
			return // that kernel has ended, and is not ours to start again
		}
		// A run that nothing struck says nothing of the kind.
		for code, status := range map[string]string{"1 + 1": "[ok | ", "raise KeyboardInterrupt": "[error KeyboardInterrupt | "} {
			if r := p.call("execute_code", args{"code": code, "timeout_seconds": 60}); !strings.HasPrefix(r.text(), status) || strings.Contains(r.text(), "struck") {
				t.Errorf("%s", r.text())
			}
		}
	})
}

// TestStoppersAreTold: the answers name who stopped a run: a call, the client, a
// change of the session; and the client's own clock, which stops nothing.
func TestStoppersAreTold(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	begun := 0
	// begin begins code, with a call that waits for it, and returns when it is in the
	// middle of what it makes of an interrupt.
	begin := func(code string) (request int, answer chan reply) {
		t.Helper()
		begun++
		mark := fmt.Sprintf("begun%d", begun)
		request, answer = p.begin("execute_code", args{"code": strings.ReplaceAll(code, "MARK", mark)})
		for deadline := time.Now().Add(time.Minute); ; pace(t, 20) { // polling, not ordering
			if _, err := os.Stat(filepath.Join(p.storage, mark)); err == nil {
				return request, answer
			}
			if time.Now().After(deadline) {
				t.Fatalf("it does not begin: %s", code)
			}
		}
	}
	const command = "import os; os.system('touch MARK; sleep 30')"
	told := func(what string, r result, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(r.text(), part) {
				t.Errorf("%s: %q is missing in\n%s", what, part, r.text())
			}
		}
	}

	_, answer := begin(command)
	told("the call's answer", p.call("interrupt_execution", nil), "[interrupted | ", "[interrupted: interrupt_execution interrupted it after ", "caught or ignored the interrupt", "variables are kept")
	told("the run's answer", p.await(answer, "interrupted").Result, "interrupt_execution interrupted it after ")

	request, _ := begin(command)
	p.notify("notifications/cancelled", map[string]any{"requestId": request, "reason": "AbortError: user-cancel"})
	told("after a cancel", p.call("get_execution", nil), "[interrupted | ", "the client cancelled its call after ", `("AbortError: user-cancel")`)

	request, _ = begin(command)
	p.notify("notifications/cancelled", map[string]any{"requestId": request, "reason": "Request timed out"})
	const clock = `("Request timed out"), which did not interrupt it`
	r := p.call("get_execution", args{"wait_seconds": 0.1})
	for n := 0; !strings.Contains(r.text(), clock) && n < 100; n++ { // the notification has no answer to wait for
		r = p.call("get_execution", args{"wait_seconds": 0.1})
	}
	told("after the client's clock", r, "[running | ", "the client stopped waiting for it after ", clock)
	told("and a call", p.call("interrupt_execution", nil), "interrupt_execution interrupted it")

	_, answer = begin(command)
	p.call("stop_session", args{"restart": true})
	told("stopped", p.await(answer, "stopped").Result, "stop_session ended its kernel after ", "are gone")

	_, answer = begin(command)
	p.call("configure_environment", args{"type": "venv", "venv_path": strings.TrimPrefix(inVenv(t)[1], "VENV_PATH="), "force": true})
	told("configured", p.await(answer, "configured").Result, "configure_environment ended its kernel after ", "are gone")

	begin("import time\nwhile True:\n    try:\n        open('MARK', 'w').close()\n        time.sleep(60)\n    except KeyboardInterrupt: pass")
	r = p.call("interrupt_execution", args{"force": true})
	told("killed", r, "[died | ", "interrupt_execution sent it an interrupt after ", "with force killed its kernel after ")
}

// TestKernelsQueuedBehindQuestion: a call to a session that asks is answered at once, not
// after its wait: nobody else can answer.
func TestKernelsQueuedBehindQuestion(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		asks := p.call("execute_code", args{"code": "name = input('your name? ')"}).field("id")
		// It would wait for an hour: that it is answered before send_input is the test.
		r := p.call("execute_code", args{"code": "ran = name", "wait_seconds": 3600})
		for _, want := range []string{"[queued | ", "[session waiting for input: ", `"your name? "`, "send_input id=" + asks, "interrupt_execution id=" + asks, "NOT run"} {
			if !strings.Contains(r.text(), want) {
				t.Errorf("%q is missing in\n%s", want, r.text())
			}
		}
		queued := r.field("id")
		if !strings.Contains(r.text(), "interrupt_execution id="+queued+" takes this code out of the queue") || strings.Contains(r.text(), "queued behind") {
			t.Errorf("how to take it out of the queue, and nothing else:\n%s", r.text())
		}
		if r := p.call("get_execution", args{"id": queued, "wait_seconds": 3600}); !strings.Contains(r.text(), "[session waiting for input: ") {
			t.Errorf("%s", r.text())
		}
		p.call("send_input", args{"text": "Ada", "id": asks})
		if r := p.call("get_execution", args{"id": queued}); !strings.HasPrefix(r.text(), "[ok | ") {
			t.Errorf("it did not run by itself: %s", r.text())
		}
		if r := p.run("ran"); !strings.HasSuffix(r.text(), ": 'Ada'") {
			t.Errorf("%s", r.text())
		}
		// The question comes while another call waits already, and two more behind it.
		p.run("1" + step)
		first := p.call("execute_code", args{"code": "step(1)\nimport getpass; getpass.getpass('secret? ')", "wait_seconds": 0})
		_, second := p.begin("execute_code", args{"code": "2", "wait_seconds": 3600})
		_, third := p.begin("execute_code", args{"code": "3", "wait_seconds": 3600})
		p.allow(1)
		for _, answer := range []chan reply{second, third} {
			r := p.await(answer, "queued before the question").Result
			if !strings.HasPrefix(r.text(), "[queued | ") || !strings.Contains(r.text(), `asks for a password: "secret? "`) {
				t.Errorf("%s", r.text())
			}
		}
		p.call("interrupt_execution", args{"id": first.field("id")})
	})
}

// TestQueuedBehind: what a run waits for is told: its first line, since when, how
// to stop it, and that the same code runs already.
func TestQueuedBehind(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	p.run("1" + step)
	const code = "\n# a comment\nimport time\nstep(1)  # " + "waits"
	first := p.call("execute_code", args{"code": code, "wait_seconds": 0}).field("id")
	other := p.call("execute_code", args{"code": "other = 1", "wait_seconds": 0})
	again := p.call("execute_code", args{"code": code + "\n", "wait_seconds": 0})
	third := p.call("execute_code", args{"code": "other = 1", "wait_seconds": 0})
	file := p.done("initialize_code_file", args{"content": "step(2)", "filename": "train.py"})["file_path"]
	script := p.call("execute_code_file", args{"file_path": file, "arguments": []string{"--epochs", "3"}, "wait_seconds": 0}).field("id")
	alone := p.done("initialize_code_file", args{"content": "print('begun', flush=True); input('alone? ')", "filename": "alone.py"})["file_path"]
	fresh := p.call("execute_code_file", args{"file_path": alone, "fresh": true, "wait_seconds": 100})
	if id := fresh.field("id"); !strings.Contains(fresh.text(), "interrupt_execution id="+id+" gives up") || !strings.Contains(p.call("list_sessions", nil).text(), "\ndefault (fresh kernel) | waiting for input | id="+id) {
		t.Errorf("%s\n%s", fresh.text(), p.call("list_sessions", nil).text())
	}
	p.call("interrupt_execution", args{"id": fresh.field("id")})
	for _, c := range []struct {
		r          result
		want, miss string
	}{
		{other, `queued behind ` + first + `: "step(1)  # waits", `, "same code"},
		{other, "interrupt_execution id=" + first + " stops what runs", ""},
		{again, "the same code as that of " + first, ""},
		{third, "the same code as that of " + other.field("id"), ""},
	} {
		if !strings.Contains(c.r.text(), c.want) || c.miss != "" && strings.Contains(c.r.text(), c.miss) {
			t.Errorf("%q is missing, or %q is not, in\n%s", c.want, c.miss, c.r.text())
		}
	}
	r := p.call("configure_environment", args{"type": "venv", "venv_path": "/nowhere"})
	refused(t, "configure_environment", r, first, "step(1)  # waits", "interrupt_execution id="+first)
	p.allow(1)
	if r := p.call("get_execution", args{"id": third.field("id")}); !strings.HasPrefix(r.text(), "[ok | ") {
		t.Errorf("%s", r.text())
	}
	behind := p.call("execute_code", args{"code": "4", "wait_seconds": 0})
	if want := `queued behind ` + script + `: "train.py --epochs 3", `; !strings.Contains(behind.text(), want) {
		t.Errorf("%q is missing in\n%s", want, behind.text())
	}
	p.allow(2)
	if r := p.call("get_execution", args{"id": behind.field("id")}); !strings.HasPrefix(r.text(), "[ok | ") {
		t.Errorf("%s", r.text())
	}
}

// TestIdleLimitAtTheMoment: calls that come just as the limit strikes run, or are
// told that it struck; none loses its kernel under it.
func TestIdleLimitAtTheMoment(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, append(inVenv(t), "SESSION_IDLE_LIMIT=200ms")...)
	ran, struck := 0, 0
	for i := range repeats(t, 9) {
		r := p.call("execute_code", args{"code": "import time; time.sleep(0.001)"})
		switch {
		case strings.HasPrefix(r.text(), "[ok | "):
			ran++
		case strings.HasPrefix(r.text(), "[not run | ") && strings.Contains(r.text(), "had been idle for 200ms, its limit"):
			struck++
			continue
		default:
			t.Errorf("call %d: %s", i, r.text())
		}
		pace(t, 196+i%9) // around the limit
	}
	t.Logf("%d ran, %d were told of the limit", ran, struck)
	if ran == 0 {
		t.Error("none ran")
	}
}

// TestIdleLimitBesideRuns: looking at variables is use of a session.
func TestIdleLimitBesideRuns(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, append(inVenv(t), "SESSION_IDLE_LIMIT=2s")...)
	p.run("kept = 1")
	for range 12 {
		if r := p.call("inspect_variables", nil); r.IsError || !strings.Contains(r.text(), "kept") {
			t.Fatalf("%s", r.text())
		}
		pace(t, 300)
	}
	p.run("kept")
}

// pace lets so many milliseconds pass: a user's pace, not ordering.
func pace(t *testing.T, milliseconds int) {
	t.Helper()
	select {
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
	case <-t.Context().Done():
	}
}

// TestKernelsInterruptedBeforeQueued: the next in the queue takes the kernel as soon as a
// run is interrupted, which is no silence of the kernel's.
func TestKernelsInterruptedBeforeQueued(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		const code = "print('in', flush=True)\nwhile True: pass"
		var ids []string
		for range 6 {
			ids = append(ids, p.call("execute_code", args{"code": code, "wait_seconds": 0}).field("id"))
		}
		for _, id := range ids {
			for r := (result{}); !strings.Contains(r.text(), "\nin"); {
				r = p.call("get_execution", args{"id": id, "wait_seconds": 0.1, "since": 0})
			}
			r := p.call("interrupt_execution", args{"id": id})
			if !strings.HasPrefix(r.text(), "[interrupted | ") || strings.Contains(r.text(), "has not answered") {
				t.Errorf("%s", r.text())
			}
		}
	})
}
