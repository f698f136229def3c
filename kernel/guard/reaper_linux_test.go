package guard

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A sweep at any moment leaves alone what was started through the reaper.
func TestSweepSparesOwn(t *testing.T) {
	reaper := newTestReaper(t)
	// Where /proc is long a sweep takes a second, and 400 starts would wait for
	// as many: enough sweeps are enough.
	const enough = 50
	var sweeps atomic.Int32
	stop := make(chan struct{})
	var sweeper, starters sync.WaitGroup
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := reaper.Sweep(); err != nil {
					t.Error(err)
				}
				sweeps.Add(1)
			}
		}
	})
	for range 4 {
		starters.Go(func() {
			for i := 0; i < 100 && (i < 10 || sweeps.Load() < enough); i++ {
				cmd := exec.Command("/bin/sh", "-c", "exit 7")
				if err := reaper.Start(cmd); err != nil {
					t.Error(err)
					return
				}
				reaper.Wait(cmd)
				if code := cmd.ProcessState.ExitCode(); code != 7 {
					t.Errorf("ended with %v", cmd.ProcessState)
				}
			}
		})
	}
	starters.Wait()
	close(stop)
	sweeper.Wait()
}

// Sweep takes live orphans, their children and zombies.
func TestSweepKillsOrphans(t *testing.T) {
	mark := newMark(t)
	t.Setenv("MARK", mark)
	reaper := newTestReaper(t)
	cmd := exec.Command("/bin/sh", "-c", `
		(setsid sh -c 'setsid sleep 1000 & sleep 1000' &)
		(sh -c 'exit 0' &)`)
	if err := reaper.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := reaper.Wait(cmd); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "orphans up", func() bool { return len(marked(t, mark)) == 3 })
	if err := reaper.Sweep(); err != nil {
		t.Fatal(err)
	}
	if left := scanChildPids(); len(left) > 0 {
		t.Errorf("children left: %v", left)
	}
	if left := marked(t, mark); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRun(t *testing.T) {
	reaper := newTestReaper(t)
	mark := newMark(t)
	var out, errOut bytes.Buffer
	cmd := exec.Command("/bin/sh", sh(`cat; pwd; echo to stderr >&2; echo $MARK $JPY_PARENT_PID$MCE_GUARD; ls /proc/$$/fd
		setsid sleep 1000 & exit 3`)[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("to stdin\n"), &out, &errOut
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "MARK="+mark)
	err := reaper.Run(context.Background(), cmd)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("Run returns %v", err)
	}
	if want := "to stdin\n/\n" + mark + "\n0\n1\n2\n"; out.String() != want || errOut.String() != "to stderr\n" {
		t.Errorf("stdout %q, want %q; stderr %q", out.String(), want, errOut.String())
	}
	if left := marked(t, mark); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	if err := reaper.Run(context.Background(), exec.Command("true")); err != nil {
		t.Errorf("true: %v", err)
	}
	cmd = exec.Command("/bin/sh", "-c", "kill -9 $$")
	if reaper.Run(context.Background(), cmd); cmd.ProcessState.ExitCode() != 137 {
		t.Errorf("killed: %v", cmd.ProcessState)
	}
	for _, name := range []string{"/nonexistent/pip", "no-such-program-anywhere"} {
		err := reaper.Run(context.Background(), exec.Command(name))
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUsage(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	p := startKernel(t, pythonArgs(t, busyLoop, ready)...)
	eventually(t, 20*time.Second, "family complete", func() bool { return exists(ready) })
	var u Usage
	eventually(t, 10*time.Second, "CPU used", func() bool {
		var err error
		if u, err = p.Usage(); err != nil {
			t.Fatal(err)
		}
		return u.CPU >= 50*time.Millisecond && u.Processes == familySize
	})
	if u.Memory < 1<<20 || u.Memory > 1<<30 {
		t.Errorf("%+v", u)
	}
	t.Logf("%+v", u)
	p.Close()
	if _, err := p.Usage(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("after the end: %v", err)
	}
}

func TestChildPids(t *testing.T) {
	reaper := newTestReaper(t)
	cmd := exec.Command("/bin/sleep", "1000")
	if err := reaper.Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer reaper.Wait(cmd)
	defer cmd.Process.Kill()
	for name, list := range map[string]func() []int{"quick": childPids, "thorough": scanChildPids} {
		if got := list(); len(got) != 1 || got[0] != cmd.Process.Pid {
			t.Errorf("%s: %v, want %d", name, got, cmd.Process.Pid)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a) b)\n(c) S 7 12 12 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 99 4096 17 18446744073709551615 0"))
	f.Add([]byte("12 (sh) S 7"))
	f.Add([]byte(") ("))
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, ok := parseStat(line); !ok && s != (procStat{}) {
			t.Errorf("refused, but %+v", s)
		}
	})
}

func TestParseStat(t *testing.T) {
	line := "12 (a) b)\n(c) S 7 12 12 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 99 4096 17 18446744073709551615 0"
	got, ok := parseStat([]byte(line))
	if want := (procStat{pid: 12, ppid: 7, group: 12, ticks: 5 + 6 + 7 + 8, pages: 17}); !ok || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
