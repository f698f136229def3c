package guard

import (
	"fmt"
	"os/exec"
	"sync"
	"time"
)

const sweepBudget = 2 * time.Second

// Reaper knows every child process this process started, and so which of its
// children are strangers: orphans of a guard that was killed, which the system
// gave to us because we are a subreaper. There is one in a process, and every
// child of that process must be started through it: [Reaper.Sweep] kills the
// others. Its methods are safe for concurrent use.
type Reaper struct {
	program program // of the guards

	mu       sync.Mutex // protects children, and holds back forks during a look
	children map[int]bool
}

// NewReaper makes this process a subreaper (Linux) and returns its Reaper. Guards
// are of the program that runs now, also when its file is replaced later.
func NewReaper() (*Reaper, error) {
	if err := becomeSubreaper(); err != nil {
		return nil, fmt.Errorf("becoming a subreaper: %w", err)
	}
	program, err := ownProgram()
	if err != nil {
		return nil, err
	}
	return &Reaper{program: program, children: map[int]bool{}}, nil
}

// Start starts cmd as [exec.Cmd.Start] does. Follow it by [Reaper.Wait].
func (r *Reaper) Start(cmd *exec.Cmd) error { return r.start(cmd, cmd.Start) }

// startGuard is Start with this program as what is started.
func (r *Reaper) startGuard(cmd *exec.Cmd) error {
	return r.start(cmd, func() error { return r.program.start(cmd) })
}

func (r *Reaper) start(cmd *exec.Cmd, start func() error) error {
	r.mu.Lock() // no look at our children between fork and entry
	defer r.mu.Unlock()
	err := start()
	if err == nil {
		r.children[cmd.Process.Pid] = true
	}
	return err
}

// Wait waits for cmd as [exec.Cmd.Wait] does. Call it instead of that, once.
func (r *Reaper) Wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	r.mu.Lock()
	delete(r.children, cmd.Process.Pid)
	r.mu.Unlock()
	return err
}

// Sweep kills and reaps every child of this process that was not started
// through r, and those that these leave behind, until there is none. An error
// means that some would not die within two seconds. Other systems than Linux
// give us no orphans; it does nothing there.
func (r *Reaper) Sweep() error {
	deadline := time.Now().Add(sweepBudget)
	for pause := time.Millisecond; ; pause = min(2*pause, 16*time.Millisecond) {
		r.mu.Lock()
		left := sweepOnce(r.children)
		r.mu.Unlock()
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("killing orphaned processes: %d left", left)
		}
		time.Sleep(pause)
	}
}
