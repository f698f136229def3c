package session

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
)

// errStopped is the cause of executions that a stopped session did not run.
var errStopped = errors.New("the session was stopped before it ran")

// Stop ends the session's kernel, with its variables, and cancels what waits.
// With restart the session stays and its next execution gets a new kernel;
// otherwise it is forgotten. It reports whether there was a kernel.
func (m *Manager) Stop(ctx context.Context, name string, restart bool) (hadKernel bool, err error) {
	s, err := m.Find(name)
	if err != nil {
		return false, err
	}
	hadKernel = s.stop(ctx)
	if !restart {
		m.mu.Lock()
		delete(m.sessions, s.name)
		m.mu.Unlock()
		s.close(ctx)
	}
	return hadKernel, nil
}

// end ends a session that is out of the list already.
func (m *Manager) end(s *Session) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	s.close(ctx)
}

// stop ends the kernel, and what it runs, and cancels what waits.
func (s *Session) stop(ctx context.Context) bool {
	s.mu.Lock()
	k, current := s.kernel, s.current
	s.kernel, s.loss, s.deaths = nil, nil, 0
	joined := k != nil && k.Info().Joined
	if current != nil {
		current.joined = current.joined || joined
		current.noteLocked(Stop{By: BySession})
	}
	for _, w := range s.queue.drain() {
		w.joined = joined
		w.noteLocked(Stop{By: BySession})
		w.finishLocked(OutcomeCancelled, errStopped)
	}
	s.mu.Unlock()
	if current != nil {
		current.cancel(errStopped)
	}
	if k == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	k.Shutdown(ctx)
	return true
}

// Kill ends the kernel that runs e, with all its variables: the last resort for
// code that cannot be interrupted. The session goes on with a new kernel. The error says
// why the kernel may still be there; one that somebody else has started is left alone.
func (s *Session) Kill(ctx context.Context, e *Execution) error {
	s.mu.Lock()
	k := e.kernel
	if k != nil && k.Info().Joined {
		s.mu.Unlock()
		return gateway.ErrNotOurs
	}
	e.noteLocked(Stop{By: ByForce})
	s.mu.Unlock()
	var err error
	if k == nil {
		e.cancel(errCancelled)
	} else {
		err = k.Kill()
	}
	select {
	case <-e.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaths = 0 // this end was wanted: it says nothing against another kernel
	return err
}

// Progress is what is told of a run under way.
type Progress struct {
	State    State
	Activity string
	Elapsed  time.Duration
	LastLine string // of the output
	Memory   int64  // of the kernel and everything it started, bytes; 0 unknown
	// Cell of Cells is what of a notebook runs, 0 when it is none; see [Cells].
	Cell, Cells int
}

// Progress tells how far the execution is, without reading its output.
func (e *Execution) Progress() Progress {
	s := e.session
	s.mu.Lock()
	p := Progress{State: e.state, Activity: e.activity, Elapsed: time.Since(e.asked)}
	if e.book != nil {
		p.Cell, p.Cells = e.book.Number, e.book.Total
	}
	k, running := e.kernel, e.running
	s.mu.Unlock()
	if running != nil && k != nil {
		p.LastLine = running.LastLine()
		if usage, err := k.Usage(); err == nil {
			p.Memory = usage.Memory
		}
	}
	return p
}

// Summary is what a list of sessions tells of one. It is known without asking
// the kernel, which may be busy.
type Summary struct {
	Name        string
	State       string // "idle", "running", "preparing", "installing", "waiting for input", "no kernel"
	Environment string
	Python      string
	Generation  int
	PID         int
	Running     string        // id of what runs or is installed
	RunningFor  time.Duration // since it was asked for
	Queued      int
	Idle        time.Duration // since the last run ended, when nothing runs
	Usage       guard.Usage   // of the kernel and everything it started
	RecordDir   string
	// Sandbox is that of the kernel, where it is not the one that all have.
	Sandbox string
}

// Summary tells of the session.
func (s *Session) Summary() Summary {
	s.mu.Lock()
	sum := Summary{Name: s.name, State: "no kernel", Generation: s.generation, Queued: s.queue.len()}
	if s.env != nil {
		sum.Environment, sum.Python = s.env.Label(), s.env.Info.Version
	}
	k := s.kernel
	if k != nil {
		sum.State = "idle"
		info := k.Info()
		sum.PID, sum.RecordDir = info.PID, info.RecordDir
	}
	if e := cmp.Or(s.current, s.installing); e != nil {
		sum.State, sum.Running, sum.RunningFor = string(e.state), e.id, since(e.asked)
		if e.running != nil && e.running.Waiting() != nil {
			sum.State = string(StateWaiting)
		}
	} else {
		sum.Idle = since(s.usedLocked())
	}
	s.mu.Unlock()
	if k != nil && (s.manager.FollowsClient() || s.Outside()) {
		sum.Sandbox = s.Sandbox()
	}
	if k != nil {
		sum.Usage, _ = k.Usage() // without figures the rest is worth telling
	}
	return sum
}

// idleLimitNow is the idle limit in force.
func (m *Manager) idleLimitNow() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.idleLimit
}

// watchIdleLocked begins to count the idle time anew. The caller must hold s.mu.
func (s *Session) watchIdleLocked() {
	limit := s.manager.idleLimitNow()
	if limit <= 0 || s.closed {
		return
	}
	if s.idleTimer != nil {
		s.idleTimer.Stop()
	}
	s.idleTimer = time.AfterFunc(limit, s.expire)
}

// asideDoneLocked notes the end of work beside the queue, which keeps the kernel
// of a session as a run does. The caller must hold s.mu.
func (s *Session) asideDoneLocked() {
	s.aside--
	s.lastUsed = time.Now()
	s.watchIdleLocked()
}

// usedLocked is when the session was used last, by calls or by other clients of its
// kernel. The caller must hold s.mu.
func (s *Session) usedLocked() time.Time {
	if s.kernel != nil && s.kernel.OthersLast().After(s.lastUsed) {
		return s.kernel.OthersLast()
	}
	return s.lastUsed
}

// expire ends the kernel of a session that has been idle too long. It takes the
// kernel out of the session before it ends it, under the lock that also guards
// the queue: a kernel that was given work is never taken, and one that was taken
// is given none. The next call is told: it is not run, for it may count on the
// variables.
func (s *Session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.manager.idleLimitNow()
	busy := s.current != nil || s.queue.len() > 0 || s.aside > 0 // its end counts anew
	if limit <= 0 || s.closed || busy || s.kernel == nil {
		return
	}
	if left := limit - time.Since(s.usedLocked()); left > 0 {
		s.idleTimer.Stop()
		s.idleTimer = time.AfterFunc(left, s.expire)
		return
	}
	k := s.kernel
	s.kernel, s.deaths = nil, 0 // this end was wanted: it says nothing against another kernel
	s.loss = &Loss{Generation: s.generation, At: time.Now(), Idle: limit, Exit: &Exit{Lost: k.Lost()}}
	s.wg.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, stopTime)
		defer cancel()
		k.Shutdown(ctx)
	})
}
