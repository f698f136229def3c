package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// errDuplicateID and errRefusing are why a call is not taken.
var (
	errDuplicateID = errors.New("a request with this id is still running; each request needs an id of its own")
	errRefusing    = errors.New("the connection is ending")
)

// readAll reads and dispatches lines until r ends. It returns the reader's error.
func (c *connection) readAll(ctx context.Context, r io.Reader, maxLine int) error {
	lines := newLineReader(r, maxLine)
	for first := true; ; first = false {
		line, err := lines.next()
		var long *longLineError
		switch {
		case errors.As(err, &long):
			c.log.Warn("line too long", "bytes", long.size, "limit", long.limit)
			c.sendError(long.id(), mcp.INVALID_REQUEST, long.Error())
			continue
		case err != nil:
			return err
		}
		if first {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // some shells begin a pipe with a BOM
		}
		if len(bytes.TrimSpace(line)) > 0 {
			c.dispatch(ctx, line)
		}
	}
}

// dispatch handles one line. It never waits for a handler, except initialize.
func (c *connection) dispatch(ctx context.Context, line []byte) {
	m, err := parseMessage(line)
	var bad *messageError
	if errors.As(err, &bad) {
		c.log.Warn("bad message", "error", bad)
		c.sendError(bad.id, bad.code, bad.text)
		return
	}
	switch {
	case m.method == "":
		c.answered(m)
	case m.method == string(mcp.MethodNotificationCancelled):
		c.cancelCall(m)
	case m.key == "":
		c.notifyHandlers(ctx, m)
	default:
		c.start(ctx, m)
	}
}

// notifyHandlers hands a notification to the SDK.
func (c *connection) notifyHandlers(ctx context.Context, m *message) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic in notification handler", "method", m.method, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	c.srv.HandleMessage(ctx, m.raw)
}

// start registers a request as in flight, now, so that a cancel in the next
// line finds it, and runs it.
func (c *connection) start(ctx context.Context, m *message) {
	call := &call{id: m.id, key: m.key, method: m.method, tool: m.params.Name, begun: time.Now(), modern: m.modern(), conn: c}
	if token := m.params.Meta.ProgressToken; token != nil && !isNull(token) {
		call.progress = &Progress{conn: c, call: call, token: token}
	}
	if streams, ok := c.out.(Streams); ok {
		call.stream = streams.Stream(call.key)
	}
	ctx, call.cancel = context.WithCancelCause(ctx)
	call.ctx = context.WithValue(ctx, callKey{}, call)

	queue := ""
	if c.turn != nil && m.method == string(mcp.MethodToolsCall) {
		queue = c.turn(call.tool, m.params.Arguments)
	}
	m.params.Arguments = nil // as long as the call's code, and in m.raw too
	if err := c.begin(call, queue); err != nil {
		call.cancel(err)
		if errors.Is(err, errDuplicateID) {
			c.answerTo(call, mcp.INVALID_REQUEST, err.Error())
		}
		call.closeStream()
		return
	}
	run := func() {
		defer c.end(call)
		defer c.endTurn(call)
		c.run(call, m)
	}
	if m.method == string(mcp.MethodInitialize) {
		run()
	} else {
		c.spares.run(run)
	}
}

func (c *connection) begin(call *call, queue string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusing {
		return errRefusing
	}
	if _, running := c.calls[call.key]; running {
		return errDuplicateID
	}
	c.calls[call.key] = call
	c.active++
	call.previous = c.delivered
	c.takeTurnLocked(call, queue)
	return nil
}

func (c *connection) end(call *call) {
	call.cancel(nil)
	call.closeStream()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freeIDLocked(call)
	c.active--
	if c.refusing && c.active == 0 {
		close(c.idle)
	}
}

func (c *connection) freeIDLocked(call *call) {
	if c.calls[call.key] == call {
		delete(c.calls, call.key)
	}
}

// givenUp is asked right before an answer is written. The answer is either
// given up because of a cancel, or from now on beyond cancelling, and its id
// free: the client may use it again as soon as it has read the answer.
func (c *connection) givenUp(call *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freeIDLocked(call)
	return call.cancelled.Load()
}

// refuseCalls takes no more calls. The channel it returns is closed when none
// is left.
func (c *connection) refuseCalls() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.refusing {
		c.refusing = true
		if c.active == 0 {
			close(c.idle)
		}
	}
	return c.idle
}

// running returns how many calls are in flight.
func (c *connection) running() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.active
}

// cancelListeners ends the subscription streams.
func (c *connection) cancelListeners(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, call := range c.calls {
		if call.method == string(mcp.MethodSubscriptionsListen) {
			call.cancel(cause)
		}
	}
}

// cancelCall handles notifications/cancelled. What is not in flight (answered
// already, or never asked) is ignored, as the specification wants it.
func (c *connection) cancelCall(m *message) {
	key, ok := idKey(m.params.RequestID)
	if !ok {
		c.log.Warn("cancel without a request id")
		return
	}
	cancelled := &Cancelled{Reason: reasonText(m.params.Reason)}
	now := time.Now()
	c.mu.Lock()
	call := c.calls[key]
	if call != nil {
		call.cancelled.Store(true)
		c.freeIDLocked(call)
		cancelled.After, cancelled.Earlier = now.Sub(call.begun), c.cancels
		recent := c.cancels[max(0, len(c.cancels)+1-maxEarlier):]
		c.cancels = append(slices.Clone(recent), cancelled.After)
	}
	c.mu.Unlock()
	// initialize must not be cancelled; it runs in this loop, so it never is.
	if call == nil {
		return
	}
	call.cancel(cancelled)
}

// reasonText reads a reason leniently: it should be a string.
func reasonText(reason any) string {
	switch r := reason.(type) {
	case nil:
		return ""
	case string:
		return r
	}
	text, _ := json.Marshal(reason)
	return string(text)
}

// run handles a request and delivers its answer.
func (c *connection) run(call *call, m *message) {
	if call.method == string(mcp.MethodToolsCall) && call.previous != nil {
		select {
		case <-call.previous:
		case <-call.ctx.Done():
		}
	}
	call.awaitTurn()
	if call.ctx.Err() != nil && call.cancelled.Load() {
		return
	}
	reply := c.handle(call, m)
	callbacks := call.answer()
	if reply == nil {
		return
	}
	c.flushNotifications()
	line, err := encodeLine(withID(reply, call.id))
	if err != nil {
		c.log.Error("encoding answer", "method", call.method, "tool", call.tool, "error", err)
		callbacks = nil
		line, err = encodeLine(errorReply(call.id, mcp.INTERNAL_ERROR, "the answer could not be encoded"))
		if err != nil {
			return
		}
	}
	c.deliver(call, line, callbacks)
}

// deliver writes an answer and runs what was registered with AfterDelivery.
// Tool calls that are read after the writing began wait for that, without any
// lock being held.
func (c *connection) deliver(call *call, line []byte, callbacks []func()) {
	if len(callbacks) > 0 {
		done := make(chan struct{})
		c.mu.Lock()
		previous := c.delivered
		c.delivered = done
		c.mu.Unlock()
		defer func() {
			if previous != nil {
				<-previous
			}
			close(done)
		}()
	}
	if call.stream != nil {
		c.answerOn(call, line, callbacks)
		return
	}
	receipt, err := c.writeReceipt(line, func() bool { return c.givenUp(call) })
	if err != nil {
		if !errors.Is(err, errSuppressed) {
			c.log.Debug("sending answer", "method", call.method, "error", err)
		}
		return
	}
	if receipt != nil && len(callbacks) > 0 {
		select {
		case <-receipt:
		case <-call.ctx.Done(): // by the connection's end: an answer cannot be cancelled any more
			return
		}
	}
	for _, callback := range callbacks {
		c.runCallback(callback)
	}
}

func (c *connection) runCallback(callback func()) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic after delivery", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	callback()
}

// handle runs the SDK on a request. A panic in a tool becomes the call's
// result: the model reads it, and nothing else of the process is touched.
func (c *connection) handle(call *call, m *message) (reply mcp.JSONRPCMessage) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		c.log.Error("panic in handler", "method", call.method, "tool", call.tool, "panic", p, "stack", string(debug.Stack()))
		if call.method != string(mcp.MethodToolsCall) {
			reply = errorReply(call.id, mcp.INTERNAL_ERROR, fmt.Sprintf("internal error in %s", call.method))
			return
		}
		result := mcp.NewToolResultError(strings.TrimSpace(fmt.Sprintf("The tool %s failed because of a bug in this server (%.300s). %s", call.tool, fmt.Sprint(p), c.afterPanic)))
		if call.modern {
			result.ResultType = mcp.ResultTypeComplete
		}
		reply = mcp.NewJSONRPCResultResponse(mcp.NewRequestId(call.id), *result)
	}()
	return c.srv.HandleMessage(call.ctx, m.raw)
}

// withID puts the request's id into its reply byte for byte: the SDK reads ids
// as floating point numbers, and large ones come back changed.
func withID(reply mcp.JSONRPCMessage, id json.RawMessage) mcp.JSONRPCMessage {
	switch r := reply.(type) {
	case mcp.JSONRPCResponse:
		r.ID = mcp.NewRequestId(id)
		return r
	case mcp.JSONRPCError:
		r.ID = mcp.NewRequestId(id)
		return r
	}
	return reply
}
