package kernel

import (
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// Finish waits until the execution is done and decides what its result is; it is
// called once. "Reply and idle" is not enough: either can be missing for ever. A
// NUL in the source or a SIGINT at the wrong moment loses the reply, a full
// iopub queue the idle.
func (e *Execution) Finish() {
	defer e.kernel.wg.Done()
	noReply, lost := e.await()
	if there, ok := e.kernel.process.(elsewhere); ok && lost {
		there.Renew() // a server that fails at a message can fall silent on iopub for ever
	}
	// A signal that is under way is this execution's, and must not meet the next one.
	e.kernel.signals.Lock()
	defer e.kernel.signals.Unlock()
	e.kernel.awaitGuard(e)
	e.kernel.takeDropped(e)
	e.conclude(noReply, lost)
}

// await returns when nothing more is to be waited for.
func (e *Execution) await() (noReply, lost bool) {
	k := e.kernel
	select {
	case <-e.half:
	case <-k.gone:
		return false, false
	}
	// Each path can also end by both arriving late, or by the kernel's death.
	if !e.isIdle() {
		return false, e.awaitIdle(e.both)
	}
	if e.within(e.both, idleLead) {
		return false, false
	}
	if e.awaitReply() {
		return true, false
	}
	// An idle long before its reply was that of a forked child that fell out of
	// the cell: what the cell printed last is behind the reply, before its own idle.
	e.awaitIdle(e.again)
	return false, false
}

// awaitReply waits for the reply of an execution whose idle came, and reports
// whether it is missing. Shell is served in order: only the reply to a later
// request proves that ours is lost; without that the cell still runs.
func (e *Execution) awaitReply() (missing bool) {
	k := e.kernel
	if e.within(e.both, replyGrace-idleLead) {
		return false
	}
	w, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
	if err != nil {
		<-k.gone // a kernel without shell is ended, see lost
		return false
	}
	defer forget()
	select {
	case <-e.both:
	case <-w.reply:
	case <-k.gone:
	}
	return !e.within(e.both, 0)
}

// awaitIdle waits for the idle of an execution whose reply came, and reports
// whether it is missing; in is closed when it is there. A reply can overtake
// seconds of output.
func (e *Execution) awaitIdle(in <-chan struct{}) (missing bool) {
	k := e.kernel
	for quiet := false; !quiet; quiet = k.iopubQuietFor(iopubQuiet) {
		if e.within(in, iopubQuiet) {
			return false
		}
	}
	w, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
	if err != nil {
		<-k.gone
		return false
	}
	defer forget()
	patience := k.silence()
	for quiet := false; !quiet; quiet = k.iopubQuietFor(patience) {
		select {
		case <-in:
			return false
		case <-w.idle: // it is behind ours in the same queue: ours is lost
			return !e.within(in, 0)
		case <-k.gone:
			return false
		case <-time.After(patience):
		}
	}
	return !e.within(in, 0)
}

// silence is how long iopub may be silent between a reply and an idle that must come.
func (k *Kernel) silence() time.Duration {
	if _, ok := k.process.(elsewhere); ok {
		return relayPatience
	}
	return probePatience
}

func (e *Execution) isIdle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.idle
}

// within reports whether in is closed within d, or the kernel is gone.
func (e *Execution) within(in <-chan struct{}, d time.Duration) bool {
	select {
	case <-in:
		return true
	case <-e.kernel.gone:
		return true
	default:
	}
	if d == 0 {
		return false
	}
	select {
	case <-in:
		return true
	case <-e.kernel.gone:
		return true
	case <-time.After(d):
		return false
	}
}

func (k *Kernel) isGone() bool {
	select {
	case <-k.gone:
		return true
	default:
		return false
	}
}

func (k *Kernel) iopubQuietFor(d time.Duration) bool { return k.channels[jupyter.IOPub].quietFor(d) }

// conclude writes what only the reply said, the end entry, and closes done.
func (e *Execution) conclude(noReply, lost bool) {
	k := e.kernel
	k.mu.Lock()
	reply, replied, idle, interrupted := e.reply, e.replied, e.idle, e.interrupted
	unheard := noReply && !e.busy
	exiting := replied && k.exited
	iopubError, ending := e.errorOutput, e.ending
	k.mu.Unlock()

	result := Result{Started: e.started, NoReply: noReply, Unheard: unheard, OutputLost: lost, Interrupted: interrupted, Outcome: OutcomeOK,
		ExitStatus: ending.ExitStatus, Replaced: launch.ReadReplaced(ending.Replaced), Running: launch.ReadRunning(ending.Running), Restored: ending.Restored}
	if result.DirectoryGone = ending.Directory == launch.Gone; !result.DirectoryGone {
		result.Directory = ending.Directory
	}
	if reply != nil {
		for _, out := range jupyter.PayloadOutputs(*reply) {
			k.append(e, out)
		}
		e.concludeReply(reply, iopubError, ending, &result)
	} else if iopubError != nil {
		e.concludeError(iopubError.Ename, iopubError.Evalue, &result)
	} else if noReply && interrupted { // a SIGINT at the wrong moment loses the reply
		result.Outcome = OutcomeInterrupted
	} else if noReply {
		result.Outcome = OutcomeError
	}
	switch {
	case exiting:
		result.Outcome, result.Exit = OutcomeExited, k.awaitExit()
	case !(replied && idle) && k.isGone():
		exit := k.Exit()
		k.judgeWords(&exit, e.LastLine())
		result.Outcome, result.Exit = OutcomeDied, &exit
	}
	result.Ended = time.Now()
	e.end(result)
}

// concludeReply takes the outcome from the reply when the launcher has seen to
// it: an error on iopub may be a callback's, or one that the code has handled.
// Otherwise from both: an unknown magic says its error only in the reply, a
// failing __repr__ only on iopub (ipykernel 6).
func (e *Execution) concludeReply(reply *jupyter.ExecuteReply, iopubError *jupyter.Output, ending launch.Reply, result *Result) {
	if reply.ExecutionCount > 0 {
		e.setCount(reply.ExecutionCount)
	}
	switch {
	case iopubError != nil && ending.Raised == nil:
		e.concludeError(iopubError.Ename, iopubError.Evalue, result)
	case reply.Status == jupyter.StatusError || reply.Status == jupyter.StatusAborted || reply.Status == jupyter.StatusAbort:
		if reply.Status != jupyter.StatusError {
			if e.wasInterrupted() && !e.kernel.python() {
				result.Outcome = OutcomeInterrupted
				return
			}
			reply.Ename, reply.Evalue = "Aborted", "the kernel refused to run it"
		}
		if iopubError == nil && ending.ExitStatus == nil { // else it has been shown
			text := strings.Join(reply.Traceback, "\n")
			e.kernel.append(e, jupyter.Output{Type: jupyter.OutputError, Ename: reply.Ename, Evalue: reply.Evalue, Text: jupyter.TextValue(text)})
		}
		e.concludeError(reply.Ename, reply.Evalue, result)
	case iopubError != nil && reply.Status == jupyter.StatusOK:
		result.WentOn = true
	case reply.Status != jupyter.StatusOK: // unreadable, or refused as too large
		result.Outcome, result.NoReply = OutcomeError, true
	}
}

func (e *Execution) concludeError(ename, evalue string, result *Result) {
	result.Outcome, result.Ename, result.Evalue = OutcomeError, ename, evalue
	e.mu.Lock()
	defer e.mu.Unlock()
	// A cancelled top-level await surfaces as CancelledError in some versions. Other
	// languages have no common word: there it is what an interrupt led to.
	if e.interrupted && (!e.kernel.python() || ename == "KeyboardInterrupt" || ename == "CancelledError") {
		result.Outcome = OutcomeInterrupted
	}
}

func (e *Execution) wasInterrupted() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.interrupted
}

func (e *Execution) setCount(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count = n
}

// awaitExit waits for a kernel that said it exits; one that does not is killed.
func (k *Kernel) awaitExit() *Exit {
	select {
	case <-k.process.Done():
	case <-time.After(exitPatience):
		k.log.Warn("kernel said it exits and did not: killing it")
		k.process.Kill()
	}
	<-k.gone // with its last words
	exit := k.Exit()
	return &exit
}

func (e *Execution) end(result Result) {
	k := e.kernel
	k.mu.Lock()
	result.ExecutionCount = e.count
	k.mu.Unlock()
	var note string
	if result.Interrupted && result.Outcome == OutcomeOK {
		note = "interrupted: the code caught it"
	}
	pos, err := k.record.End(e.id, record.End{
		Note:           note,
		Outcome:        string(result.Outcome),
		Ended:          result.Ended,
		ExecutionCount: result.ExecutionCount,
		Ename:          result.Ename,
		Evalue:         result.Evalue,
	})
	if err != nil {
		k.log.Warn("recording the end", "err", err)
	}
	k.dirty()
	k.mu.Lock()
	defer k.mu.Unlock()
	e.result, e.ended = result, true
	e.tail = max(e.tail, pos)
	// Only its late output can still come.
	e.prompt, e.promptParent, e.reply, e.errorOutput, e.lastLine = nil, nil, nil, nil, ""
	e.half, e.both, e.again = nil, nil, nil
	if k.current == e {
		k.current = nil
	}
	k.finished = append(k.finished, e)
	if len(k.finished) > keptExecutions {
		k.forgetLocked(k.finished[0])
		k.finished = k.finished[1:]
	}
	close(e.done)
	e.changedLocked()
}
