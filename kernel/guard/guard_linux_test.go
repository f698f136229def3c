package guard

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/processtest"
)

// TestMain makes the test binary a guard or a server when it is asked to be.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "guard":
			syscall.Exit(Main(os.Args[2:])) // os.Exit sleeps for a second in a race build
		case "server":
			syscall.Exit(serverMain(os.Args[2], os.Args[3:]))
		}
	}
	os.Exit(m.Run())
}

// serverMain is a server with one kernel or, if mode is "helper", one helper.
// It prints the kernel's and the guard's id, later how the kernel ended, and
// ends with its stdin. Its TEST_MARK is passed on as MARK, which the server
// itself does not have.
func serverMain(mode string, argv []string) int {
	reaper, err := NewReaper()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	env := append(os.Environ(), "MARK="+os.Getenv("TEST_MARK"))
	if mode == "helper" {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = env
		go reaper.Run(context.Background(), cmd)
		fmt.Println(0, 0)
		io.Copy(io.Discard, os.Stdin)
		return 0
	}
	var said bytes.Buffer
	p, err := Start(context.Background(), Spec{Argv: argv, Env: env, Stderr: os.Stderr,
		Output: func(_ int, text []byte, _ bool) { said.Write(text) }}, reaper)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(p.Pid(), p.GuardPid())
	go func() {
		<-p.Done()
		fmt.Printf("%v\n%s", p.Exit(), &said)
		os.Stdout.Close()
	}()
	io.Copy(io.Discard, os.Stdin)
	p.Close()
	return 0
}

// server is a serverMain as a child of the test.
type server struct {
	*exec.Cmd
	out                 *bufio.Reader
	kernelPid, guardPid int
}

// startServer starts a server; the test's end ends it. wrap goes before its
// command line.
func startServer(t *testing.T, mark, mode string, argv []string, wrap ...string) *server {
	t.Helper()
	line := append(wrap, "/proc/self/exe", "server", mode)
	if len(wrap) > 0 {
		line[len(wrap)] = os.Args[0]
	}
	line = append(line, argv...)
	s := &server{Cmd: exec.Command(line[0], line[1:]...)}
	s.Env = append(os.Environ(), "TEST_MARK="+mark)
	s.Stderr = os.Stderr
	stdin, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); s.Wait() })
	s.out = bufio.NewReader(stdout)
	first, _ := s.out.ReadString('\n')
	if _, err := fmt.Sscan(first, &s.kernelPid, &s.guardPid); err != nil {
		t.Fatalf("server says %q", first)
	}
	return s
}

// newTestReaper is a Reaper of the test process. Everything the test starts
// meanwhile must go through it.
func newTestReaper(t *testing.T) *Reaper {
	t.Helper()
	r, err := NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// startKernel starts argv under a guard; the test's end closes it.
func startKernel(t *testing.T, argv ...string) *Process {
	t.Helper()
	p, _ := startWithOutput(t, "", argv...)
	return p
}

// handedOn is what a guard read of a kernel's streams 1 and 2. It may be looked
// at when the kernel is done.
type handedOn struct{ alive, dead [3]bytes.Buffer }

func startWithOutput(t *testing.T, progress string, argv ...string) (*Process, *handedOn) {
	t.Helper()
	got := &handedOn{}
	p, err := Start(context.Background(), Spec{
		Argv: argv, Env: os.Environ(), Stderr: os.Stderr, Progress: progress,
		Output: func(stream int, text []byte, dead bool) {
			if dead {
				got.dead[stream].Write(text)
			} else {
				got.alive[stream].Write(text)
			}
		},
	}, newTestReaper(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, got
}

// sh is the command line of a shell script.
func sh(script string, args ...string) []string {
	return append([]string{"/bin/sh", "-c", script, "sh"}, args...)
}

// python is the real interpreter behind the python3 of PATH, which may be a
// wrapper.
var python = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

func pythonArgs(t *testing.T, script string, args ...string) []string {
	t.Helper()
	exe, err := python()
	if err != nil {
		t.Fatalf("python3 is needed in PATH: %v", err)
	}
	return append([]string{exe, "-I", "-S", "-c", script}, args...)
}

// newMark is an environment entry's value no other process has.
func newMark(t *testing.T) string {
	return fmt.Sprintf("%s-%d-%d", strings.ReplaceAll(t.Name(), "/", "-"), os.Getpid(), time.Now().UnixNano())
}

// marked lists the processes with mark in their environment.
func marked(t *testing.T, mark string) []int {
	t.Helper()
	return slices.Collect(maps.Keys(processtest.Marked(t, "MARK="+mark)))
}

// awaitMarked waits until n processes have mark and the file ready is there.
func awaitMarked(t *testing.T, mark, ready string, n int) (pids []int) {
	t.Helper()
	eventually(t, 20*time.Second, "family complete", func() bool { return exists(ready) })
	eventually(t, 20*time.Second, "family complete", func() bool {
		pids = marked(t, mark)
		return len(pids) == n
	})
	return pids
}

// awaitGone waits until none of pids lives, and then looks for others with
// mark. It returns how long the first took: looking at all processes takes a
// busy machine longer than killing them.
func awaitGone(t *testing.T, mark string, pids []int) time.Duration {
	t.Helper()
	took := eventually(t, 10*time.Second, "everything gone", func() bool {
		return !slices.ContainsFunc(pids, func(pid int) bool { return processtest.Has(pid, "MARK="+mark) })
	})
	if left := marked(t, mark); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
	return took
}

// eventually polls until ok and returns how long it took. It fails after limit,
// not counting the time in which a busy machine did not let the test run: those
// it waits for do not run then either.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	const tick = time.Millisecond
	start := time.Now()
	for stalled := time.Duration(0); !ok(); {
		if time.Since(start)-stalled > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		asleep := time.Now()
		time.Sleep(tick)
		stalled += max(0, time.Since(asleep)-2*tick)
	}
	return time.Since(start)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
