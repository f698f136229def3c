package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// Kills share a home and a code storage, and homes the machine: most of a kill is waiting.
const (
	killsPerHome = 20
	homesAtOnce  = 4
)

// TestMatrixKills kills the server, the kernel or both at random instants while code
// runs and files are written: nothing that was acknowledged is lost, no file is torn,
// nothing runs twice, and the first answer afterwards is true. `make kills` has it kill
// 5,000 times (MCE_TEST_KILLS).
func TestMatrixKills(t *testing.T) {
	testneeds.All(t)
	kills := 20
	if s := os.Getenv("MCE_TEST_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	var sum crashes
	var begun atomic.Int64
	var homes sync.WaitGroup
	for range homesAtOnce {
		homes.Go(func() {
			for !t.Failed() {
				number := int(begun.Add(killsPerHome)) - killsPerHome
				if number >= kills {
					return
				}
				t.Run(fmt.Sprint(number), func(t *testing.T) {
					c := &crashes{t: t, settings: inVenv(t), storage: t.TempDir(), home: t.TempDir(), contents: map[string]string{}}
					defer sum.add(c)
					for range min(killsPerHome, kills-number) {
						c.kill()
					}
					c.end()
				})
			}
		})
	}
	homes.Wait()
	t.Logf("%d kills of servers (%d of them while the first run was prepared), %d of kernels, %d of both; %d runs acknowledged, %d cut off by a death, %d not run; %d files and %d appends acknowledged; told only in a later answer: %d",
		sum.servers, sum.early, sum.kernels, sum.boths, sum.acknowledged, sum.cutOff, sum.notRun, sum.files, sum.appends, sum.late)
}

// crashes is one code storage and what is known of it.
type crashes struct {
	t             *testing.T
	settings      []string
	home, storage string
	p             *program // nil when it was killed
	n             int      // of tokens, files and lines

	mu       sync.Mutex // protects the fields below
	runs     []*tokenRun
	contents map[string]string // of files that were asked for, by name
	saved    []string          // names of those acknowledged
	log      string            // what log.py holds
	line     string            // that is being appended

	late, servers, early, kernels, boths, acknowledged, cutOff, notRun, files, appends int
}

// tokenRun is code that writes its token into a file, and prints it.
type tokenRun struct {
	token, id, outcome string // id and outcome are "" without an answer
	pid                int
	server             int // counts servers
	lines              int // that it prints besides: a large piece of output
}

func (c *crashes) add(o *crashes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers, c.early, c.kernels, c.boths = c.servers+o.servers, c.early+o.early, c.kernels+o.kernels, c.boths+o.boths
	c.acknowledged, c.cutOff, c.notRun = c.acknowledged+o.acknowledged, c.cutOff+o.cutOff, c.notRun+o.notRun
	c.files, c.appends, c.late = c.files+o.files, c.appends+o.appends, c.late+o.late
}

// try is call with a server that may be killed meanwhile.
func (p *program) try(tool string, a args) (result, bool) {
	p.mu.Lock()
	p.next++
	answer := make(chan reply, 1)
	p.replies[p.next] = answer
	line, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": p.next, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": a}})
	_, err := p.stdin.Write(append(line, '\n'))
	p.mu.Unlock()
	if err != nil {
		return result{}, false
	}
	select {
	case r := <-answer:
		return r.Result, true
	case <-p.ended:
	}
	select {
	case r := <-answer: // it came before the end
		return r.Result, true
	default:
		return result{}, false
	}
}

// kill lets code run and files be written, kills at a random instant and judges.
func (c *crashes) kill() {
	if c.p == nil {
		c.p = launch(c.t, append(slices.Clone(c.settings), "HOME="+c.home, "CODE_STORAGE_DIR="+c.storage)...)
		c.judgeStart()
	}
	p := c.p
	var ready *tokenRun // a kernel is there
	moment := 150       // ms, in which the random instant lies
	if early := rand.IntN(4) == 0; !early {
		ready = c.run(p)
	} else if moment = 500; c.lastServer() != c.servers+c.boths {
		c.early++
	}
	stop := make(chan struct{})
	var work sync.WaitGroup
	each := func(do func(*program) bool) {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !do(p) {
					return
				}
			}
		})
	}
	each(func(p *program) bool { return c.run(p) != nil })
	each(c.write)
	each(c.append)
	time.Sleep(time.Duration(rand.IntN(moment)) * time.Millisecond) // the random instant
	what := rand.IntN(3)
	if ready == nil || ready.pid == 0 {
		what = 0
	}
	if what > 0 {
		syscall.Kill(ready.pid, syscall.SIGKILL)
	}
	if what != 1 {
		p.cmd.Process.Kill()
		<-p.ended
		p.cmd.Wait()
		c.p = nil
	} else {
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
	}
	close(stop)
	work.Wait()
	switch what {
	case 0:
		c.servers++
	case 1:
		c.kernels++
		if next := c.run(p); next != nil && next.outcome == "ok" && next.pid == ready.pid {
			c.t.Errorf("the kernel %d was killed and runs code", ready.pid)
		}
	case 2:
		c.boths++
	}
	c.judge()
}

// run runs code with a token; nil when the server has ended.
func (c *crashes) run(p *program) *tokenRun {
	c.mu.Lock()
	c.n++
	r := &tokenRun{token: fmt.Sprintf("token-%d.", c.n), server: c.servers + c.boths}
	if rand.IntN(4) == 0 {
		r.lines = 1 + rand.IntN(6000)
	}
	c.runs = append(c.runs, r)
	c.mu.Unlock()
	code := fmt.Sprintf("import os, time\nfd = os.open('ran.txt', os.O_WRONLY | os.O_APPEND | os.O_CREAT)\nos.write(fd, b'%s\\n'); os.close(fd)\ntime.sleep(%.3f)\nprint(('x' * 99 + '\\n') * %d, end='')\nprint('%s', os.getpid())",
		r.token, rand.Float64()/50, r.lines, r.token)
	answer, ok := p.try("execute_code", args{"code": code})
	if !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.id, r.outcome = answer.field("id"), strings.Trim(strings.SplitN(answer.status(), " | ", 2)[0], "[")
	before := c.before(r)
	switch r.outcome {
	case "ok":
		c.acknowledged++
		if _, pid, found := strings.Cut(answer.text(), r.token+" "); found {
			r.pid, _ = strconv.Atoi(strings.TrimSpace(strings.SplitN(pid, "\n", 2)[0]))
		}
		if r.pid == 0 || before != nil && before.outcome == "ok" && before.server == r.server && before.pid != r.pid {
			c.t.Errorf("after a run in the kernel %+v no answer has told its end: %s", before, answer.text())
		}
	case "died":
		c.cutOff++
	case "not run":
		c.notRun++
	default:
		c.t.Errorf("%s", answer.text())
	}
	return r
}

// lastServer is the number of the server that had the last run, -1 without one.
func (c *crashes) lastServer() int {
	if len(c.runs) == 0 {
		return -1
	}
	return c.runs[len(c.runs)-1].server
}

// before is the run before r.
func (c *crashes) before(r *tokenRun) *tokenRun {
	if i := slices.Index(c.runs, r); i > 0 {
		return c.runs[i-1]
	}
	return nil
}

// write makes a file.
func (c *crashes) write(p *program) bool {
	c.mu.Lock()
	c.n++
	name := fmt.Sprintf("file_%d.py", c.n)
	content := fmt.Sprintf("# %d\n%s", c.n, strings.Repeat("x = 1\n", rand.IntN(40_000)))
	c.contents[name] = content
	c.mu.Unlock()
	r, ok := p.try("initialize_code_file", args{"filename": name, "content": content})
	if !ok {
		return false
	}
	if r.IsError {
		c.t.Errorf("%s", r.text())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved = append(c.saved, name)
	c.files++
	return true
}

// append appends a line to log.py.
func (c *crashes) append(p *program) bool {
	c.mu.Lock()
	c.n++
	line := fmt.Sprintf("# %d %s\n", c.n, strings.Repeat("x", rand.IntN(100_000)))
	c.line = line
	first := c.log == ""
	c.mu.Unlock()
	tool, a := "append_to_code_file", args{"file_path": "log.py", "content": line}
	if first {
		tool, a = "initialize_code_file", args{"filename": "log.py", "content": line}
	}
	r, ok := p.try(tool, a)
	if !ok {
		return false
	}
	if r.IsError {
		c.t.Errorf("%s", r.text())
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log, c.line = c.log+line, ""
	c.appends++
	return true
}

// judge compares the files with what was acknowledged.
func (c *crashes) judge() {
	t := c.t
	read := func(name string) (string, bool) {
		b, err := os.ReadFile(filepath.Join(c.storage, name))
		return string(b), err == nil
	}
	for name, want := range c.contents {
		if got, there := read(name); there && got != want || !there && slices.Contains(c.saved, name) {
			t.Errorf("%s: there %t, %d bytes, want %d", name, there, len(got), len(want))
		}
	}
	c.contents, c.saved = map[string]string{}, nil // each is looked at after the kill that may have torn it
	if c.p == nil {
		// A part of an append may be there until the storage is opened.
	} else if got, _ := read("log.py"); got != c.log && got != c.log+c.line {
		t.Errorf("log.py has %d bytes, want %d and perhaps %d", len(got), len(c.log), len(c.line))
	} else {
		c.log, c.line = got, ""
	}
	ran, _ := read("ran.txt")
	for _, r := range c.runs {
		n := strings.Count(ran, r.token+"\n")
		if n > 1 || r.outcome == "ok" && n != 1 || r.outcome == "not run" && n != 0 {
			t.Errorf("%+v: it ran %d times", r, n)
		}
	}
}

var deadSession = regexp.MustCompile(`\[note: session default of the dead server:(?: was running (\S+) \(unknown: the server died during this run\);)?(?: lost: [^;]*;)? get_execution (?:id=(\S+) reads its run|reads its runs (\S+) to (\S+)), export_session`)

// judgeStart judges the first answer of a server after the death of the one before,
// and reads what is told in it.
func (c *crashes) judgeStart() {
	if len(c.runs) == 0 {
		return
	}
	t := c.t
	said := c.p.call("list_sessions", nil).text()
	atOnce := deadSession.MatchString(said)
	said += c.p.call("read_code_file", args{"file_path": "log.py", "limit": 1}).text()
	c.judge()
	last := c.runs[len(c.runs)-1] // the one under way, unless the kill came between two
	var acknowledged *tokenRun
	for _, run := range c.runs {
		if run.outcome == "ok" && run.server == last.server {
			acknowledged = run
		}
	}
	found := deadSession.FindAllStringSubmatch(said, -1)
	// A child that the dead server was about to start holds its lock for a moment more.
	if !atOnce && acknowledged != nil {
		c.late++
	}
	for deadline := time.Now().Add(10 * time.Second); len(found) == 0 && acknowledged != nil && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond) // polling, not ordering
		said += c.p.call("list_sessions", nil).text()
		found = deadSession.FindAllStringSubmatch(said, -1)
	}
	if acknowledged == nil && len(found) == 0 {
		return // it was killed before anything ran
	}
	if len(found) != 1 || !strings.Contains(said, "[note: the server was started anew") {
		t.Fatalf("after %+v, %d sessions of dead servers:\n%s", last, len(found), said)
	}
	running, newest := found[0][1], found[0][2]+found[0][4]
	told := c.p.call("get_execution", args{"id": newest})
	b, _ := os.ReadFile(filepath.Join(c.storage, "ran.txt"))
	cut := last.outcome == "" && strings.Contains(string(b), last.token+"\n")
	switch {
	case acknowledged != nil && number(newest) < number(acknowledged.id):
		t.Errorf("%s is acknowledged, and the newest is said to be %s", acknowledged.id, newest)
	case last.outcome == "" && last.id == "" && running != "":
		if running != newest || !strings.HasPrefix(told.text(), "[unknown | ") {
			t.Errorf("told as running: %s\n%s", said, told.text())
		}
	case running != "":
		t.Errorf("nothing was running: %+v\n%s", last, said)
	case cut && !strings.Contains(told.text(), last.token): // it ended, and its answer did not arrive
		t.Errorf("%+v ran, and the newest is %s", last, told.text())
	}
	c.judgeRecords()
}

func number(id string) int {
	_, n, _ := strings.Cut(id, "-")
	i, _ := strconv.Atoi(n)
	return i
}

// judgeRecords reads all runs of the server before by their ids.
func (c *crashes) judgeRecords() {
	last := c.runs[len(c.runs)-1].server
	for _, run := range c.runs {
		if run.server != last || run.outcome != "ok" {
			continue
		}
		r := c.p.call("get_execution", args{"id": run.id})
		if !strings.HasPrefix(r.text(), "[ok | ") || !strings.Contains(r.text(), fmt.Sprintf("\n%s %d", run.token, run.pid)) {
			c.t.Errorf("%+v: %s", run, r.text())
		}
		if run.lines == 0 {
			continue
		}
		r = c.p.call("get_execution", args{"id": run.id, "pattern": "^x{99}$"})
		if !strings.Contains(r.text(), fmt.Sprintf(" of %d in the log]", run.lines+1)) || !strings.Contains(r.text(), fmt.Sprintf(" %d line", run.lines)) {
			c.t.Errorf("%+v: %s", run, r.text())
		}
	}
}

// end judges the last kill.
func (c *crashes) end() {
	if c.p == nil {
		c.p = launch(c.t, append(slices.Clone(c.settings), "HOME="+c.home, "CODE_STORAGE_DIR="+c.storage)...)
		c.judgeStart()
	}
}
