package rpc

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
)

// Calls that put code into a session's queue take turns, so that a client that
// sends several without waiting has them run in the order in which it sent them,
// although every call has a goroutine of its own. They take turns by session: one
// that is long in coming to its queue delays no other session.
type turn struct {
	session string
	// before is closed when the call before has queued its code, nil for none.
	before <-chan struct{}
	done   chan struct{} // closed when this one has
}

// Queued tells that the call ctx belongs to has queued its code, or never will:
// the next call for the same session may do so.
func Queued(ctx context.Context) {
	if call, ok := ctx.Value(callKey{}).(*call); ok {
		call.conn.endTurn(call)
	}
}

// takeTurnLocked gives a call of an ordered tool its place, in the order of the
// lines read. The caller must hold c.mu.
func (c *connection) takeTurnLocked(call *call, m *message) {
	if call.method != string(mcp.MethodToolsCall) || !c.ordered[call.tool] {
		return
	}
	var session string
	if json.Unmarshal(m.params.Arguments.Session, &session) != nil || session == "" {
		session = "default"
	}
	call.turn = &turn{session: session, before: c.turns[session], done: make(chan struct{})}
	c.turns[session] = call.turn.done
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

// endTurn lets the next call for the session go on. It may be called twice.
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
	if c.turns[call.turn.session] == call.turn.done {
		delete(c.turns, call.turn.session)
	}
}
