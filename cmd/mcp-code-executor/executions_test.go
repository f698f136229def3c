package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// numbers are the lines "line N" of an answer, in order.
func numbers(r result) string {
	var b strings.Builder
	for _, m := range regexp.MustCompile(`(?m)line (\d+)$`).FindAllStringSubmatch(r.text(), -1) {
		b.WriteString(m[1] + " ")
	}
	return b.String()
}

func images(r result) (n int) {
	for _, c := range r.Content {
		if c.Type == "image" {
			n++
		}
	}
	return n
}

// step is code that goes on only when the file of that name appears, so that the
// test and not a clock decides what is printed between two answers.
const step = `
import os, time
def step(n):
    while not os.path.exists("go%d" % n): time.sleep(0.01)
`

// allow lets step n go on.
func (p *program) allow(n int) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.storage, fmt.Sprintf("go%d", n)), nil, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// until polls a run until its log has the text, without reading its output.
func (p *program) until(id, text string) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		r := p.call("get_execution", args{"id": id, "pattern": regexp.QuoteMeta(text)})
		if !strings.Contains(r.text(), "\n[output: 0 lines") {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%q does not come: %s", text, r.text())
		}
	}
}

// TestPoll: a long run polled three times: each answer has only what is new, with
// the images made meanwhile; what an answer had can be had again by its cursor.
func TestPoll(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	p.run("import matplotlib.pyplot as plt" + step)
	r := p.call("execute_code", args{"wait_seconds": 0.2, "code": `
print("line 1", flush=True)
step(1); print("line 2", flush=True); plt.plot([1, 2]); plt.show(); print("line 3", flush=True)
step(2); print("line 4", flush=True)
step(3); plt.plot([2, 1]); plt.show(); print("line 5", flush=True)
`})
	id := r.field("id")
	if !strings.HasPrefix(r.text(), "[running | ") || !strings.Contains(r.text(), "do not send the code again") {
		t.Fatalf("%s", r.text())
	}
	if numbers(r) == "" {
		p.until(id, "line 1")
		r = p.call("get_execution", args{"id": id, "wait_seconds": 0})
	}
	if numbers(r) != "1 " {
		t.Errorf("first: %s", r.text())
	}
	p.allow(1)
	p.until(id, "line 3")
	first := r.field("cursor")
	second := p.call("get_execution", args{"id": id, "wait_seconds": 0.1})
	if numbers(second) != "2 3 " || images(second) != 1 {
		t.Errorf("second, %d images: %s", images(second), second.text())
	}
	if r := p.call("get_execution", args{"id": id, "wait_seconds": 0}); !strings.Contains(r.text(), "[no new output]") || images(r) != 0 {
		t.Errorf("nothing new: %s", r.text())
	}
	p.allow(2)
	p.until(id, "line 4")
	if r := p.call("get_execution", args{"wait_seconds": 0.1}); numbers(r) != "4 " || images(r) != 0 || r.field("id") != id {
		t.Errorf("third, without an id: %s", r.text())
	}
	// The client threw the second answer away: with the cursor before it, it comes again.
	if r := p.call("get_execution", args{"id": id, "since": first, "wait_seconds": 0}); numbers(r) != "2 3 4 " || images(r) != 1 {
		t.Errorf("again since %s: %s", first, r.text())
	}
	p.allow(3)
	r = p.call("get_execution", args{"id": id})
	if !strings.HasPrefix(r.text(), "[ok | ") || numbers(r) != "5 " || images(r) != 1 {
		t.Errorf("the end, %d images: %s", images(r), r.text())
	}
	if r := p.call("get_execution", args{"id": id, "since": 0}); numbers(r) != "1 2 3 4 5 " || images(r) != 2 {
		t.Errorf("all of it, %d images: %s", images(r), r.text())
	}
	if r := p.call("get_execution", args{"id": "default"}); r.field("id") != id {
		t.Errorf("by the session's name: %s", r.text())
	}
}

// TestCancelledAnswer: a call that its client gave up moves no cursor: what it
// would have said is said by the next one, and the run went on.
func TestCancelledAnswer(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"McpError: MCP error -32001: Request timed out", ""} {
		p := launchRaced(t, inVenv(t)...)
		p.run("1" + step)
		call, _ := p.begin("execute_code", args{"code": "print('line 1', flush=True); step(1); print('line 2')"})
		for !strings.Contains(p.call("list_sessions", nil).text(), " | running | ") {
		}
		p.notify("notifications/cancelled", map[string]any{"requestId": call, "reason": reason})
		p.call("list_sessions", nil) // its answer proves that the cancel was read before the end
		p.allow(1)
		if r := p.call("get_execution", nil); numbers(r) != "1 2 " || !strings.HasPrefix(r.text(), "[ok | ") {
			t.Errorf("reason %q: %s", reason, r.text())
		}
	}
}

// TestUserCancel: a cancel that is no time-out stops the run.
func TestUserCancel(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	p.run("kept = 1")
	call, _ := p.begin("execute_code", args{"code": "while True: pass"})
	for !strings.Contains(p.call("list_sessions", nil).text(), " | running | ") {
	}
	p.notify("notifications/cancelled", map[string]any{"requestId": call, "reason": "AbortError: user-cancel"})
	if r := p.call("get_execution", nil); !strings.HasPrefix(r.text(), "[interrupted | ") {
		t.Errorf("%s", r.text())
	}
	p.run("kept")
}

// TestLog: a log of any size is read back by range, from its end and by pattern,
// also while the run goes on.
func TestLog(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("1" + step)
	r := p.call("execute_code", args{"wait_seconds": 0.1, "code": `
print("\n".join(f"line {i} {'x' * 40}" for i in range(1, 50_001)))
print("ERROR here")
step(1)
for i in range(100): print("more", i)
`})
	id := r.field("id")
	p.until(id, "ERROR here")
	var slowest time.Duration
	for _, test := range []struct {
		args  args
		parts []string
	}{
		{args{"lines": "25000-25002"}, []string{"25000: line 25000 x", "25001: line 25001 x", "25002: line 25002 x", "[output: 3 lines, of 50001 in the log]"}},
		{args{"lines": "50001-"}, []string{"50001: ERROR here", "[output: 1 line, of"}},
		{args{"lines": "7"}, []string{"7: line 7 x", "1 line,"}},
		{args{"lines": "-2"}, []string{"50000: line 50000", "50001: ERROR here", "2 lines"}},
		{args{"pattern": "(?i)error"}, []string{"50001: ERROR here", "[output: 1 line matches, of 50001"}},
		{args{"pattern": "line 4999[89] "}, []string{"49998: line 49998", "49999: line 49999", "2 lines match"}},
		{args{"pattern": "line", "lines": "-3"}, []string{"50000: line 50000"}},
		{args{"pattern": "nowhere"}, []string{"0 lines match"}},
		{args{"lines": "999999-"}, []string{"0 lines"}},
	} {
		test.args["id"] = id
		begun := time.Now()
		r := p.call("get_execution", test.args)
		took := time.Since(begun)
		slowest = max(slowest, took)
		if took > 20*time.Second {
			t.Errorf("%v took %s", test.args, took)
		}
		if r.IsError || !strings.HasPrefix(r.text(), "[running | ") {
			t.Errorf("%v: %s", test.args, r.text())
		}
		for _, part := range test.parts {
			if !strings.Contains(r.text(), part) {
				t.Errorf("%v: %q is missing in:\n%.3000s", test.args, part, r.text())
			}
		}
	}
	t.Logf("a log of 2.5 MB: the slowest answer took %s", slowest)
	// A pattern of the kind that takes a backtracking engine for ever.
	begun := time.Now()
	r = p.call("get_execution", args{"id": id, "pattern": `(x+x+)+y`})
	if took := time.Since(begun); r.IsError || took > 25*time.Second {
		t.Errorf("a slow pattern took %s: %.500s", took, r.text())
	} else {
		t.Logf("a slow pattern took %s", took)
	}
	p.allow(1)
	if r := p.call("get_execution", args{"id": id, "lines": "-1"}); r.IsError {
		t.Errorf("%s", r.text())
	}
	if r := p.call("get_execution", args{"id": id}); !strings.HasPrefix(r.text(), "[ok | ") || !strings.Contains(r.text(), "more 99") {
		t.Errorf("reading the log moved the cursor: %.300s", r.text())
	}

	// A line that is longer than an answer is read in parts that say how much is missing.
	id = p.run("print('first'); print('[' + ', '.join(map(str, range(20_000))) + ']'); print('\\0' * 30_000)").field("id")
	more := regexp.MustCompile(` \[cut: (\d+) bytes of this line; lines="(2:\d+)" reads on there\]$`)
	for whole, next := "", "2"; next != ""; {
		r := p.call("get_execution", args{"id": id, "lines": next})
		_, line, _ := strings.Cut(r.text(), "\n2: ")
		if len(whole) > 0 {
			_, line, _ = strings.Cut(line, fmt.Sprintf("[cut: %d bytes of this line] ", len(whole)))
		}
		m := more.FindStringSubmatch(line)
		if m == nil {
			if whole += line; !strings.HasSuffix(whole, "19998, 19999]") || len(whole) != 128_890 {
				t.Errorf("%d bytes, …%.100s", len(whole), whole[max(0, len(whole)-100):])
			}
			break
		}
		whole += strings.TrimSuffix(line, m[0])
		if missing := fmt.Sprint(128_890 - len(whole)); m[1] != missing {
			t.Fatalf("%s bytes are said to be missing, of %s", m[1], missing)
		}
		next = m[2]
	}
	has(t, p.call("get_execution", args{"id": id, "pattern": `^\x00`}), `3: \x00`, "[cut: 28000 bytes of this line; lines=\"3:2000\" reads on there]")
	has(t, p.call("get_execution", args{"id": id, "lines": "3"}), `3: \x00`, `bytes of this line; lines="3:`)
	has(t, p.call("get_execution", args{"id": id, "pattern": ", 9999,"}), "2: [cut: 58383 bytes of this line] 15, 9916, 9917,", " 9998, 9999, 10000,", `lines="2:60383" reads on`)
	has(t, p.call("get_execution", args{"id": id, "pattern": ", 19999"}), "0 lines match", "only the first 64 KiB of a line are searched: 1 line had more")
}

// TestQueue: calls of one session run in order; one that is cancelled while it
// waits never runs, whichever way; the queue has a limit that names what runs.
func TestQueue(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	p.run("order = []" + step)
	const calls = 100
	r := p.call("execute_code", args{"code": "step(1)", "wait_seconds": 0})
	id := r.field("id")
	ids, answers := make([]int, calls), make([]chan reply, calls)
	for i := range calls {
		ids[i], answers[i] = p.begin("execute_code", args{"code": fmt.Sprintf("order.append(%d)", i)})
	}
	const limit = 64
	var busy int
	for i := limit; i < calls; i++ { // these are answered at once
		r := p.await(answers[i], fmt.Sprint("call ", i)).Result
		refused(t, fmt.Sprint("call ", i), r, "busy", id, "64", "Nothing was queued", "interrupt_execution")
		busy++
	}
	queued := p.call("get_execution", args{"wait_seconds": 0})
	if !strings.HasPrefix(queued.text(), "[queued | ") || !strings.Contains(queued.text(), "queued behind "+id+": \"step(1)\", running for ") || !strings.Contains(queued.text(), "; then 63 more before this code.") {
		t.Errorf("the last in the queue: %s", queued.text())
	}
	if list := p.call("list_sessions", nil).text(); !strings.Contains(list, "64 queued") || !strings.Contains(list, "id="+id) {
		t.Errorf("list_sessions: %s", list)
	}
	// One is cancelled as a person cancels, one by its id.
	p.notify("notifications/cancelled", map[string]any{"requestId": ids[5], "reason": "AbortError: The operation was aborted"})
	last := queued.field("id")
	if r := p.call("interrupt_execution", args{"id": last}); !strings.HasPrefix(r.text(), "[cancelled | ") || !strings.Contains(r.text(), "nothing of this code was executed") {
		t.Errorf("the last: %s", r.text())
	}
	if r := p.await(answers[limit-1], "the last").Result; !strings.HasPrefix(r.text(), "[cancelled | ") {
		t.Errorf("the last's own answer: %s", r.text())
	}
	p.allow(1)
	var want []string
	for i := range limit - 1 {
		if i == 5 {
			continue
		}
		want = append(want, fmt.Sprint(i))
		if r := p.await(answers[i], fmt.Sprint("call ", i)).Result; !strings.HasPrefix(r.text(), "[ok | ") {
			t.Errorf("call %d: %s", i, r.text())
		}
	}
	if r := p.run("order"); !strings.HasSuffix(strings.Join(strings.Fields(r.rest()), " "), "["+strings.Join(want, ", ")+"]") {
		t.Errorf("order: %s", r.text())
	}
	t.Logf("%d calls waited and ran in order, %d were refused", limit, busy)
}

// TestMatrixBlockedSessions: runs that block in every session delay no other tool.
func TestMatrixBlockedSessions(t *testing.T) {
	testneeds.All(t)
	p := launchRaced(t, inVenv(t)...)
	const sessions, runs = 16, 20
	for i := range sessions {
		p.begin("execute_code", args{"code": "import time; time.sleep(1000)", "session": fmt.Sprint("s", i), "wait_seconds": 3000})
	}
	for deadline := time.Now().Add(100 * time.Second); ; {
		if n := strings.Count(p.call("list_sessions", nil).text(), " | running | "); n == sessions {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s", p.call("list_sessions", nil).text())
		}
		time.Sleep(50 * time.Millisecond) // 16 kernels start on few cores: polling, not ordering
	}
	for i := sessions; i < runs; i++ {
		p.begin("execute_code", args{"code": "1", "session": fmt.Sprint("s", i-sessions), "wait_seconds": 3000})
	}
	if r := p.call("execute_code", args{"code": "1", "session": "one too many"}); !r.IsError || !strings.Contains(r.text(), "16 sessions") || !strings.Contains(r.text(), "all are busy") {
		t.Errorf("a 17th session: %s", r.text())
	}
	var slowest time.Duration
	each := map[string]time.Duration{}
	for range 20 {
		for tool, a := range map[string]args{
			"list_sessions":        nil,
			"get_execution":        {"id": "s3", "wait_seconds": 0},
			"read_code_file":       {"filename": "none.py"},
			"interrupt_execution":  {"id": "zzzz-1"},
			"initialize_code_file": {"filename": "a.py", "content": "1"},
		} {
			begun := time.Now()
			p.call(tool, a)
			each[tool] = max(each[tool], time.Since(begun))
			slowest = max(slowest, each[tool])
		}
	}
	t.Logf("the slowest of the other tools took %s, wanted 50 ms; each at most %v", slowest, each)
	if slowest > 10*time.Second {
		t.Errorf("the slowest of the other tools took %s", slowest)
	}
}

// TestBadInput: what cannot be meant is refused with what to do, and changes
// nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	other := launchRaced(t, inVenv(t)...)
	id, foreign := p.run("x = model = 1").field("id"), other.run("1").field("id")
	for _, test := range []struct {
		name, tool string
		args       args
		parts      []string
	}{
		{"unknown id", "get_execution", args{"id": "zzzz-1"}, []string{"zzzz-1", "newest is " + id}},
		{"id of another server", "get_execution", args{"id": foreign}, []string{foreign, "newest is " + id}},
		{"id with blanks", "get_execution", args{"id": "no such thing"}, []string{"no such thing"}},
		{"input to nothing", "send_input", args{"text": "a"}, []string{"nothing was sent", "runs nothing"}},
		{"input to a finished run", "send_input", args{"text": "a", "id": id}, []string{"nothing was sent", id, "does not wait"}},
		{"input to an unknown id", "send_input", args{"text": "a", "id": "zzzz-1"}, []string{"zzzz-1"}},
		{"input of two lines", "send_input", args{"text": "a\nb"}, []string{`"text"`, "one line"}},
		{"input missing", "send_input", args{}, []string{`"text"`, "missing"}},
		{"input to an unknown session", "send_input", args{"text": "a", "session": "nobody"}, []string{"nobody", "default"}},
		{"unknown session", "stop_session", args{"session": "nobody"}, []string{"nobody", "open sessions: default"}},
		{"unknown session", "inspect_variables", args{"session": "nobody"}, []string{"nobody", "open sessions: default"}},
		{"unknown variable", "inspect_variables", args{"name": "y"}, []string{`"y"; it has: model, x`}},
		{"misspelled variable", "inspect_variables", args{"name": "Modl"}, []string{`"Modl"; did you mean "model"? It has: model, x`}},
		{"lines of words", "get_execution", args{"lines": "all"}, []string{`"lines"`, "100-200"}},
		{"lines backwards", "get_execution", args{"lines": "20-10"}, []string{`"lines"`, "100-200"}},
		{"line 0", "get_execution", args{"lines": "0"}, []string{`"lines"`}},
		{"lines too large", "get_execution", args{"lines": strings.Repeat("9", 40)}, []string{`"lines"`}},
		{"no regular expression", "get_execution", args{"pattern": "a(b"}, []string{`"pattern"`, "missing closing )"}},
		{"a lookahead", "get_execution", args{"pattern": "(?=a)"}, []string{`"pattern"`, "RE2"}},
		{"a pattern that explodes", "get_execution", args{"pattern": "((a{1000}){1000}){1000}"}, []string{`"pattern"`}},
		{"absurd cursor", "get_execution", args{"since": -7}, []string{`"since"`}},
		{"absurd wait", "get_execution", args{"wait_seconds": 1e99}, []string{`"wait_seconds"`, "0 to 3600"}},
		{"absurd timeout", "execute_code", args{"code": "x=2", "timeout_seconds": -1}, []string{`"timeout_seconds"`}},
		{"absurd generation", "execute_code", args{"code": "x=2", "expect_generation": 1.5}, []string{`"expect_generation"`}},
		{"generation of words", "execute_code", args{"code": "x=2", "expect_generation": "newest"}, []string{`"expect_generation"`}},
		{"force of words", "interrupt_execution", args{"force": "maybe"}, []string{`"force"`}},
	} {
		refused(t, test.name, p.call(test.tool, test.args), test.parts...)
	}
	if r := p.call("get_execution", args{"since": 1 << 50}); r.IsError || !strings.Contains(r.text(), "[no new output]") {
		t.Errorf("a cursor beyond the end: %s", r.text())
	}
	if r := p.run("x"); r.rest() != "Out[2]: 1" {
		t.Errorf("after the errors: %s", r.text())
	}
}

// TestEarlierGeneration: a run of a kernel that is gone can still be read, from
// its record, and takes no input and no interrupt.
func TestEarlierGeneration(t *testing.T) {
	t.Parallel()
	p := launchRaced(t, inVenv(t)...)
	id := p.run("for i in range(3): print('line', i)").field("id")
	p.call("stop_session", args{"restart": true})
	p.run("1")
	if r := p.call("get_execution", args{"id": id, "since": 0}); numbers(r) != "0 1 2 " || r.field("id") != id {
		t.Errorf("read again: %s", r.text())
	}
	if r := p.call("get_execution", args{"id": id, "lines": "2"}); !strings.Contains(r.text(), "2: line 1") {
		t.Errorf("read by line: %s", r.text())
	}
	refused(t, "input", p.call("send_input", args{"id": id, "text": "a"}), "nothing was sent", id)
	if r := p.call("interrupt_execution", args{"id": id, "force": true}); !strings.Contains(r.text(), "ended already") {
		t.Errorf("an interrupt: %s", r.text())
	}
	if r := p.run("2"); r.field("generation") != "2" {
		t.Errorf("%s", r.text())
	}
}

// TestKernelsLateOutput: what a thread prints after its run has ended stays with that
// run and is told with the session's next answer, once.
func TestKernelsLateOutput(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		p.run("1" + step)
		id := p.run("import threading\ndef late():\n    step(1); print('late words', flush=True); open('printed', 'w')\nthreading.Thread(target=late).start()").field("id")
		p.allow(1)
		p.until(id, "late words")
		r := p.run("'next'")
		if !strings.Contains(r.text(), "late output of "+id) || strings.Count(r.text(), "late words") != 1 {
			t.Errorf("the next answer: %s", r.text())
		}
		if r := p.run("'third'"); strings.Contains(r.text(), "late") {
			t.Errorf("told twice: %s", r.text())
		}
		if r := p.call("get_execution", args{"id": id, "since": 0}); !strings.Contains(r.text(), "late words") {
			t.Errorf("the run itself: %s", r.text())
		}
	})
}

// venvOf are the settings for the environment of that Python.
func venvOf(python string) []string {
	return []string{"ENV_TYPE=venv", "VENV_PATH=" + filepath.Dir(filepath.Dir(python))}
}

// eachKernel runs the test on the newest ipykernel. Its name begins with TestKernels:
// `make test-matrices` runs these again, on the old one.
func eachKernel(t *testing.T, test func(t *testing.T, p *program)) {
	t.Helper()
	if !strings.HasPrefix(t.Name(), "TestKernels") && siteOf(t) == nil && confinementOf(t) == nil {
		t.Error("the name of a test of kernels begins with TestKernels")
	}
	python := testneeds.Kernels(t)[0]
	if confinementOf(t) != nil {
		python = pythons(t)[0]
	}
	test(t, launchRaced(t, venvOf(python)...))
}
