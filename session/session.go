package session

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/session/cells"
	"github.com/mcp-code-executor/mcp-code-executor/session/files"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
	"github.com/mcp-code-executor/mcp-code-executor/session/variables"
)

// Session is a named Python: an environment, at most one kernel, a queue.
//
// Its goroutines:
//  1. the worker, started by newSession, which runs the queue one after the
//     other and ends with close;
//  2. one watcher per kernel, started with the kernel, ended by its death.
type Session struct {
	name    string
	alone   bool // of one run, without a place in the list
	manager *Manager
	log     *slog.Logger
	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	wake    chan struct{} // buffered 1: the queue has something
	watcher files.Watcher // the worker's, until close
	watched sync.Once     // closes it: the end of a fresh run and the server's may come together
	wg      sync.WaitGroup

	mu         sync.Mutex // protects the fields below
	config     pyenv.Config
	env        *pyenv.Environment // of the kernel, or of the last one
	kernel     *kernel.Kernel
	generation int
	cells      cells.Cells
	loss       *Loss      // the kernel died and no answer has told it
	replaced   []Replaced // streams that were not the kernel's when the last run ended
	queue      queue
	current    *Execution // preparing or running
	latest     *Execution
	installing *Execution   // the newest installation under way
	untold     []*Execution // ended or still printing, oldest first; see undelivered
	lastUsed   time.Time
	deaths     int              // of kernels, since the last run that finished
	refresh    bool             // something can be imported that could not before
	reload     []string         // code files that changed: modules to load again
	news       []string         // sentences for the next answer; see tell
	variables  variables.Hashes // with which the kernel was started
	confined   sandbox.Confined // what the kernel was started in
	named      named            // what an answer has named
	faultTold  recordFault      // of the record, that an answer has told
	toldThere  string           // the Jupyter server's kernel that an answer has told of
	idleTimer  *time.Timer
	aside      int // installations and inspections under way
	closed     bool
}

// Loss is the death of a kernel: the session's variables are gone.
type Loss struct {
	Generation int
	Exit       *Exit // with Idle only what was lost
	At         time.Time
	// Idle is how long the session had been idle when its idle limit ended the
	// kernel; 0 when the kernel died otherwise.
	Idle time.Duration
}

func newSession(m *Manager, name string, config pyenv.Config) *Session {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Session{
		name:     name,
		manager:  m,
		log:      m.config.Log.With("session", name),
		ctx:      ctx,
		cancel:   cancel,
		wake:     make(chan struct{}, 1),
		config:   config,
		lastUsed: time.Now(),
	}
	s.wg.Go(s.work)
	return s
}

// Joined reports whether its kernel is one that somebody else has started.
func (s *Session) Joined() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kernel != nil && s.kernel.Info().Joined
}

// HasKernel reports whether it has a kernel, which no death is known of.
func (s *Session) HasKernel() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kernel != nil
}

// Name returns the session's name.
func (s *Session) Name() string { return s.name }

func (s *Session) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current == nil && s.queue.len() == 0
}

// Execute puts the request into the session's queue and returns at once. A
// session whose kernel died unseen runs nothing: the execution it returns is
// finished, its outcome is OutcomeNotRun, and the next one gets a new kernel.
func (s *Session) Execute(r Request) (*Execution, error) {
	policy, err := s.manager.config.Sandbox.Policy(r.Policy)
	if err != nil {
		return nil, err
	}
	e := &Execution{session: s, request: r, policy: policy, asked: time.Now(), done: make(chan struct{}), state: StateQueued}
	e.ctx, e.cancel = context.WithCancelCause(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if s.queue.len() >= maxQueue {
		err := &QueueFullError{Session: s.name, Limit: maxQueue}
		if s.current != nil {
			err.Running, err.Since, err.Line = s.current.id, since(s.current.asked), s.current.request.line()
		}
		return nil, err
	}
	s.manager.adopt(e)
	s.latest, s.lastUsed = e, time.Now()
	e.generation = s.generation
	if s.loss != nil {
		s.notRunLocked(e)
		return e, nil
	}
	if err := s.generationLocked(r.Generation); err != nil {
		e.finishLocked(OutcomeFailed, err)
		return e, nil
	}
	s.queue.push(e)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return e, nil
}

// generationLocked refuses code that counts on another kernel than the session
// has. The caller must hold s.mu.
func (s *Session) generationLocked(expected int) error {
	if expected == 0 || s.kernel != nil && expected == s.generation {
		return nil
	}
	return &GenerationError{Session: s.name, Expected: expected, Actual: s.generation, Alive: s.kernel != nil}
}

// notRunLocked ends e without running it because the kernel had died: code that
// counts on the lost variables would do harm. The caller must hold s.mu.
func (s *Session) notRunLocked(e *Execution) {
	e.exit, e.generation, e.idle = s.loss.Exit, s.loss.Generation, s.loss.Idle
	s.loss = nil
	e.finishLocked(OutcomeNotRun, nil)
}

// Latest returns the session's newest execution, or nil.
func (s *Session) Latest() *Execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// Current returns what the session runs or prepares now, or nil.
func (s *Session) Current() *Execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runsLocked()
}

// runsLocked is Current. What has ended is in s.current for a moment more: the answer may
// have been read by then. The caller must hold s.mu.
func (s *Session) runsLocked() *Execution {
	if c := s.current; c != nil && c.state != StateFinished {
		return c
	}
	return nil
}

// run takes one execution from preparing to its end.
func (s *Session) run(e *Execution) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.current, s.lastUsed = nil, time.Now()
		s.watchIdleLocked()
	}()
	k, err := s.ready(e)
	if err == nil && e.ctx.Err() != nil { // cancelled in the last moment of preparing
		err = context.Cause(e.ctx)
	}
	if err != nil {
		s.manager.marks.InVain()
		s.failed(e, err)
		return
	}
	if err := k.AwaitTurn(e.ctx, func(words string) { s.behind(e, words) }); err != nil {
		s.failed(e, err)
		return
	}
	if others := k.Others(); others != "" {
		s.tell(others)
	}
	made := s.watchFiles(k)
	request := s.kernelRequest(e)
	if e.request.Notebook != nil {
		s.runNotebook(e, k, request, made)
		return
	}
	running, err := s.begin(e, k, request)
	if err != nil {
		s.failed(e, err)
		return
	}
	if limit := e.request.Timeout; limit > 0 {
		timer := time.AfterFunc(limit, func() { s.timeOut(e) })
		defer timer.Stop()
	}
	select {
	case <-running.Ending():
	case <-k.Done():
	}
	s.noteFiles(e, made)
	running.Finish()
	s.noteOthers(e, k)
	s.conclude(e, k, running.Result())
}

// noteOthers notes what other clients ran before e in the kernel's own queue.
func (s *Session) noteOthers(e *Execution, k *kernel.Kernel) {
	others := k.Others()
	if others == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.notices = append(e.notices, others)
}

// behind says that e waits for another client of the kernel.
func (s *Session) behind(e *Execution, words string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.state != StateQueued || e.activity != words {
		e.setLocked(StateQueued, words)
	}
}

// begin hands code of e to the kernel. An error means that the kernel is gone.
func (s *Session) begin(e *Execution, k *kernel.Kernel, r kernel.Request) (*kernel.Execution, error) {
	s.manager.marks.Ran()
	running, err := k.Begin(r)
	if err != nil {
		s.died(k) // it died while idle; the watcher may not have seen it yet
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := e.running != nil // with an earlier cell
	e.kernel, e.running, e.generation = k, running, s.generation
	e.joined = k.Info().Joined
	if begun {
		e.nextCellLocked()
		return running, nil
	}
	if s.env != nil {
		e.env, e.python = s.env.Label(), s.env.Info.Version
	}
	e.delivered = Cursor(first(running.Range()))
	e.setLocked(StateRunning, "")
	return running, nil
}

// noteFiles notes what the run made.
func (s *Session) noteFiles(e *Execution, made madeFiles) {
	s.mu.Lock()
	stored := e.stored
	s.mu.Unlock()
	files, total := made(stored)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.files, e.filesTotal = files, total
}

func (s *Session) failed(e *Execution, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(e, err)
}

// failLocked ends an execution that has not run. The caller must hold s.mu.
func (s *Session) failLocked(e *Execution, err error) {
	switch {
	case s.loss != nil:
		s.notRunLocked(e)
	case e.ctx.Err() != nil:
		e.finishLocked(OutcomeCancelled, context.Cause(e.ctx))
	default:
		e.finishLocked(OutcomeFailed, err)
	}
}

// noteBookLocked adds news of the session's notebook. Where the first thing to tell is that
// it cannot be written there, or is elsewhere, nothing says that it is kept. The caller
// must hold session.mu.
func (e *Execution) noteBookLocked(news []string) {
	if len(news) > 0 {
		told, untold := e.notices[:e.noticed], slices.Clone(e.notices[e.noticed:]) // a report may have them
		e.notices = slices.Concat(told, slices.DeleteFunc(untold, isNotebookNotice))
	}
	e.notices = append(e.notices, news...)
}

// kernelRequest is what the kernel is asked to do for e.
func (s *Session) kernelRequest(e *Execution) kernel.Request {
	r := kernel.Request{ID: e.id, Code: e.request.Code, AllowInput: true}
	if e.request.Script || e.request.Notebook != nil {
		r.Script = e.request.File
	} else {
		r.File = e.request.File
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Refresh, s.refresh = s.refresh, false
	r.Reload, s.reload = s.reload, nil
	e.notices, s.news = append(e.notices, s.news...), nil
	e.noteBookLocked(s.manager.books.News(s.name))
	return r
}

func first[A, B any](a A, _ B) A { return a }

// conclude ends e with what the kernel said. When the kernel is gone, what waits
// behind e was meant for its variables and is not run.
func (s *Session) conclude(e *Execution, k *kernel.Kernel, r kernel.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r = e.asScript(r)
	e.noteHitsLocked(k)
	e.noteRefusalLocked(k, r)
	if r.Exit == nil {
		s.deaths = 0
	} else {
		if s.kernel == k { // else it is counted: it died before the run was known, or was ended on purpose
			s.deaths++
		}
		e.exit = r.Exit
		s.dropLocked(k)
		s.loss = nil // this answer tells it
		told := *r.Exit
		told.Lost = kernel.Lost{} // the same
		for _, w := range s.queue.drain() {
			w.exit = &told
			w.finishLocked(OutcomeNotRun, nil)
		}
	}
	e.exitStatus = r.ExitStatus
	if r.ExecutionCount > 0 && e.request.File == "" && !e.request.Script {
		s.cells.Add(e.generation, r.ExecutionCount, e.request.Code)
	}
	if s.replaced = r.Replaced; r.Exit != nil {
		s.replaced = nil
	}
	if hint := s.confined.Hint(r.Ename, r.Evalue); hint != "" {
		e.notices = append(e.notices, hint)
	}
	e.finishLocked(e.endLocked(r), nil)
	select {
	case <-k.Done(): // it died right after the run had ended well
		s.lostLocked(k)
	default:
	}
}

// dropLocked forgets a dead kernel. The caller must hold s.mu.
func (s *Session) dropLocked(k *kernel.Kernel) {
	if s.kernel == k {
		s.kernel = nil
		s.wg.Go(k.Close)
	}
}

// died notes the death of an idle kernel, to be told by the next answer.
func (s *Session) died(k *kernel.Kernel) {
	<-k.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.running != nil && s.current.state != StateFinished {
		return // conclude tells it
	}
	s.lostLocked(k)
}

// lostLocked notes that the kernel died while nothing ran: what waits is not run,
// and the next answer tells it. The caller must hold s.mu.
func (s *Session) lostLocked(k *kernel.Kernel) {
	if s.kernel != k {
		return
	}
	s.deaths++
	exit := k.Exit()
	s.loss = &Loss{Generation: s.generation, Exit: &exit, At: time.Now()}
	s.dropLocked(k)
	for _, w := range s.queue.drain() {
		w.exit = s.loss.Exit
		w.finishLocked(OutcomeNotRun, nil)
	}
}

// close ends the session: its queue is cancelled, its kernel asked to exit until
// ctx ends and killed then.
func (s *Session) close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	if s.idleTimer != nil {
		s.idleTimer.Stop()
	}
	k := s.kernel
	s.kernel, s.env = nil, nil // its runs can be asked for long after it
	if s.current != nil {
		s.current.noteLocked(Stop{By: ByServer})
	}
	for _, w := range s.queue.drain() {
		w.finishLocked(OutcomeCancelled, ErrClosed)
	}
	s.mu.Unlock()
	s.cancel()
	if k != nil {
		k.Shutdown(ctx)
	}
	s.wg.Wait()
	s.watched.Do(s.watcher.Close)
}
