package streamable

import (
	"errors"
	"sync"
)

// event is a message of a stream that the client must get.
type event struct {
	line   []byte
	answer bool
	// delivered is called once when the client has the event, nil for nothing to do.
	delivered func()
}

// errNoStream is why a client is not asked that takes no events.
var errNoStream = errors.New("the client takes no stream of events for its request (Accept)")

// maxStanding bounds the messages that wait for a client's own stream.
const maxStanding = 32

// stream is what one request causes, or what belongs to none. It outlives the HTTP
// request that it is written to: a client whose stream was cut can resume it.
type stream struct {
	name string
	// answered is called before the answer can be sent, closed when nothing more comes.
	answered, closed func(*stream)
	// plain is of a client that takes only JSON.
	plain bool
	// standing is a stream without an end, of which the oldest events go.
	standing bool

	mu       sync.Mutex // protects the fields below
	dropped  int        // events that went from the front
	events   []event
	report   []byte // the newest that was not sent
	over     bool
	lost     bool // nothing is to be sent any more: given up, or its connection has ended
	eventful bool // event ids were sent, so that it can be resumed
	sent     int  // number of the last event that was sent, -1 for none
	reader   *reader
	changed  chan struct{} // closed and replaced at each change
}

// reader is an HTTP response that takes the stream, one at a time.
type reader struct {
	replaced chan struct{} // closed when another one has come
	left     chan struct{} // closed when it is gone
}

func newStream(name string) *stream {
	nothing := func(*stream) {}
	return &stream{name: name, answered: nothing, closed: nothing, sent: -1, changed: make(chan struct{})}
}

func (s *stream) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Report implements [rpc.Stream].
func (s *stream) Report(line []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.plain || s.reader == nil || s.report != nil {
		return false
	}
	s.report = line
	s.changedLocked()
	return true
}

// Ask implements [rpc.Stream].
func (s *stream) Ask(line []byte) error {
	if s.plain {
		return errNoStream
	}
	s.add(event{line: line})
	return nil
}

// Answer implements [rpc.Stream].
func (s *stream) Answer(line []byte, delivered func()) {
	s.answered(s)
	done := make(chan struct{})
	e := event{line: line, answer: true}
	if delivered != nil {
		e.delivered = func() { delivered(); close(done) }
	}
	r := s.add(e)
	if r == nil || delivered == nil {
		return // it is told again, unless the client resumes the stream
	}
	select {
	case <-done:
	case <-r.left:
	}
}

// add puts an event onto the stream and returns who reads it, nil for nobody.
func (s *stream) add(e event) *reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		return nil
	}
	s.report = nil // it would come late
	s.events = append(s.events, e)
	if s.standing && len(s.events) > maxStanding {
		s.events = s.events[1:]
		s.dropped++
	}
	s.changedLocked()
	return s.reader
}

// Close implements [rpc.Stream].
func (s *stream) Close() {
	s.mu.Lock()
	was := s.over
	s.over = true
	s.changedLocked()
	s.mu.Unlock()
	if !was {
		s.closed(s)
	}
}

// giveUp ends the stream without what was not sent yet.
func (s *stream) giveUp() {
	s.mu.Lock()
	s.lost = true
	s.events, s.report = nil, nil
	s.mu.Unlock()
	s.Close()
}

// bytes is what the stream holds in memory, and whether it can be resumed.
func (s *stream) bytes() (n int, resumable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		n += len(e.line)
	}
	return n, s.eventful && !s.lost
}

// attach makes r the one who reads; another one has to go.
func (s *stream) attach() *reader {
	r := &reader{replaced: make(chan struct{}), left: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader != nil {
		close(s.reader.replaced)
	}
	s.reader = r
	return r
}

func (s *stream) detach(r *reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader == r {
		s.reader, s.report = nil, nil
	}
	close(r.left)
}

// next is what comes after an event, by its number.
type next struct {
	event   *event
	number  int
	report  []byte
	ended   bool // nothing more comes
	changed <-chan struct{}
}

// after returns what to send after the event of that number, -1 for none.
func (s *stream) after(number int) next {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := max(number+1-s.dropped, 0)
	switch {
	case i < len(s.events):
		e := s.events[i]
		return next{event: &e, number: i + s.dropped}
	case s.report != nil:
		line := s.report
		s.report = nil
		return next{report: line}
	}
	return next{ended: s.over, changed: s.changed}
}

// wrote notes that an event was sent.
func (s *stream) wrote(n next) {
	s.mu.Lock()
	s.sent = max(s.sent, n.number)
	delivered := n.event.delivered
	if i := n.number - s.dropped; i >= 0 && i < len(s.events) {
		delivered = s.events[i].delivered // another reader may have told it
		s.events[i].delivered = nil
	}
	s.mu.Unlock()
	if delivered != nil {
		delivered()
	}
}

// resumable notes that event ids go out.
func (s *stream) resumable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eventful = true
}

// unsent is the number of the last event that was sent.
func (s *stream) lastSent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}
