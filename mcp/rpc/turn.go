package rpc

import "context"

// Calls that put work into a queue take turns, so that a client that sends several
// without waiting has them run in the order in which it sent them, although every
// call has a goroutine of its own. They take turns by queue: one that is long in
// coming to its own delays no other.
type turn struct {
	queue string
	// before is closed when the call before has queued its work, nil for none.
	before <-chan struct{}
	done   chan struct{} // closed when this one has
}

// Queued tells that the call ctx belongs to has queued its work, or never will:
// the next call of that queue may do so.
func Queued(ctx context.Context) {
	if call, ok := ctx.Value(callKey{}).(*call); ok {
		call.conn.endTurn(call)
	}
}

// takeTurnLocked gives a call its place in its queue, in the order of the lines
// read. The caller must hold c.mu.
func (c *connection) takeTurnLocked(call *call, queue string) {
	if queue == "" {
		return
	}
	call.turn = &turn{queue: queue, before: c.turns[queue], done: make(chan struct{})}
	c.turns[queue] = call.turn.done
}

// awaitTurn waits until the call may queue its code, or is given up.
func (call *call) awaitTurn() {
	if call.turn == nil || call.turn.before == nil {
		return
	}
	select {
	case <-call.turn.before:
	case <-call.ctx.Done():
	}
}

// endTurn lets the next call of the queue go on. It may be called twice.
func (c *connection) endTurn(call *call) {
	if call.turn == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-call.turn.done:
		return
	default:
	}
	close(call.turn.done)
	if c.turns[call.turn.queue] == call.turn.done {
		delete(c.turns, call.turn.queue)
	}
}
