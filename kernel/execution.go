package kernel

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// Request is what to execute.
type Request struct {
	// ID names the execution in the record; the caller keeps it unique.
	ID string
	// Code is the source.
	Code string
	// File is the file the code is stored in; tracebacks name it. May be "".
	File string
	// Script is the file that the code only runs, or the notebook whose cell, of
	// number Cell, it is: for the record.
	Script string
	Cell   int
	// AllowInput lets the code ask (input()); without it input() fails at once.
	AllowInput bool
	// Refresh lets the kernel see packages and modules that have appeared since
	// it looked last, and Reload names files whose modules, if imported, are
	// loaded again; both before the code runs.
	Refresh bool
	Reload  []string
}

// Outcome is how an execution ended.
type Outcome string

// Outcomes of an execution.
const (
	OutcomeOK          Outcome = "ok"
	OutcomeError       Outcome = "error"       // the code raised
	OutcomeInterrupted Outcome = "interrupted" // the code raised after an interrupt
	OutcomeDied        Outcome = "died"        // the kernel ended
	OutcomeExited      Outcome = "exited"      // the code asked the kernel to exit
)

// Result is what is known of a finished execution besides its output.
type Result struct {
	Outcome        Outcome
	ExecutionCount int
	Started, Ended time.Time
	// Ename and Evalue are the exception's, when the code raised.
	Ename, Evalue string
	// WentOn says that an error was shown which is not the run's: its Outcome is ok.
	WentOn bool
	// Interrupted says that it was sent an interrupt before its code had ended. What
	// the code made of that is the Outcome: it may have caught it and ended well.
	Interrupted bool
	// NoReply says that the kernel became idle without an execute_reply, Unheard that nothing
	// else of the run has come either: the code may not have reached the kernel.
	NoReply, Unheard bool
	// OutputLost says that the kernel replied without an idle: the last of the
	// output may be missing.
	OutputLost bool
	// ExitStatus is what a process would have exited with: set when the code ended
	// with SystemExit, and for a script that failed.
	ExitStatus *int
	// Replaced are streams that the code has replaced and not put back, Running what
	// a script has left at work.
	Replaced []Replaced
	Running  []Running
	// Restored is what the code has taken from Python, in words, and was put back.
	Restored []string
	// Directory is where the code has gone, "" when it is where it was; DirectoryGone
	// says that it is not there any more.
	Directory     string
	DirectoryGone bool
	// Exit is how the process ended, for OutcomeDied and OutcomeExited.
	Exit *Exit
}

// Replaced is a stream that the code has replaced and not put back.
type Replaced = launch.Replaced

// Running is what a script has left at work.
type Running = launch.Running

// Prompt is a question of the running code.
type Prompt struct {
	// Number counts the questions of the execution from 1.
	Number   int
	Text     string
	Password bool
}

// Execution is one execute_request and what came of it. Its output is in the
// kernel's record, between Start and Tail. One that has ended outlives its kernel
// and holds nothing of it but the record.
type Execution struct {
	id     string
	msgID  string
	record *record.Record

	half  chan struct{} // closed at the first of reply and idle
	both  chan struct{} // closed when both are in
	again chan struct{} // closed at a second idle
	done  chan struct{} // closed when the result is known

	mu           *sync.Mutex // the kernel's; protects the fields below
	kernel       *Kernel     // nil when it is known to no kernel any more
	start, tail  record.Position
	started      time.Time
	count        int
	reply        *jupyter.ExecuteReply
	ending       launch.Reply // what the launcher adds to the reply
	replied      bool
	idle         bool
	busy         bool          // the kernel has begun with it
	waited       time.Duration // until then, where other clients use the kernel
	interrupted  bool
	signalled    bool            // the process was told to interrupt it
	wanted       bool            // an interrupt, once it has begun; see signal
	errorOutput  *jupyter.Output // an iopub error that is the cell's own, without its text
	recent       recent
	lastLine     string // of what streams printed last, for progress
	prompt       *Prompt
	questions    int
	promptParent *jupyter.Header
	result       Result
	ended        bool          // the result is known
	changed      chan struct{} // closed at the next change; nil when nobody waits
}

// Begin writes the code to the record, sends it and returns its execution, which
// the caller must Finish. One execution at a time: ErrBusy when one is in
// flight, ErrDead when the process is gone; nothing was sent then.
func (k *Kernel) Begin(r Request) (*Execution, error) {
	msg, err := k.codec.NewMessage(jupyter.Shell, jupyter.MsgExecuteRequest, jupyter.ExecuteRequest{
		Code:         r.Code,
		StoreHistory: true,
		AllowStdin:   r.AllowInput,
		// With it, ipykernel 6 aborts what arrives for a moment after an error:
		// our next execution, although nothing was queued behind this one.
		StopOnError: false,
	})
	if err != nil {
		return nil, err
	}
	refresh := k.waited() || r.Refresh // what has appeared while it waited
	if k.spec.Command == nil && !k.shared() {
		if msg.Metadata, err = launch.Metadata(launch.Request{File: r.File, Refresh: refresh, Reload: r.Reload}); err != nil {
			return nil, err
		}
	}
	e := &Execution{
		id:      r.ID,
		msgID:   msg.Header.MsgID,
		kernel:  k,
		record:  k.record,
		mu:      k.mu,
		half:    make(chan struct{}),
		both:    make(chan struct{}),
		again:   make(chan struct{}),
		done:    make(chan struct{}),
		started: time.Now(),
	}
	if err := k.register(e); err != nil {
		return nil, err
	}
	k.noteBegun()
	// The code is in the record before the kernel can see it, so that no crash
	// loses what was run.
	pos, err := k.record.Begin(e.id, record.Begin{Code: r.Code, File: r.File, Script: r.Script, Cell: r.Cell, Started: e.started})
	if err != nil {
		k.log.Warn("recording code", "err", err) // a failing record stops no work
	}
	k.mu.Lock()
	e.start, e.tail = pos, k.record.Tail()
	k.mu.Unlock()
	k.tellBegun()
	if err := k.send(msg); err != nil {
		k.unsent(e)
		k.unregister(e)
		return nil, fmt.Errorf("%w: %w", ErrDead, err)
	}
	k.ran(e.id)
	k.dirty()
	return e, nil
}

// register makes the execution the current one and known to the router: before
// it is sent, or a fast idle would be lost.
func (k *Kernel) register(e *Execution) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.process.Done():
		return ErrDead
	default:
	}
	switch {
	case k.closed || k.exited:
		return ErrDead
	case k.current != nil:
		return ErrBusy
	}
	k.current, k.latest = e, e
	k.executions[e.msgID] = e
	k.wg.Add(1) // until Finish or unregister; Close, which sets closed first, waits for it
	return nil
}

// unsent ends in the record what the kernel never got: a run without an end is taken
// for one that its server died during. Of a notebook earlier cells may have run.
func (k *Kernel) unsent(e *Execution) {
	k.mu.Lock()
	ran := slices.ContainsFunc(k.finished, func(cell *Execution) bool { return cell.id == e.id })
	k.mu.Unlock()
	outcome := "not run"
	if ran {
		outcome = string(OutcomeDied)
	}
	if _, err := k.record.End(e.id, record.End{Outcome: outcome, Ended: time.Now()}); err != nil {
		k.log.Warn("recording the end", "err", err)
	}
}

func (k *Kernel) unregister(e *Execution) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current, k.latest = nil, nil
	k.forgetLocked(e)
	k.wg.Done()
}

// forgetLocked parts the kernel from an execution that may outlive it by hours.
// The caller must hold k.mu.
func (k *Kernel) forgetLocked(e *Execution) {
	delete(k.executions, e.msgID)
	e.kernel = nil
}

// Current returns the execution in flight, or nil.
func (k *Kernel) Current() *Execution {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// Ending is closed at the first sign that the code has ended, a moment before the
// result is known: there is time to look around. It may never be closed when the kernel dies.
func (e *Execution) Ending() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return e.done
	}
	return e.half
}

// Result returns the result; call it after Done is closed.
func (e *Execution) Result() Result {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.result
}

// Record is where its output lies; it can be read when the kernel is gone.
func (e *Execution) Record() *record.Record { return e.record }

// Range returns the positions in the record between which its entries lie now.
func (e *Execution) Range() (from, to record.Position) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.start, e.tail
}

// Started returns when the code was sent.
func (e *Execution) Started() time.Time { return e.started }

// Count returns the execution count as far as it is known, else 0.
func (e *Execution) Count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

// Waiting returns the question the code asks now, or nil.
func (e *Execution) Waiting() *Prompt {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.prompt
}

// Changed returns a channel that is closed at the next output, question or end.
func (e *Execution) Changed() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.changed
}

// changedLocked wakes who waits. The caller must hold e.mu.
func (e *Execution) changedLocked() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

func (k *Kernel) gotInput(e *Execution, msg *jupyter.Message) {
	k.gotBusy(e) // which may be lost, as anything on iopub
	var content jupyter.ExecuteInput
	if msg.DecodeContent(&content) != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count = content.ExecutionCount
}

// gotBusy notes that the kernel has begun with e, and sends the interrupt that waited.
func (k *Kernel) gotBusy(e *Execution) {
	e.mu.Lock()
	wanted, half := e.wanted && !e.busy, e.half
	if k.others != nil && !e.busy {
		e.waited = time.Since(e.started)
	}
	e.busy = true
	e.mu.Unlock()
	if wanted {
		k.signalSoon(e, half)
	}
}

func (k *Kernel) gotIdle(e *Execution) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return
	}
	if e.idle { // a forked child that falls out of the cell sends one too
		select {
		case <-e.again:
		default:
			close(e.again)
		}
		return
	}
	e.idle = true
	e.arrivedLocked()
}

func (k *Kernel) gotReply(e *Execution, msg *jupyter.Message) {
	reply := &jupyter.ExecuteReply{}
	if err := msg.DecodeContent(reply); err != nil {
		k.log.Warn("execute_reply", "err", err)
	}
	var ending launch.Reply
	_ = msg.DecodeContent(&ending) // an unreadable reply says nothing here either
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.replied || e.ended {
		return
	}
	e.replied, e.reply, e.ending = true, reply, ending
	if exits, keep := jupyter.AskExit(*reply); exits && !keep {
		k.exited = true
	}
	e.arrivedLocked()
}

// arrivedLocked notes that reply or idle came. The caller must hold e.mu.
func (e *Execution) arrivedLocked() {
	e.prompt = nil
	if e.idle && e.replied {
		close(e.both)
	} else {
		close(e.half)
	}
}

func (k *Kernel) gotInputRequest(e *Execution, msg *jupyter.Message) {
	var content jupyter.InputRequest
	if err := msg.DecodeContent(&content); err != nil {
		k.log.Warn("input_request", "err", err)
	}
	// The question comes on another socket than what was printed before it.
	for range maxPromptWaits {
		if k.iopubQuietFor(promptQuiet) {
			break
		}
		time.Sleep(promptQuiet / 4)
	}
	k.append(e, jupyter.Output{Type: jupyter.OutputInputRequest, Prompt: content.Prompt, Password: content.Password})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.replied || e.ended {
		return
	}
	e.questions++
	e.prompt = &Prompt{Number: e.questions, Text: content.Prompt, Password: content.Password}
	parent := msg.Header
	e.promptParent = &parent
	e.changedLocked()
}

// Answer gives the running code the line it asked for. ErrNotWaiting when it
// asks nothing. The answer is not recorded: the kernel echoes nothing, and it
// may be a password.
func (e *Execution) Answer(value string) error {
	e.mu.Lock()
	k := e.kernel
	if e.prompt == nil || k == nil {
		e.mu.Unlock()
		return ErrNotWaiting
	}
	parent := e.promptParent
	e.prompt = nil
	e.mu.Unlock()
	msg, err := k.codec.NewMessage(jupyter.Stdin, jupyter.MsgInputReply, jupyter.InputReply{Value: value})
	if err != nil {
		return err
	}
	msg.ParentHeader = *parent
	return k.send(msg)
}
