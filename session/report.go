package session

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/cells"
	"github.com/mcp-code-executor/mcp-code-executor/session/figures"
	"github.com/mcp-code-executor/mcp-code-executor/session/files"
)

// Cursor is a position in the record of the kernel that ran an execution: what
// lies before it has been shown.
type Cursor int64

// Report is what can be told of an execution at one moment: plain data.
type Report struct {
	Kind        Kind
	ID, Session string
	State       State
	Activity    string // of StatePreparing; of StateQueued, what another client of the kernel runs
	Outcome     Outcome
	Err         error // of OutcomeFailed and OutcomeCancelled
	Exit        *Exit // of OutcomeDied, OutcomeExited and OutcomeNotRun

	Environment string // label, "" while unknown
	Python      string // version
	WorkDir     string // of the run that started the session's first kernel: files are relative to it
	Generation  int
	NewKernel   bool          // no answer has named this environment and kernel
	Elapsed     time.Duration // since it was sent to the kernel, or asked for
	Count       int
	ErrorName   string // the exception's type, of OutcomeError
	WentOn      bool   // see kernel.Result
	// ExitStatus is what a process would have exited with: set when the code ended
	// with SystemExit, for a script that failed, and for each Fresh run.
	ExitStatus *int
	Fresh      bool   // the run had a kernel to itself
	Joined     bool   // its kernel is one that somebody else has started: it is never ended
	Sent       bool   // it waits in the queue of a kernel, out of which nothing takes it, of StateQueued
	Place      int    // how many wait between Ahead and it, of StateQueued
	Ahead      *Ahead // what the session does meanwhile, of StateQueued

	Replaced []Replaced // streams that were not the kernel's at its end; before, when it began, while it has printed nothing
	LeftOver []Running  // what a script has left at work
	Restored []string   // what the code has taken from Python, and was put back
	// Directory is where the code has gone, "" when it is where it was; DirectoryGone says
	// that it is not there any more.
	Directory     string
	DirectoryGone bool

	Cells      *Cells        // of a notebook
	Stops      []Stop        // attempts to end it from outside, oldest first
	Limits     []LimitHit    // limits that processes of the session ran into, oldest first
	Caught     bool          // of OutcomeInterrupted: the code ended as if it had not been
	Idle       time.Duration // of OutcomeNotRun: the idle limit that ended the kernel, or 0
	Question   int           // number of the question, of StateWaiting
	Prompt     string        // of StateWaiting
	Password   bool
	NoReply    bool // the kernel became idle without a reply
	Unheard    bool // and nothing else came of the run: it may never have begun
	OutputLost bool // the kernel replied without an idle
	File       string
	RecordDir  string
	// Files are files the run made or changed, when finished: the newest 20 of
	// FilesTotal, by name.
	Files      []files.Made
	FilesTotal int
	// RecordErr is why the record cannot be written, [ErrRecordRemoved] when its directory
	// is gone. RecordErrTold says that an answer has told it of this kernel.
	RecordErr     error
	RecordErrTold bool

	Installed *Installation // of KindInstall, when finished
	Told      bool          // an answer has told the end
	// Notices are sentences about preparing.
	Notices []string
	// Start is where the execution begins; From and To are the cursors between which Outputs lie.
	Start, From, To Cursor
	// Outputs are what the run produced between From and To, in order.
	Outputs iter.Seq2[jupyter.Output, error]

	execution *Execution
	fault     recordFault
	noticed   int // of the execution's notices, how many will have been told
}

// Report tells the execution's state, with the outputs after since; a negative
// since means after the last answer that was delivered.
func (e *Execution) Report(since Cursor) Report {
	s := e.session
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Report{
		Kind: e.kind, ID: e.id, Session: s.name, Installed: e.installed,
		State: e.state, Activity: e.activity, Outcome: e.outcome, Err: e.err, Exit: e.exit,
		Generation: e.generation,
		File:       e.request.File,
		Elapsed:    time.Since(e.asked),
		Stops:      slices.Clone(e.stops),
		Caught:     e.caught,
		Idle:       e.idle,
		Outputs:    none,
		Told:       e.told,
		Files:      e.files,
		FilesTotal: e.filesTotal,
		ExitStatus: e.exitStatus,
		Fresh:      e.request.fresh,
		Joined:     e.joined,
		execution:  e,
		noticed:    len(e.notices),
	}
	if !e.told {
		r.Notices, r.WorkDir = e.notices[e.noticed:], e.workDir
	}
	if r.Environment, r.Python = e.env, e.python; r.Environment == "" && s.env != nil {
		r.Environment, r.Python = s.env.Label(), s.env.Info.Version
	}
	r.NewKernel = s.named.lacks(r)
	if e.state == StateQueued && e != s.current { // else another client of its kernel is before it
		r.Ahead, r.Place = s.aheadLocked(e)
	}
	if e.state == StateFinished {
		r.Elapsed = e.ended.Sub(e.asked)
	}
	if e.running != nil {
		e.reportRunLocked(&r, since)
	}
	if e.book != nil {
		e.reportCellsLocked(&r, since)
	}
	return r
}

// reportRunLocked adds what the kernel knows. The caller must hold session.mu.
func (e *Execution) reportRunLocked(r *Report, since Cursor) {
	start, tail := e.running.Range()
	r.Elapsed = time.Since(e.running.Started())
	r.Count = e.running.Count()
	if e.state == StateFinished {
		result := e.running.Result()
		r.Elapsed = result.Ended.Sub(result.Started) - e.running.Waited()
		r.Count, r.ErrorName = result.ExecutionCount, result.Ename
		r.NoReply, r.Unheard, r.OutputLost, r.WentOn = result.NoReply, result.Unheard, result.OutputLost, result.WentOn
		if result.Exit == nil {
			r.Replaced, r.LeftOver, r.Restored = result.Replaced, result.Running, result.Restored
			r.Directory, r.DirectoryGone = result.Directory, result.DirectoryGone
		}
	} else {
		e.noteHitsLocked(e.kernel)
	}
	if words := e.running.Behind(); e.state == StateRunning && words != "" {
		r.State, r.Activity, r.Sent = StateQueued, words, true // its busy came after ours was sent
	}
	if p := e.running.Waiting(); e.state != StateFinished && p != nil {
		r.State, r.Prompt, r.Password, r.Question = StateWaiting, p.Text, p.Password, p.Number
	}
	if e.state != StateFinished && e.running.LastLine() == "" { // else it may have put them back
		r.Replaced = e.session.replaced
	}
	r.Limits = slices.Clone(e.hits)
	if since < 0 {
		since = e.delivered
	}
	r.Start, r.From, r.To = Cursor(start), max(since, Cursor(start)), Cursor(tail)
	rec := e.running.Record()
	r.RecordDir = rec.Dir()
	r.fault.generation = r.Generation
	if r.RecordErr = rec.Err(); r.RecordErr != nil {
		r.fault.reason = r.RecordErr.Error()
		r.RecordErrTold = r.fault == e.session.faultTold
	}
	from, to := record.Position(r.From), record.Position(r.To)
	if recent, ok := e.running.Recent(from, to); ok {
		r.Outputs = inMemory(recent)
	} else {
		r.Outputs = outputs(rec, e.id, from, to)
	}
}

// ErrRecordRemoved says that the directory of a kernel's record has been removed.
var ErrRecordRemoved = record.ErrRemoved

// recordFault is why the record of a kernel cannot be written, "" while it can.
type recordFault struct {
	generation int
	reason     string
}

// Delivered notes that an answer with this report has reached the client: the
// next one shows what came after it.
func (r Report) Delivered() {
	r.note(&r.execution.delivered)
	e := r.execution
	s := e.session
	s.mu.Lock()
	defer s.mu.Unlock()
	e.noticed = max(e.noticed, r.noticed)
	if r.fault.generation > 0 {
		s.faultTold = r.fault
	}
	if s.named.lacks(r) && r.Generation >= s.named.generation { // not an older kernel's
		s.named = named{r.Environment, r.Python, r.Generation}
	}
	if s.loss != nil && r.Outcome == OutcomeNotRun && r.Exit == s.loss.Exit {
		s.loss = nil // it waited when the kernel died, and has told it: the next run need not
	}
}

// Cell returns the execution count of the cell that ipykernel has compiled as
// FILE.py, 0 when it is none of the report's kernel.
func (r Report) Cell(file string) int {
	s := r.execution.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Count > 0 && file == cells.File(r.execution.request.Code) {
		return r.Count
	}
	return s.cells.Count(r.Generation, file)
}

// named is the environment and the kernel that the session's answers have named.
type named struct {
	environment, python string
	generation          int
}

// lacks reports whether r is of a kernel, or an environment, that was not named.
func (n named) lacks(r Report) bool {
	return r.Environment != n.environment || r.Python != n.python || r.Generation > n.generation
}

// Mentioned notes that an answer has named the execution and its end without
// showing its output: it is not named again, and asking for it by id still shows
// what no answer has shown.
func (r Report) Mentioned() {
	r.note(&r.execution.mentioned)
}

// StopsTold notes that an answer about another execution has told what tried to
// end this one, which has not ended.
func (r Report) StopsTold() {
	s := r.execution.session
	s.mu.Lock()
	defer s.mu.Unlock()
	r.stopsToldLocked()
}

// stopsToldLocked is StopsTold. The caller must hold session.mu.
func (r Report) stopsToldLocked() {
	e := r.execution
	if e.state != StateFinished && len(e.stops) == len(r.Stops) { // else there is more to tell
		e.session.untold = slices.DeleteFunc(e.session.untold, func(o *Execution) bool { return o == e })
	}
}

// note moves one of the execution's cursors to the end of the report.
func (r Report) note(cursor *Cursor) {
	e := r.execution
	s := e.session
	s.mu.Lock()
	defer s.mu.Unlock()
	*cursor = max(*cursor, r.To)
	if r.State == StateFinished {
		e.told = true
		e.exit = withoutTail(e.exit)
		if e.running != nil {
			e.running.Forget()
		}
	}
	r.stopsToldLocked()
	e.toldLocked()
}

// keptTail is how much of each end of a dead process's last words is kept once
// they have been told, in bytes.
const keptTail = 4 << 10

// withoutTail returns exit with at most the ends of the process's last words.
func withoutTail(exit *Exit) *Exit {
	if exit == nil || len(exit.Tail) <= 2*keptTail {
		return exit
	}
	short := *exit
	tail := exit.Tail
	short.Tail = slices.Concat(tail[:keptTail], []byte("\n[…]\n"), tail[len(tail)-keptTail:])
	return &short
}

func none(func(jupyter.Output, error) bool) {}

func inMemory(outputs []jupyter.Output) iter.Seq2[jupyter.Output, error] {
	return func(yield func(jupyter.Output, error) bool) {
		for _, o := range outputs {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// outputs reads an execution's outputs from its record.
func outputs(rec *record.Record, id string, from, to record.Position) iter.Seq2[jupyter.Output, error] {
	return func(yield func(jupyter.Output, error) bool) {
		for entry, err := range outputEntries(rec, id, from, to) {
			out := jupyter.Output{}
			if entry.Output != nil {
				out = *entry.Output
			}
			if !yield(out, err) {
				return
			}
		}
	}
}

// outputEntries reads the entries of an execution that are outputs, figures with their
// pages, and the errors of those that cannot be read.
func outputEntries(rec *record.Record, id string, from, to record.Position) iter.Seq2[record.Entry, error] {
	return func(yield func(record.Entry, error) bool) {
		for entry, err := range rec.Read(id, from, to) {
			if err == nil && entry.Output == nil {
				continue
			}
			if err != nil {
				entry.Output = nil
			} else {
				entry.Output = figures.Save(rec.FilesDir(), entry.Exec, entry.Pos, entry.Output)
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

// Others reports what the session has to tell besides e: executions that have
// ended without an answer that told it, and output that came after an end.
func (s *Session) Others(e *Execution) []Report {
	s.noteLate()
	s.mu.Lock()
	others := slices.DeleteFunc(slices.Clone(s.untold), func(o *Execution) bool { return o == e })
	s.mu.Unlock()
	reports := make([]Report, len(others))
	for i, o := range others {
		reports[i] = o.Report(-1)
	}
	return reports
}

// noteLate adds executions that have put out something after their end to those
// that are to be told.
func (s *Session) noteLate() {
	s.mu.Lock()
	k := s.kernel
	s.mu.Unlock()
	if k == nil {
		return
	}
	for _, id := range k.TakeLate() {
		if o, err := s.manager.Execution(id); err == nil {
			s.mu.Lock()
			o.tellLocked()
			s.mu.Unlock()
		}
	}
}

// keptUntold bounds how many executions wait to be told.
const keptUntold = 256

// tellLocked has the next answers tell of the execution. The caller must hold
// session.mu.
func (e *Execution) tellLocked() {
	s := e.session
	if slices.Contains(s.untold, e) {
		return
	}
	s.untold = append(s.untold, e)
	if len(s.untold) > keptUntold {
		s.untold = s.untold[1:]
	}
}

// toldLocked takes the execution out of what is to be told, when nothing is left.
// The caller must hold session.mu.
func (e *Execution) toldLocked() {
	if e.state != StateFinished || !e.told || e.lateLocked() {
		return
	}
	s := e.session
	s.untold = slices.DeleteFunc(s.untold, func(o *Execution) bool { return o == e })
}

// lateLocked reports whether output came that no answer has shown. The caller
// must hold session.mu.
func (e *Execution) lateLocked() bool {
	if e.running == nil {
		return false
	}
	_, tail := e.running.Range()
	return Cursor(tail) > max(e.delivered, e.mentioned)
}

// LineQuery says which lines of an execution's log are wanted.
type LineQuery = record.LineQuery

// Line is one line of an execution's log.
type Line = record.Line

// LineResult is what was found.
type LineResult = record.LineResult

// Lines goes through the log of the execution: all it has printed and shown, as
// text, whatever its size. One that has not run has no lines.
func (e *Execution) Lines(ctx context.Context, q LineQuery) (LineResult, error) {
	e.session.mu.Lock()
	running := e.running
	e.session.mu.Unlock()
	if running == nil {
		return LineResult{}, nil
	}
	from, to := running.Range()
	return record.SelectLines(ctx, running.Record().Read(e.id, from, to), q)
}
