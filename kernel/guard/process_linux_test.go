package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

func TestExit(t *testing.T) {
	tests := []struct {
		script, want, out, err, log string
	}{
		{"exit 0", "exit code 0", "", "", ""},
		{"echo out; echo err >&2; echo log >&5; exit 3", "exit code 3", "out\n", "err\n", "log\n"},
		{"echo last words >&2; kill -ABRT $$", "signal 6 (SIGABRT)", "", "last words\n", ""},
		{"kill -SEGV $$", "signal 11 (SIGSEGV)", "", "", ""},
		{"kill -KILL $$", "signal 9 (SIGKILL)", "", "", ""}, // not by us: Killed is false
		{"kill -40 $$", "signal 40", "", "", ""},
		{"sleep 1000 & exit 4", "exit code 4", "", "", ""},                 // a child holds the pipe
		{"(sleep 0.01; exit 9) & wait; exit 5", "exit code 5", "", "", ""}, // only the kernel's counts
	}
	for _, tt := range tests {
		p, got := startWithOutput(t, "", sh(tt.script)...)
		<-p.Done()
		e := p.Exit()
		if e.String() != tt.want || string(e.Tail) != tt.log || e.Killed || e.GuardLost {
			t.Errorf("%s: %v, tail %q, %+v", tt.script, e, e.Tail, e)
		}
		if out, err := got.dead[1].String(), got.dead[2].String(); out != tt.out || err != tt.err {
			t.Errorf("%s: left %q and %q", tt.script, out, err)
		}
		if err := p.Interrupt(); !errors.Is(err, ErrExited) {
			t.Errorf("Interrupt after the end: %v", err)
		}
	}
}

func TestSignals(t *testing.T) {
	// The kernel passes only if its child got the SIGINT as well.
	const parent = `
import subprocess, sys, time
child = subprocess.Popen(["/bin/sh", "-c", "trap 'echo INT; exit' INT; echo; while :; do sleep 0.01; done"], stdout=subprocess.PIPE)
try:
    child.stdout.readline()
    open(sys.argv[1], "w").close()
    while True: time.sleep(0.01) # one long sleep can begin just after the signal
except KeyboardInterrupt:
    sys.exit(42 if b"INT" in child.stdout.read() else 1) # wait() can lose the code to a signal
`
	ready := filepath.Join(t.TempDir(), "ready")
	p := startKernel(t, pythonArgs(t, parent, ready)...)
	eventually(t, 20*time.Second, "child up", func() bool { return exists(ready) })
	if err := p.Interrupt(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if e := p.Exit(); e.Code != 42 || e.Killed {
		t.Errorf("interrupted: %v, tail %s", e, e.Tail)
	}

	p = startKernel(t, "/bin/sleep", "1000")
	p.Terminate()
	<-p.Done()
	if e := p.Exit(); e.Signal != syscall.SIGTERM || e.Killed {
		t.Errorf("terminated: %v", e)
	}

	p = startKernel(t, "/bin/sleep", "1000")
	p.Kill()
	<-p.Done()
	if e := p.Exit(); e.Signal != syscall.SIGKILL || !e.Killed {
		t.Errorf("killed: %v", e)
	}
}

func TestStartFails(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		spec Spec
		want error
	}{
		{"no such program", context.Background(), Spec{Argv: []string{"/nonexistent/python"}}, fs.ErrNotExist},
		{"not executable", context.Background(), Spec{Argv: []string{"/dev/null"}}, fs.ErrPermission},
		{"no such directory", context.Background(), Spec{Argv: sh("exit"), Dir: "/nonexistent"}, fs.ErrNotExist},
		{"canceled", canceled, Spec{Argv: sh("sleep 1000")}, nil}, // may win the race: then it runs
	}
	for _, tt := range tests {
		p, err := Start(tt.ctx, tt.spec, newTestReaper(t))
		if err == nil {
			p.Close()
		}
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	_, err := Start(context.Background(), Spec{Argv: []string{"/nonexistent/python"}}, newTestReaper(t))
	if want := "starting process: exec /nonexistent/python: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	// A guard that is none.
	reaper := newTestReaper(t)
	reaper.program = program{path: "/bin/true"}
	if _, err := Start(context.Background(), Spec{Argv: sh("exit")}, reaper); err == nil {
		t.Error("/bin/true is a guard")
	}
	// A binary that does not call Main must not start itself for ever.
	t.Setenv(guardEnv, "1")
	if _, err := Start(context.Background(), Spec{Argv: sh("exit")}, newTestReaper(t)); !errors.Is(err, errNoGuard) {
		t.Errorf("in a guard: %v", err)
	}
}

// A host can start the server with signals ignored or blocked and files open;
// Python would not raise KeyboardInterrupt then, and would keep the host's pipes
// open.
func TestKernelSurroundings(t *testing.T) {
	const script = `
echo guard=$PPID poller=$JPY_PARENT_PID marker=$MCE_GUARD
echo oom=$(cat /proc/self/oom_score_adj) core=$(ulimit -c)
echo pid=$$ pgrp=$(cut -d' ' -f5 /proc/$$/stat) session=$(cut -d' ' -f6 /proc/$$/stat)
ls /proc/$$/fd`
	const host = `
import os, signal, sys
for s in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(s, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
os.execv(sys.argv[1], sys.argv[1:])
`
	// Not by the shell, which unblocks signals itself.
	s := startServer(t, newMark(t), "kernel", []string{"/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"},
		pythonArgs(t, host)...)
	all, _ := io.ReadAll(s.out)
	// 32 and 33 belong to the C library, and make leaves them ignored.
	const libc = 1<<31 | 1<<32
	var exit int
	var blocked, ignored uint64
	n, err := fmt.Sscanf(string(all), "exit code %d\nSigBlk: %x\nSigIgn: %x\n", &exit, &blocked, &ignored)
	if n != 3 || exit != 0 || blocked != 0 || ignored&^libc != 0 {
		t.Errorf("%v:\n%s", err, all)
	}

	s = startServer(t, newMark(t), "kernel", sh(script), pythonArgs(t, host)...)
	all, _ = io.ReadAll(s.out)
	own, _ := os.ReadFile("/proc/self/oom_score_adj")
	var adj int
	fmt.Sscan(string(own), &adj)
	want := []string{
		"exit code 0\n",
		fmt.Sprintf("guard=%d poller=%d marker=\n", s.guardPid, s.guardPid),
		fmt.Sprintf("oom=%d core=0\n", min(adj+oomPenalty, 1000)),
		fmt.Sprintf("pid=%d pgrp=%d session=%d\n", s.kernelPid, s.kernelPid, s.kernelPid),
		"0\n1\n2\n3\n4\n5\n", // see Pipes
	}
	if got := string(all); got != strings.Join(want, "") {
		t.Errorf("got\n%swant\n%s", got, strings.Join(want, ""))
	}
}

// A kernel that reads nothing of its own loses nothing either.
func TestFlood(t *testing.T) {
	const lines = 1_000_000
	p, got := startWithOutput(t, "", pythonArgs(t, `
import sys
for n in range(0, 1_000_000, 10_000):
    sys.stdout.write("".join("%09d\n" % i for i in range(n, n + 10_000)))
`)...)
	select {
	case <-p.Done():
	case <-time.After(60 * time.Second):
		t.Fatal("the kernel hangs")
	}
	var want bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&want, "%09d\n", i)
	}
	all := append(got.alive[1].Bytes(), got.dead[1].Bytes()...)
	if e := p.Exit(); e.String() != "exit code 0" || !bytes.Equal(all, want.Bytes()) {
		t.Errorf("%v, %d bytes of %d", e, len(all), want.Len())
	}
}

// A child that fills the pipe for ever does not hold up the kernel's end.
func TestFloodByChild(t *testing.T) {
	// The pipes are full when the kernel ends.
	full := filepath.Join(t.TempDir(), "full")
	fill := "{ head -c 65536 /dev/zero; : >\"$1.%[1]d\"; exec yes; } >&%[1]d & "
	script := fmt.Sprintf(fill, 1) + fmt.Sprintf(fill, 2) + `until [ -e "$1.1" ] && [ -e "$1.2" ]; do sleep 0.01; done; exit 6`
	p, got := startWithOutput(t, "", sh(script, full)...)
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("no report")
	}
	e, out, err := p.Exit(), got.dead[1].Len(), got.dead[2].Len()
	if e.Code != 6 || out < readSize || out > largestPipe+readSize || err < readSize || err > largestPipe+readSize {
		t.Errorf("%v, %d and %d bytes", e, out, err)
	}
}

// The guard reads for a kernel that stands still while its pipe is full, and for
// no other.
func TestStall(t *testing.T) {
	const fill = `
import os, select, sys, threading, time
def read(n):
    while n > 0:
        select.select([3], [], [])
        n -= len(os.read(3, 1 << 20))
def move():
    os.pwrite(file, os.urandom(8), int(sys.argv[2]))
def drained():
    while select.select([3], [], [], 0)[0]: time.sleep(0.01)
file = os.open(sys.argv[1], os.O_WRONLY)
`
	tests := []struct {
		name, script string
		alive, dead  int
	}{
		{"full and still", "os.write(1, b'x' * 1_000_000); drained()", 1_000_000, 0},
		{"full and moving", `
writer = threading.Thread(target=os.write, args=(1, b'x' * 1_000_000))
writer.start()
for _ in range(30):
    time.sleep(0.05); move()
read(1_000_000)`, 0, 0},
		{"not full", "os.write(1, b'x' * 30_000); time.sleep(1)", 0, 30_000},
		{"made blocking", "os.set_blocking(3, True); os.write(1, b'x' * 1_000_000); drained()", 1_000_000, 0},
		{"moves again", `
writer = threading.Thread(target=os.write, args=(1, b'x' * 500_000))
writer.start(); writer.join(); drained()
move()
time.sleep(0.3)
os.write(1, b'x' * 60_000); read(60_000)`, 500_000, 0},
	}
	for _, tt := range tests {
		for _, at := range moves {
			t.Run(fmt.Sprint(tt.name, " ", at), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "progress")
				if err := os.WriteFile(file, make([]byte, 128<<10), 0o600); err != nil {
					t.Fatal(err)
				}
				p, got := startWithOutput(t, file, pythonArgs(t, fill+tt.script, file, fmt.Sprint(at))...)
				select {
				case <-p.Done():
				case <-time.After(60 * time.Second):
					t.Fatal("the kernel hangs")
				}
				alive, dead := got.alive[1].Len(), got.dead[1].Len()
				if e := p.Exit(); e.Code != 0 || alive != tt.alive || dead != tt.dead {
					t.Errorf("%v: %d bytes while it lived, %d afterwards; want %d and %d", e, alive, dead, tt.alive, tt.dead)
				}
			})
		}
	}
}

// TestCloseIsQuick: nothing is waited for that a kill does not end. A busy machine may
// take its time once, not each time.
func TestCloseIsQuick(t *testing.T) {
	shortest := time.Hour
	for range 5 {
		ready := filepath.Join(t.TempDir(), "ready")
		p := startKernel(t, pythonArgs(t, busyInC, ready)...)
		eventually(t, 20*time.Second, "family complete", func() bool { return exists(ready) })
		start := time.Now()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		shortest = min(shortest, time.Since(start))
		if e := p.Exit(); e.Signal != syscall.SIGKILL || !e.Killed {
			t.Errorf("exit is %+v", e)
		}
	}
	if shortest > 300*time.Millisecond {
		t.Errorf("Close took %v", shortest)
	}
}

func TestMatrixNoLeaks(t *testing.T) {
	testneeds.All(t)
	reaper := newTestReaper(t)
	cycle := func() {
		p, err := Start(context.Background(), Spec{Argv: sh("sleep 1000 & wait")}, reaper)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		if err := reaper.Run(context.Background(), exec.Command("true")); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(context.Background(), Spec{Argv: []string{"/nonexistent"}}, reaper); err == nil {
			t.Fatal("started")
		}
	}
	cycle() // the runtime opens its own files once
	goroutines, fds := runtime.NumGoroutine(), openFiles(t)
	for range 50 {
		cycle()
	}
	eventually(t, time.Second, "goroutines as before", func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := openFiles(t); now > fds {
		t.Errorf("%d open files, %d before", now, fds)
	}
	if kids := scanChildPids(); len(kids) > 0 {
		t.Errorf("children left: %v", kids)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestRing(t *testing.T) {
	var r ring
	var want []byte
	for i := range 3 * RingSize / 1000 {
		chunk := bytes.Repeat([]byte{byte(i)}, 1000)
		want = append(want, chunk...)
		for len(chunk) > 0 {
			n, _ := r.fill(func(b []byte) (int, error) { return copy(b, chunk), nil })
			chunk = chunk[n:]
		}
		if got := r.bytes(); !bytes.Equal(got, want[max(0, len(want)-RingSize):]) {
			t.Fatalf("after %d bytes the ring holds %d others", len(want), len(got))
		}
	}
}
