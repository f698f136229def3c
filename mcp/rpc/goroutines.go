package rpc

import "sync/atomic"

// maxSpare is how many goroutines of a connection wait for the next call.
const maxSpare = 4

// spares runs calls in goroutines that are kept: one that has served a call has
// grown the stack the next one needs, which costs more than everything else a
// warm call does before its handler. Calls never wait for each other: without a
// spare one a new goroutine is started.
type spares struct {
	work  chan func() // unbuffered: only a goroutine that waits takes work
	done  <-chan struct{}
	count atomic.Int32
}

func newSpares(done <-chan struct{}) *spares {
	return &spares{work: make(chan func()), done: done}
}

// run runs f in a goroutine. Those that wait end when done is closed.
func (s *spares) run(f func()) {
	select {
	case s.work <- f:
	default:
		go s.serve(f)
	}
}

func (s *spares) serve(f func()) {
	for {
		f()
		if s.count.Add(1) > maxSpare {
			s.count.Add(-1)
			return
		}
		select {
		case f = <-s.work:
			s.count.Add(-1)
		case <-s.done:
			s.count.Add(-1)
			return
		}
	}
}
