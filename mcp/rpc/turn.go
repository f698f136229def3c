package rpc

import "context"

// Calls that put work into a queue take turns, so that a client that sends several
// without waiting has them run in the order in which it sent them, although every
// call has a goroutine of its own. They take turns by queue: one that is long in
// coming to its own delays no other.
type turn struct {
	queue string
	// before is the turn to wait for, nil for none. It stays when the call is given
	// up while it waits: who comes after it waits for that one in its place.
	before *turn
	done   chan struct{} // closed when the work is queued or given up; before is not written after it
}

// last returns the newest of t and those before it that is not done, nil for none.
func (t *turn) last() *turn {
	for t != nil {
		select {
		case <-t.done:
			t = t.before
		default:
			return t
		}
	}
	return nil
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
	c.turns[queue] = call.turn
}

// awaitTurn waits until the call may queue its code, or is given up.
func (call *call) awaitTurn() {
	if call.turn == nil {
		return
	}
	for before := call.turn.before; before != nil; before = before.before {
		select {
		case <-before.done:
		case <-call.ctx.Done():
			return
		}
	}
	call.turn.before = nil
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
	if c.turns[call.turn.queue] != call.turn {
		return
	}
	if last := call.turn.last(); last != nil {
		c.turns[call.turn.queue] = last
	} else {
		delete(c.turns, call.turn.queue)
	}
}
