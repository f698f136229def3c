package guard

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// family leaves a plain child, a child in a session of its own and a daemon
// that forked twice, says so by making the file argv[1], and is busy.
const family = `
import itertools, os, subprocess, sys
subprocess.Popen(["sleep", "1000"])
subprocess.Popen(["sleep", "1000"], start_new_session=True)
pid = os.fork()
if pid == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execvp("sleep", ["sleep", "1000"])
os.waitpid(pid, 0)
open(sys.argv[1], "w").close()
`

const (
	busyLoop = family + "while True: pass\n"
	busyInC  = family + "sum(itertools.repeat(0))\n" // holds the GIL for ever
	// familySize counts the guard, the kernel and its three.
	familySize = 5
)

func TestNothingLeftAfterKill(t *testing.T) { nothingLeftAfterKill(t, 5) }

// TestMatrixNothingLeftAfterKill has the number the promise was made for.
func TestMatrixNothingLeftAfterKill(t *testing.T) {
	testneeds.All(t)
	nothingLeftAfterKill(t, 30)
}

func nothingLeftAfterKill(t *testing.T, repeats int) {
	for _, victim := range []string{"server", "guard"} {
		for busy, script := range map[string]string{"loop": busyLoop, "in C": busyInC} {
			t.Run(victim+" killed, "+busy, func(t *testing.T) {
				var took []time.Duration
				for i := range repeats {
					took = append(took, killOnce(t, victim, script, i))
				}
				slices.Sort(took)
				t.Logf("kill to gone: median %v, max %v", took[len(took)/2], took[len(took)-1])
			})
		}
	}
}

// killOnce kills the victim of one family and returns how long the family
// lived on.
func killOnce(t *testing.T, victim, script string, i int) time.Duration {
	mark := newMark(t)
	ready := filepath.Join(t.TempDir(), fmt.Sprint("ready", i))
	s := startServer(t, mark, "kernel", pythonArgs(t, script, ready))
	pids := awaitMarked(t, mark, ready, familySize)
	pid := s.Process.Pid
	if victim == "guard" {
		pid = s.guardPid
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	took := awaitGone(t, mark, pids)
	if victim == "guard" {
		if line, _ := s.out.ReadString('\n'); line != "guard process lost\n" {
			t.Errorf("server says %q", line)
		}
	}
	return took
}

// What a helper leaves goes with the server too, though nothing waits for it.
func TestHelperGoesWithServer(t *testing.T) {
	mark := newMark(t)
	ready := filepath.Join(t.TempDir(), "ready")
	s := startServer(t, mark, "helper", pythonArgs(t, busyInC, ready))
	pids := awaitMarked(t, mark, ready, familySize)
	s.Process.Kill()
	awaitGone(t, mark, pids)
}

// A kernel that ends leaves no child running, however it ends.
func TestNothingLeftAfterKernel(t *testing.T) {
	for name, end := range map[string]string{
		"exit":      "os._exit(3)\n",
		"SIGKILL":   "os.kill(os.getpid(), 9)\n",
		"exception": "raise SystemExit\n",
	} {
		t.Run(name, func(t *testing.T) {
			mark := newMark(t)
			t.Setenv("MARK", mark)
			p := startKernel(t, pythonArgs(t, family+end, filepath.Join(t.TempDir(), "ready"))...)
			<-p.Done()
			eventually(t, time.Second, "everything gone", func() bool { return len(marked(t, mark)) == 0 })
		})
	}
}

// A lost guard's orphans are swept, another session's kernel is not.
func TestGuardLostSparesOthers(t *testing.T) {
	reaper := newTestReaper(t)
	var ps [2]*Process
	for i := range ps {
		p, err := Start(context.Background(), Spec{Argv: sh("while :; do sleep 0.01; done")}, reaper)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ps[i] = p
	}
	syscall.Kill(ps[0].GuardPid(), syscall.SIGKILL)
	<-ps[0].Done()
	if e := ps[0].Exit(); !e.GuardLost || e.Killed || e.Code != -1 {
		t.Errorf("exit is %+v", e)
	}
	if err := ps[0].Interrupt(); err == nil {
		t.Error("interrupting a lost kernel is no error")
	}
	if err := reaper.Sweep(); err != nil {
		t.Error(err)
	}
	select {
	case <-ps[1].Done():
		t.Errorf("the other kernel ended: %v", ps[1].Exit())
	default:
	}
}

// A guard that does not react is killed, and its tree with it.
func TestCloseStoppedGuard(t *testing.T) {
	mark := newMark(t)
	t.Setenv("MARK", mark)
	ready := filepath.Join(t.TempDir(), "ready")
	p := startKernel(t, pythonArgs(t, busyLoop, ready)...)
	eventually(t, 20*time.Second, "family complete", func() bool { return exists(ready) })
	syscall.Kill(p.GuardPid(), syscall.SIGSTOP)
	start := time.Now()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > closeGrace+killGrace+10*time.Second {
		t.Errorf("Close took %v", took)
	}
	if left := marked(t, mark); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRunCancel(t *testing.T) {
	for name, script := range map[string]string{
		"obeys SIGTERM":   busyLoop,
		"ignores SIGTERM": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + busyLoop,
	} {
		t.Run(name, func(t *testing.T) {
			mark := newMark(t)
			ready := filepath.Join(t.TempDir(), "ready")
			argv := pythonArgs(t, script, ready)
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Env = append(cmd.Environ(), "MARK="+mark)
			reaper := newTestReaper(t)
			ctx, cancel := context.WithCancelCause(context.Background())
			why := errors.New("enough")
			result := make(chan error)
			go func() { result <- reaper.Run(ctx, cmd) }()
			eventually(t, 20*time.Second, "family complete", func() bool { return exists(ready) })
			start := time.Now()
			cancel(why)
			if err := <-result; !errors.Is(err, why) {
				t.Errorf("Run returns %v", err)
			}
			if took := time.Since(start); took > termGrace+10*time.Second {
				t.Errorf("Run took %v after the cancel", took)
			} else {
				t.Logf("cancel to return: %v", took)
			}
			if left := marked(t, mark); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}
