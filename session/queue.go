package session

import (
	"path/filepath"
	"strings"
	"time"
)

// queue is the FIFO of a session: what waits, oldest first. It is plain data;
// the session's mutex protects it.
type queue struct {
	waiting []*Execution
}

// push appends e.
func (q *queue) push(e *Execution) { q.waiting = append(q.waiting, e) }

// pop removes the oldest, or returns nil.
func (q *queue) pop() *Execution {
	if len(q.waiting) == 0 {
		return nil
	}
	e := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return e
}

// remove takes e out and reports whether it was in.
func (q *queue) remove(e *Execution) bool {
	i := q.place(e)
	if i < 0 {
		return false
	}
	q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
	return true
}

// place returns how many wait before e, or -1.
func (q *queue) place(e *Execution) int {
	for i, w := range q.waiting {
		if w == e {
			return i
		}
	}
	return -1
}

// drain removes and returns all.
func (q *queue) drain() []*Execution {
	all := q.waiting
	q.waiting = nil
	return all
}

func (q *queue) len() int { return len(q.waiting) }

// work runs the queue.
func (s *Session) work() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.wake:
		}
		for {
			e := s.take()
			if e == nil {
				break
			}
			s.run(e)
		}
	}
}

// take makes the oldest waiting execution the current one.
func (s *Session) take() *Execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	e := s.queue.pop()
	s.current = e
	if e != nil {
		e.setLocked(StatePreparing, "")
		for _, w := range s.queue.waiting { // something else is before them
			w.wakeLocked()
		}
	}
	return e
}

// Ahead is what a session does while another execution waits in its queue.
type Ahead struct {
	ID    string
	State State // StatePreparing, StateRunning or StateWaiting
	For   time.Duration
	// Line is the first line of its code that says what it does, shortened.
	Line string
	// Prompt is what it asks, of StateWaiting.
	Prompt   string
	Password bool
	// Same is the id of what runs, or waits earlier, with the very same code, or
	// "": clients that lose patience send code again.
	Same string
}

// aheadLocked tells what e waits for, nil when it is next, and how many wait between the
// two. The caller must hold s.mu.
func (s *Session) aheadLocked(e *Execution) (a *Ahead, between int) {
	c, between := s.current, s.queue.place(e)
	if c == nil || c.state == StateFinished { // the worker has not come to the oldest yet
		if between <= 0 {
			return nil, between
		}
		c, between = s.queue.waiting[0], between-1
	}
	a = &Ahead{ID: c.id, State: c.state, For: since(c.asked), Line: c.request.line(), Same: s.sameLocked(e, c)}
	if a.State == StateQueued {
		a.State = StatePreparing
	}
	if c.running == nil {
		return a, between
	}
	a.For = since(c.running.Started())
	if p := c.running.Waiting(); p != nil {
		a.State, a.Prompt, a.Password = StateWaiting, p.Text, p.Password
	}
	return a, between
}

// sameLocked returns the id of what is before e, c first, and has its code, "" for none.
// The caller must hold s.mu.
func (s *Session) sameLocked(e, c *Execution) string {
	if e.request.same(c.request) {
		return c.id
	}
	for _, w := range s.queue.waiting {
		if w == e {
			break
		}
		if w.request.same(e.request) {
			return w.id
		}
	}
	return ""
}

func (r Request) same(other Request) bool {
	if r.Notebook != nil || other.Notebook != nil {
		return false // parameters may tell them apart
	}
	return r.File == other.File && strings.TrimSpace(r.Code) == strings.TrimSpace(other.Code)
}

// maxCodeLine bounds a line of code that is told, in characters.
const maxCodeLine = 80

// line is the line of the code that tells most about it: the first that is neither
// blank nor a comment nor an import; for want of one the first that is no comment,
// or the first there is. Of a script it is its name, with its arguments.
func (r Request) line() string {
	if r.Script {
		return cutLine(strings.Join(append([]string{filepath.Base(r.File)}, r.Arguments...), " "))
	}
	if r.Notebook != nil {
		return cutLine("the notebook " + r.File)
	}
	first, firstImport, open := "", "", false
	for line := range strings.Lines(r.Code) {
		line = strings.TrimSpace(line)
		switch {
		case open: // names of an import, up to its closing parenthesis
			open = !strings.Contains(line, ")")
		case line == "" || strings.HasPrefix(line, "#"):
			if first == "" {
				first = line
			}
		case !importOnly(line):
			return cutLine(line)
		default:
			if firstImport == "" {
				firstImport = line
			}
			open = strings.Contains(line, "(") && !strings.Contains(line, ")")
		}
	}
	if firstImport != "" {
		first = firstImport
	}
	return cutLine(first)
}

// importOnly tells a line that imports and does nothing else.
func importOnly(line string) bool {
	return (strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "from ")) && !strings.Contains(line, ";")
}

func cutLine(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxCodeLine {
			return s[:i] + "…"
		}
	}
	return s
}

// blocked tells a queued execution that the session will not come to it by itself:
// what runs asks a question. changed is closed when that may have changed, nil
// when e is not queued behind anything that runs.
func (e *Execution) blocked() (changed <-chan struct{}, asks bool) {
	s := e.session
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.current
	if e.state != StateQueued || c == nil || c.state == StateFinished {
		return nil, false
	}
	if c.running == nil {
		return c.changedLocked(), false
	}
	changed = c.running.Changed()
	return changed, c.running.Waiting() != nil
}
