package zmq

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
)

// PairEnd is one end of a channel in memory, for tests. What is sent on one end
// is received on the other, in order; any number of messages wait. It
// implements Channel and may be used from any goroutine.
type PairEnd struct {
	out, in *pairQueue
}

// NewPair returns the two ends of a channel in memory.
func NewPair() (a, b *PairEnd) {
	ab, ba := newPairQueue(), newPairQueue()
	return &PairEnd{out: ab, in: ba}, &PairEnd{out: ba, in: ab}
}

// Send copies the frames to the other end. It never blocks.
func (e *PairEnd) Send(frames [][]byte) error { return e.Refuse(frames, nil) }

// Refuse sends frames with an error beside them, as Recv returns a message of
// which something was refused.
func (e *PairEnd) Refuse(frames [][]byte, refusal error) error {
	kept := make([][]byte, len(frames))
	for i, f := range frames {
		kept[i] = bytes.Clone(f)
	}
	if err := e.out.put(pairMessage{kept, refusal}); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	return nil
}

// Recv waits for a message. When the other end was closed it returns what was
// sent before, then io.EOF.
func (e *PairEnd) Recv() ([][]byte, error) {
	m, err := e.in.get()
	if err != nil {
		return nil, fmt.Errorf("receiving: %w", err)
	}
	return m.frames, m.refusal
}

// Reuse spoils what a [Conn] would use again, so that a test sees who keeps it.
func (e *PairEnd) Reuse(frames [][]byte) {
	for _, f := range frames {
		if len(f) >= reuseLeast {
			clear(f)
		}
	}
}

// Close closes this end; the other sees the end of the stream.
func (e *PairEnd) Close() error {
	e.in.closeReader()
	e.out.closeWriter()
	return nil
}

type pairMessage struct {
	frames  [][]byte
	refusal error
}

// pairQueue is one direction.
type pairQueue struct {
	mu     sync.Mutex // protects the fields below
	change sync.Cond
	queue  []pairMessage
	// reader and writer are what a Recv and a Send find; nil while open.
	reader, writer error
}

func newPairQueue() *pairQueue {
	q := &pairQueue{}
	q.change.L = &q.mu
	return q
}

func (q *pairQueue) put(m pairMessage) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.writer != nil {
		return q.writer
	}
	q.queue = append(q.queue, m)
	q.change.Signal()
	return nil
}

func (q *pairQueue) get() (pairMessage, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.reader != net.ErrClosed {
		if len(q.queue) > 0 {
			m := q.queue[0]
			q.queue = q.queue[1:]
			return m, nil
		}
		if q.reader != nil {
			return pairMessage{}, q.reader
		}
		q.change.Wait()
	}
	return pairMessage{}, q.reader
}

// closeReader is called by the receiving end: it reads no more, and the sending
// end finds a broken connection.
func (q *pairQueue) closeReader() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reader, q.queue = net.ErrClosed, nil
	if q.writer == nil {
		q.writer = io.ErrClosedPipe
	}
	q.change.Broadcast()
}

// closeWriter is called by the sending end: the receiving end reads what is
// left, then the end of the stream.
func (q *pairQueue) closeWriter() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writer = net.ErrClosed
	if q.reader == nil {
		q.reader = io.EOF
	}
	q.change.Broadcast()
}
