package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// spares watches the spare kernels of a server.
type spares struct {
	*program
	t     *testing.T
	mark  string
	taken map[int]bool
}

// launchSpares starts a server that has spares.
func launchSpares(t *testing.T, mark string, settings ...string) *spares {
	t.Helper()
	settings = append(settings, "SPARE_KERNEL=on", "MCE_TEST_MARK="+mark, "COLOUR=red", "LOG_LEVEL=info") // a spare that was not taken: why
	return &spares{t: t, program: launch(t, append(inVenv(t), settings...)...), mark: mark, taken: map[int]bool{}}
}

// pids are those of the kernels that were started to wait, and not taken.
func (s *spares) pids() (all []int) {
	for pid, command := range marked(s.t, s.mark) {
		if strings.Contains(command, " --mce-sources=") && !strings.Contains(command, " guard ") && !s.taken[pid] {
			all = append(all, pid)
		}
	}
	return all
}

// ready waits until one is up: it has told what its start has read, is idle, and no
// longer gives way to others.
func (s *spares) ready() int {
	s.t.Helper()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) { // polls the process table
		for _, pid := range s.pids() {
			command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			_, rest, _ := strings.Cut(string(command), "--mce-sources=")
			file, _, _ := strings.Cut(rest, "\x00")
			_, told := os.Stat(file)
			_, starting := os.Stat(filepath.Join(filepath.Dir(file), "kernel.json"))
			attr, err := unix.SchedGetAttr(pid, 0)
			if told == nil && starting != nil && err == nil && attr.Policy == unix.SCHED_NORMAL {
				return pid
			}
		}
		if time.Since(begun) > time.Minute {
			s.t.Fatalf("no spare after a minute; processes: %v", marked(s.t, s.mark))
		}
	}
}

// look is code that tells what a session must not share with another one. It does not
// name os.environ: code that does gets no spare with libraries.
const look = `import os, sys
print(os.getpid(), os.getcwd(), os.getenv("COLOUR"), sys.prefix, "x" in globals(), len(In), len(Out))
x = 1`

// bottomLine is that of an answer, behind its notes.
func bottomLine(r result) string {
	text := strings.TrimSpace(r.text())
	return text[strings.LastIndex(text, "\n")+1:]
}

// check has the answer be of a kernel in which nothing has run.
func (s *spares) check(what string, r result, spare int) {
	s.t.Helper()
	s.checkIn(what, r, spare, pythons(s.t)[0])
}

// checkIn is check for a kernel of that Python's environment. It returns its process.
func (s *spares) checkIn(what string, r result, spare int, python string) int {
	s.t.Helper()
	pid, after, _ := strings.Cut(bottomLine(r), " ")
	if want := fmt.Sprintf("%s red %s False 2 0", s.storage, filepath.Dir(filepath.Dir(python))); after != want {
		s.t.Errorf("%s: %q, want %q in\n%s", what, after, want, r.text())
	}
	n, _ := strconv.Atoi(pid)
	if spare != 0 && n != spare {
		s.t.Errorf("%s: process %s, the spare was %d", what, pid, spare)
	}
	s.taken[n] = true
	return n
}

// TestSpare: every way in which a session gets a kernel takes the spare, finds nothing
// of another session's in it, and leaves nothing. TestMatrixSpareWays has most ways: each
// costs two starts with libraries.
func TestSpare(t *testing.T) {
	t.Parallel()
	takeSpares(t, "spare", "restart")
}

func TestMatrixSpareWays(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	takeSpares(t, "spareways", "new session", "fresh", "death", "another environment")
}

// takeSpares gets kernels in these ways from a server whose processes have that mark.
func takeSpares(t *testing.T, mark string, ways ...string) {
	t.Helper()
	s := launchSpares(t, mark)
	s.check("the first", s.run(look), 0)
	s.check("the second", s.call("execute_code", args{"session": "second", "code": look}), 0)
	for _, test := range []struct {
		name string
		do   func() result
	}{
		{"new session", func() result { return s.call("execute_code", args{"session": "third", "code": look}) }},
		{"restart", func() result {
			s.call("stop_session", args{"restart": true})
			return s.run(look)
		}},
		{"fresh", func() result {
			s.call("initialize_code_file", args{"filename": "look.py", "content": "In, Out = [0, 0], []\n" + look})
			return s.call("execute_code_file", args{"file_path": "look.py", "fresh": true})
		}},
		{"death", func() result {
			if r := s.call("execute_code", args{"code": "import os; os._exit(3)"}); !strings.HasPrefix(r.text(), "[died | ") {
				t.Errorf("%s", r.text())
			}
			return s.run(look)
		}},
	} {
		if !slices.Contains(ways, test.name) {
			continue
		}
		pid := s.ready()
		if list := s.call("list_sessions", nil).text(); strings.Contains(list, fmt.Sprintf("pid=%d", pid)) {
			t.Errorf("the spare is a session: %s", list)
		}
		s.check(test.name, test.do(), pid)
	}
	if slices.Contains(ways, "another environment") {
		pid := s.ready()
		other := filepath.Dir(filepath.Dir(pythons(t)[1]))
		s.call("configure_environment", args{"type": "venv", "venv_path": other})
		if r := s.run("import os, sys; print(os.getpid(), sys.prefix)"); !strings.HasSuffix(r.rest(), " "+other) || strings.Contains(r.rest(), fmt.Sprintf("%d ", pid)) {
			t.Errorf("in another environment: %s", r.text())
		}
	}
	s.stdin.Close()
	s.wait(10 * time.Second)
	nothingLeft(t, mark)
}

// TestMatrixSpare: restarts and deaths under load, with libraries imported ahead: no
// session has another's environment, variables, directory or state, and no kernel is left.
func TestMatrixSpare(t *testing.T) {
	testneeds.All(t)
	s := launchSpares(t, "spares")
	var load sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					n += len(strconv.Itoa(n))
				}
			}
		})
	}
	defer load.Wait()
	defer close(stop)
	look := look + "\nimport numpy"
	s.check("the first", s.run(look), 0)
	s.check("another", s.call("execute_code", args{"session": "another", "code": look}), 0)
	elsewhere := pythons(t)[len(pythons(t))-1]
	s.call("configure_environment", args{"session": "elsewhere", "type": "venv", "venv_path": filepath.Dir(filepath.Dir(elsewhere))})
	fromSpare := 0
	check := func(what string, waiting []int, r result, python string) {
		t.Helper()
		if pid := s.checkIn(what, r, 0, python); slices.Contains(waiting, pid) {
			fromSpare++
		}
	}
	for n := range repeats(t, 30) {
		if n%4 == 0 { // else it comes at any moment of a spare's start
			s.ready()
		}
		waiting := s.pids()
		s.call("stop_session", args{"restart": true})
		check("restart", waiting, s.run(look), pythons(t)[0])
		pid := kernelPID(t, s.program, "default")
		syscall.Kill(pid, syscall.SIGKILL)
		waiting = s.pids()
		r := s.call("execute_code", args{"code": look})
		for range 3 { // told, not run
			if strings.HasPrefix(r.text(), "[ok") {
				break
			}
			r = s.call("execute_code", args{"code": look})
		}
		check("death", waiting, r, pythons(t)[0])
		if n%5 == 2 { // the next spare is one of this environment, or about to be
			s.call("stop_session", args{"session": "elsewhere", "restart": true})
			check("elsewhere", s.pids(), s.call("execute_code", args{"session": "elsewhere", "code": look}), elsewhere)
		}
	}
	t.Logf("a spare was taken %d times", fromSpare)
	if fromSpare == 0 {
		t.Error("no spare was ever taken")
	}
	if running := guards(t, s.program); len(running) > 4 {
		t.Errorf("%d kernels of three sessions", len(running))
	}
	s.stdin.Close()
	s.wait(10 * time.Second)
	nothingLeft(t, "spares")
}

// TestMatrixSpareKept: of the clients of one background server each gets kernels with
// its own variables, though a spare has another's.
func TestMatrixSpareKept(t *testing.T) {
	testneeds.All(t)
	k := newKeeper(t, append(inVenv(t), "SPARE_KERNEL=on")...)
	s := &spares{program: k.client("COLOUR=red"), t: t, mark: k.mark, taken: map[int]bool{}}
	ask := func(p *program, session, colour string) int {
		t.Helper()
		r := p.call("execute_code", args{"session": session, "code": `import os; print(os.getpid(), os.environ["COLOUR"], len(In))`})
		var pid int
		var got string
		if _, err := fmt.Sscanf(bottomLine(r), "%d %s 2", &pid, &got); err != nil || got != colour {
			t.Errorf("%s of the %s client: %s", session, colour, r.text())
		}
		s.taken[pid] = true
		return pid
	}
	ask(s.program, "one", "red")
	ask(s.program, "two", "red")
	pid := s.ready()
	blue := k.client("COLOUR=blue")
	if ask(blue, "three", "blue") == pid {
		t.Error("a spare of another client's variables was handed over")
	}
	s.taken[pid] = true // it gives way to one of the newest start
	if next := s.ready(); ask(blue, "four", "blue") != next {
		t.Error("the spare is not that of the newest client")
	}
}
