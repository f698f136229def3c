package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// Stopper is who, or what, tried to end a run from outside.
type Stopper string

// Stoppers. The first four send the code an interrupt, the next four end its
// kernel, the last ends nothing.
const (
	ByLimit       Stopper = "limit"       // its own time limit
	ByCall        Stopper = "call"        // a call that interrupts
	ByCancel      Stopper = "cancel"      // the client cancelled the call that waited for it
	ByRefusal     Stopper = "refusal"     // the person declined to answer its question
	ByForce       Stopper = "force"       // a call that kills the kernel
	BySession     Stopper = "session"     // the session was stopped or restarted
	ByEnvironment Stopper = "environment" // the session was given another environment
	ByServer      Stopper = "server"      // the server is ending
	ByClock       Stopper = "clock"       // the client's own clock: only the waiting ended
)

// EndsKernel reports whether the session's variables go with the run.
func (s Stopper) EndsKernel() bool {
	return s == ByForce || s == BySession || s == ByEnvironment || s == ByServer
}

// Interrupts reports whether the code was, or was to be, interrupted.
func (s Stopper) Interrupts() bool { return s != ByClock && !s.EndsKernel() }

// Stop is one attempt to end a run from outside.
type Stop struct {
	By Stopper
	// After is how long the run had been running, or waiting to run.
	After time.Duration
	// Waiting says that the code waited in the queue of a kernel that others use too: it
	// could be interrupted only when it began.
	Waiting bool
	// Missed says that the code then ended before it could be.
	Missed bool
	// Called is how long the call had taken that the client gave up, of ByCancel and ByClock:
	// it may have waited for a kernel or for other runs before, or have come late.
	Called time.Duration
	// Again is how often more it was tried, of ByCall, and Last when it was the last time.
	Again int
	Last  time.Duration
	// Limit is the time limit, of ByLimit.
	Limit time.Duration
	// Reason is in the client's own words, of ByCancel and ByClock; may be "".
	Reason string
	// Guessed says that the client's words do not tell ByCancel from ByClock.
	Guessed bool
}

// maxStops bounds what is kept of attempts on one run: the first ones tell why.
const maxStops = 8

// AtBegin reports whether it is an interrupt that had to wait until the code began.
func (s Stop) AtBegin() bool { return s.Waiting && s.By.Interrupts() }

// noteLocked notes an attempt to end e. The caller must hold session.mu.
func (e *Execution) noteLocked(stop Stop) {
	if e.state == StateFinished {
		return
	}
	if n := len(e.stops); n > 0 && e.stops[n-1].By.EndsKernel() {
		return // nothing can be added to that
	}
	stop.After = time.Since(e.asked)
	if e.running != nil {
		stop.After = time.Since(e.running.Started())
		stop.Waiting = e.running.Behind() != ""
	}
	if i := slices.IndexFunc(e.stops, func(s Stop) bool { return s.By == ByCall }); i >= 0 && stop.By == ByCall {
		e.stops[i].Again, e.stops[i].Last = e.stops[i].Again+1, stop.After
		return
	}
	if len(e.stops) >= maxStops {
		return
	}
	e.stops = append(e.stops, stop)
	if stop.By == ByCancel || stop.By == ByClock {
		e.tellLocked() // nobody waits for it any more: the next answer says what was done
	}
}

// GivenUp notes that the client's own clock ended the call that waited for e. It
// ends nothing.
func (e *Execution) GivenUp(by Stop) {
	e.session.mu.Lock()
	defer e.session.mu.Unlock()
	e.noteLocked(by)
}

// endLocked is the one place that decides how a run ended, from what the kernel
// says of the code and from what tried to stop it. The code's word alone proves
// nothing: IPython's !command, os.system and a broad except make an interrupt look
// like a normal end. The caller must hold session.mu.
func (e *Execution) endLocked(r kernel.Result) Outcome {
	for i, s := range e.stops {
		e.stops[i].Missed = s.AtBegin() && !r.Interrupted && r.Exit == nil
	}
	e.stops = slices.DeleteFunc(e.stops, func(s Stop) bool {
		switch {
		case s.By == ByClock || r.Interrupted || s.Missed:
			return false
		case r.Exit != nil:
			return s.By.Interrupts()
		}
		return true // the code had ended before it was reached
	})
	if r.Interrupted && r.Outcome == kernel.OutcomeOK {
		e.caught = true
		return OutcomeInterrupted
	}
	return Outcome(r.Outcome)
}

// LimitHit is a limit that processes of a session ran into.
type LimitHit = limits.Hit

// LimitKind is what a limit is of.
type LimitKind = limits.Kind

// Kinds of limits.
const (
	LimitMemory    = limits.Memory
	LimitCPU       = limits.CPU
	LimitProcesses = limits.Processes
	LimitFileSize  = limits.FileSize
)

// maxLimitHits bounds what is kept of limits in one run.
const maxLimitHits = 8

// noteHitsLocked takes from k what its processes ran into. Code that goes on starting
// processes is told once. The caller must hold session.mu.
func (e *Execution) noteHitsLocked(k *kernel.Kernel) {
	if k == nil {
		return
	}
	for _, h := range k.TakeHits() {
		h.Earlier = e.running == nil || h.At.Before(e.running.Started())
		again := func(o LimitHit) bool { return h.Kind == LimitProcesses && o.Kind == h.Kind && o.Earlier == h.Earlier }
		if len(e.hits) < maxLimitHits && !slices.ContainsFunc(e.hits, again) {
			e.hits = append(e.hits, h)
		}
	}
}

// noteRefusalLocked notes the limit that made the code raise. The caller must hold
// session.mu.
func (e *Execution) noteRefusalLocked(k *kernel.Kernel, r kernel.Result) {
	if r.Outcome != kernel.OutcomeError {
		return
	}
	h, ok := k.Limits().Refusal(r.Ename, r.Evalue)
	told := func(o LimitHit) bool { return o.Kind == h.Kind && !o.Earlier }
	if ok && len(e.hits) < maxLimitHits && !slices.ContainsFunc(e.hits, told) {
		e.hits = append(e.hits, h)
	}
}

// errCancelled is the cause of an execution's context when it is cancelled.
var errCancelled = errors.New("cancelled before it ran")

// Interrupt stops e and reports whether it is stopped. One that waits or
// prepares is cancelled and never runs. ctx ends the waiting. by says who wants it:
// every answer about e tells that, whatever the code makes of the interrupt.
func (s *Session) Interrupt(ctx context.Context, e *Execution, by Stop) (stopped bool, err error) {
	s.mu.Lock()
	switch {
	case e.state == StateFinished:
		s.mu.Unlock()
		return true, nil
	case s.queue.remove(e):
		e.noteLocked(by)
		e.finishLocked(OutcomeCancelled, errCancelled)
		s.mu.Unlock()
		return true, nil
	}
	e.noteLocked(by)
	k, running := e.kernel, e.running
	s.mu.Unlock()
	if running == nil {
		e.cancel(errCancelled)
		if k, running = e.awaitStart(ctx); running == nil {
			return e.Finished(), nil
		}
	}
	if k == nil || k.Current() != running { // over: what the kernel runs now is another's
		e.Wait(ctx)
		return e.Finished(), nil
	}
	stopped, err = k.Interrupt(ctx)
	if stopped {
		e.Wait(ctx)
	}
	return stopped, err
}

// cancelTime is how long what prepares may take to end when it is cancelled.
const cancelTime = 5 * time.Second

// awaitStart waits for the end of an execution that was cancelled while it
// prepared, and returns what runs it when the cancel came too late.
func (e *Execution) awaitStart(ctx context.Context) (*kernel.Kernel, *kernel.Execution) {
	ctx, cancel := context.WithTimeout(ctx, cancelTime)
	defer cancel()
	for {
		changed, over := e.watch()
		e.session.mu.Lock()
		k, running := e.kernel, e.running
		e.session.mu.Unlock()
		if over || running != nil {
			return k, running
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// timeOut interrupts an execution whose time is over. One that cannot be
// interrupted goes on, and says so by still running.
func (s *Session) timeOut(e *Execution) {
	s.mu.Lock()
	if e.state != StateRunning {
		s.mu.Unlock()
		return
	}
	if more := e.unusedLocked(); more > 0 {
		s.mu.Unlock()
		time.AfterFunc(more, func() { s.timeOut(e) })
		return
	}
	s.mu.Unlock()
	if _, err := s.Interrupt(s.ctx, e, Stop{By: ByLimit, Limit: e.request.Timeout}); err != nil {
		s.log.Warn("interrupting after the timeout", "id", e.id, "err", err)
	}
}

// unusedLocked is what is left of its time to a run that has waited in the queue of a kernel
// behind another client's code. The caller must hold session.mu.
func (e *Execution) unusedLocked() time.Duration {
	if e.running == nil || e.book != nil {
		return 0
	}
	return e.request.Timeout + e.running.Waited() - time.Since(e.running.Started())
}
