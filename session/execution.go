package session

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/session/files"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
)

// State is where an execution is.
type State string

// States of an execution, in the order they come.
const (
	StateQueued     State = "queued"
	StatePreparing  State = "preparing"  // environment being made, kernel starting
	StateInstalling State = "installing" // of an installation
	StateRunning    State = "running"
	StateWaiting    State = "waiting for input"
	StateFinished   State = "finished"
)

// Outcome is how a finished execution ended.
type Outcome string

// Outcomes of an execution. The first five are the kernel's.
const (
	OutcomeOK          = Outcome(kernel.OutcomeOK)
	OutcomeError       = Outcome(kernel.OutcomeError)
	OutcomeInterrupted = Outcome(kernel.OutcomeInterrupted)
	OutcomeDied        = Outcome(kernel.OutcomeDied)
	OutcomeExited      = Outcome(kernel.OutcomeExited)
	OutcomeCancelled   = Outcome("cancelled") // never ran: cancelled before
	OutcomeNotRun      = Outcome("not run")   // never ran: the kernel had died
	OutcomeFailed      = Outcome("failed")    // never ran: no environment or no kernel
	OutcomeUnknown     = Outcome("unknown")   // of an earlier server, which died during it
)

// Ran reports whether the code was handed to a kernel.
func (o Outcome) Ran() bool {
	return o != OutcomeCancelled && o != OutcomeNotRun && o != OutcomeFailed
}

// Failed reports whether the outcome is an error for the one who asked. What was
// asked for is none: an interrupt, a cancel, an exit().
func (o Outcome) Failed() bool {
	switch o {
	case OutcomeError, OutcomeDied, OutcomeNotRun, OutcomeFailed:
		return true
	}
	return false
}

// Exit is how a kernel's process ended.
type Exit = kernel.Exit

// Replaced is a stream that the code has replaced and not put back.
type Replaced = kernel.Replaced

// Running is what a script has left at work.
type Running = kernel.Running

// Kind is what an execution does.
type Kind int

// Kinds of execution.
const (
	KindRun     Kind = iota // code in the kernel
	KindInstall             // packages into the environment
)

// Request is what to run.
type Request struct {
	// Code is the source.
	Code string
	// File is the file the code is stored in, named by tracebacks; may be "".
	File string
	// Script says that Code only runs File, with Arguments; tracebacks name its own
	// lines.
	Script    bool
	Arguments []string
	// Notebook is run, cell by cell, instead of Code: the one in File. It belongs to
	// the execution then. With GoOn it does not stop at a cell that raised.
	Notebook *notebook.Notebook
	GoOn     bool
	// Timeout interrupts the run when it has run so long; 0 never does.
	Timeout time.Duration
	// fresh says that the run has its kernel to itself; see ExecuteFresh.
	fresh bool
	// By is the conversation that asked, nil where there is one client: a kernel
	// that has to be started gets its variables.
	By *Conversation
	// Generation is the kernel the code counts on; in another it does not run.
	// 0 is any.
	Generation int
	// Policy is what the client allows in this call, JSON, "" for none; see
	// [Manager.FollowsClient].
	Policy string
}

// mostSource is how much of a file is looked at, in bytes.
const mostSource = 1 << 20

// source is the text of what is to run, as far as the request names it.
func (r *Request) source() string {
	switch {
	case r.Notebook != nil:
		var b strings.Builder
		for _, cell := range r.Notebook.Cells {
			b.WriteString(cell.Source + "\n")
		}
		return b.String()
	case r.Script:
		file, err := os.Open(r.File)
		if err != nil {
			return "" // it will not run either
		}
		defer file.Close()
		text, _ := io.ReadAll(io.LimitReader(file, mostSource))
		return string(text)
	}
	return r.Code
}

// Execution is one thing a session was asked to run. It belongs to the session,
// not to the call that asked.
type Execution struct {
	id      string
	session *Session
	kind    Kind
	request Request
	policy  *sandbox.Policy // nil where none is followed
	asked   time.Time
	done    chan struct{}

	// ctx ends when the execution is cancelled before it runs.
	ctx    context.Context
	cancel context.CancelCauseFunc

	// protected by session.mu
	state      State
	activity   string // what preparing does now
	running    *kernel.Execution
	kernel     *kernel.Kernel // nil when it has ended: nothing of a dead kernel is held
	joined     bool           // the kernel is one that somebody else has started
	generation int
	hits       []LimitHit    // limits that processes ran into
	stops      []Stop        // attempts to end it from outside, oldest first
	caught     bool          // it was interrupted, and ended as if it were not
	env        string        // label of the environment it ran in, "" before
	python     string        // version
	idle       time.Duration // of OutcomeNotRun: the idle limit that ended the kernel
	notices    []string      // of preparing: "installed ipykernel …"
	noticed    int           // how many of them answers have told
	workDir    string        // of the session's first kernel, when this started it
	outcome    Outcome
	err        error // of OutcomeFailed
	exit       *Exit
	exitStatus *int          // see kernel.Result
	installed  *Installation // of KindInstall, when finished
	ended      time.Time
	delivered  Cursor // what an answer has shown
	mentioned  Cursor // up to where an answer has named it without showing it
	told       bool   // an answer has told the end
	changed    chan struct{}
	files      []files.Made // that the run made, when finished
	filesTotal int
	stored     []string // code files written beside the run: not its own
	book       *bookRun // of a notebook
}

// ID returns the execution's id.
func (e *Execution) ID() string { return e.id }

// Fresh reports whether it has a kernel to itself.
func (e *Execution) Fresh() bool { return e.request.fresh }

// Session returns the session it belongs to.
func (e *Execution) Session() *Session { return e.session }

// Answer gives the running code the line it asks for. The error is
// kernel.ErrNotWaiting when it asks nothing.
func (e *Execution) Answer(line string) error {
	e.session.mu.Lock()
	running := e.running
	e.session.mu.Unlock()
	if running == nil {
		return ErrNotWaiting
	}
	return running.Answer(line)
}

// ErrNotWaiting says that an execution asks nothing.
var ErrNotWaiting = kernel.ErrNotWaiting

// Done is closed when it has finished.
func (e *Execution) Done() <-chan struct{} { return e.done }

// Finished reports whether it has finished.
func (e *Execution) Finished() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// Wait returns when the execution has finished, asks a question, is queued behind
// one that asks, or ctx ends; ctx ends the waiting, never the run.
func (e *Execution) Wait(ctx context.Context) {
	for {
		ahead, asks := e.blocked()
		if asks {
			return
		}
		next := e.nextCell()
		changed, over := e.watch()
		if over {
			e.settle(ctx)
			return
		}
		select {
		case <-e.done:
			return
		case <-changed:
		case <-ahead:
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// A question is told when the output has been quiet for settleQuiet; settleLimit
// is for code that prints meanwhile.
const (
	settleQuiet = 40 * time.Millisecond
	settleLimit = 300 * time.Millisecond
)

// settle waits for what the code printed before it asked: the question comes on
// a channel of its own, and would be shown without the text it belongs to.
func (e *Execution) settle(ctx context.Context) {
	limit := time.After(settleLimit)
	for !e.Finished() {
		changed, _ := e.watch()
		select {
		case <-changed:
		case <-time.After(settleQuiet):
			return
		case <-limit:
			return
		case <-ctx.Done():
			return
		}
	}
}

// watch returns a channel that is closed when the execution's state may have
// changed, and whether there is nothing to wait for.
func (e *Execution) watch() (changed <-chan struct{}, over bool) {
	e.session.mu.Lock()
	defer e.session.mu.Unlock()
	if e.state == StateFinished {
		return nil, true
	}
	if e.running != nil {
		changed := e.running.Changed()
		return changed, e.running.Waiting() != nil
	}
	return e.changedLocked(), false
}

// changedLocked returns a channel that is closed at the next change of state. The
// caller must hold session.mu.
func (e *Execution) changedLocked() <-chan struct{} {
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.changed
}

// wakeLocked wakes who waits. The caller must hold session.mu.
func (e *Execution) wakeLocked() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

// setLocked changes the state and wakes who waits. The caller must hold session.mu.
func (e *Execution) setLocked(s State, activity string) {
	e.state, e.activity = s, activity
	e.wakeLocked()
}

// finishLocked ends the execution. The caller must hold session.mu.
func (e *Execution) finishLocked(o Outcome, err error) {
	if e.state == StateFinished {
		return
	}
	e.outcome, e.err, e.ended = o, err, time.Now()
	e.kernel, e.request.Code, e.request.Notebook = nil, "", nil
	e.tellLocked()
	e.setLocked(StateFinished, "")
	e.cancel(nil)
	close(e.done)
}
