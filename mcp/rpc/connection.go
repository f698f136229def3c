package rpc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// connection is one client: its writer, its calls in flight, our requests to
// it, and what it said about itself. It is the SDK's ClientSession, with
// logging, client info and elicitation.
//
// Goroutines:
//  1. the read loop (started by Serve) ends with the reader;
//  2. forwardNotifications (started by Serve) ends with close;
//  3. one for each request (started by start) ends with its handler.
type connection struct {
	srv *server.MCPServer
	log *slog.Logger
	id  string
	// turn and afterPanic are those of Options.
	turn       func(tool string, arguments json.RawMessage) string
	afterPanic string
	out        io.Writer
	writer     chan struct{} // holds a token while somebody writes to out
	broken     chan struct{} // closed when out refused a write
	done       chan struct{} // closed when the connection is over
	spares     *spares       // goroutines of calls
	// writeErr is set before broken is closed.
	writeErr  error
	closeOnce sync.Once

	notifications chan mcp.JSONRPCNotification
	// notified means that something may have gone through notifications.
	notified atomic.Bool

	// noForms is until when the client is not asked by form, in nanoseconds.
	noForms atomic.Int64
	// told is what [FirstTold] remembers.
	told struct {
		sync.Mutex
		what map[string]bool
	}

	initialized     atomic.Bool
	logLevel        atomic.Value // mcp.LoggingLevel
	clientInfo      atomic.Value // mcp.Implementation
	capabilities    atomic.Value // mcp.ClientCapabilities
	protocolVersion atomic.Value // string

	mu        sync.Mutex       // protects the fields below
	calls     map[string]*call // by id, until answered or cancelled
	active    int              // requests whose goroutine has not ended
	refusing  bool
	idle      chan struct{} // closed when refusing and active is 0
	questions map[string]chan<- *message
	asked     int
	delivered <-chan struct{}  // closed when the last delivery with callbacks is done
	turns     map[string]*turn // by queue: the last turn taken
	// cancels is after how long calls were cancelled; replaced, never changed.
	cancels []time.Duration
}

var (
	_ server.SessionWithLogging         = (*connection)(nil)
	_ server.SessionWithClientInfo      = (*connection)(nil)
	_ server.SessionWithElicitation     = (*connection)(nil)
	_ server.SessionWithProtocolVersion = (*connection)(nil)
)

func newConnection(srv *server.MCPServer, out io.Writer, opts Options) *connection {
	id := rand.Text()
	done := make(chan struct{})
	return &connection{
		srv:           srv,
		log:           opts.Logger.With("connection", id[:6]),
		id:            id,
		turn:          opts.Turn,
		afterPanic:    opts.AfterPanic,
		out:           out,
		writer:        make(chan struct{}, 1),
		broken:        make(chan struct{}),
		done:          done,
		spares:        newSpares(done),
		notifications: make(chan mcp.JSONRPCNotification, maxNotifications),
		calls:         make(map[string]*call),
		idle:          make(chan struct{}),
		questions:     make(map[string]chan<- *message),
		turns:         make(map[string]*turn),
	}
}

// close ends the connection: nothing is written to out any more.
func (c *connection) close() { c.closeOnce.Do(func() { close(c.done) }) }

// errSuppressed is the result of a write that was given up on purpose.
var errSuppressed = errors.New("message suppressed")

// Receipts is a writer that knows when what was written to it has reached the
// client: a process stands between the two, and may end before it has handed it on.
type Receipts interface {
	io.Writer
	// Receipt returns a channel that is closed when all that has been written so
	// far has reached the client. It is not called while a Write is under way.
	Receipt() <-chan struct{}
}

// write writes one line when nobody else does, unless suppressed says at that
// moment that it must not be sent.
func (c *connection) write(line []byte, suppressed func() bool) error {
	_, err := c.writeReceipt(line, suppressed)
	return err
}

// writeReceipt is write. The channel is closed when the client has the line, nil
// when it has it at once.
func (c *connection) writeReceipt(line []byte, suppressed func() bool) (<-chan struct{}, error) {
	select {
	case c.writer <- struct{}{}:
	case <-c.done:
		return nil, ErrConnectionClosed
	}
	defer func() { <-c.writer }()
	if err := c.writeHolding(line, suppressed); err != nil {
		return nil, err
	}
	if receipts, ok := c.out.(Receipts); ok {
		return receipts.Receipt(), nil
	}
	return nil, nil
}

// tryWrite is write, but gives up and returns false when somebody is writing.
func (c *connection) tryWrite(line []byte, suppressed func() bool) bool {
	select {
	case c.writer <- struct{}{}:
		defer func() { <-c.writer }()
		return c.writeHolding(line, suppressed) == nil
	default:
		return false
	}
}

func (c *connection) writeHolding(line []byte, suppressed func() bool) error {
	select {
	case <-c.done:
		return ErrConnectionClosed
	case <-c.broken:
		return ErrConnectionClosed
	default:
	}
	if suppressed != nil && suppressed() {
		return errSuppressed
	}
	if _, err := c.out.Write(line); err != nil {
		// Half a line may be out: nothing sensible can follow it.
		c.writeErr = err
		close(c.broken)
		return err
	}
	return nil
}

// send encodes and writes a message that belongs to no call.
func (c *connection) send(v any) error {
	line, err := encodeLine(v)
	if err != nil {
		return fmt.Errorf("encoding message: %w", err)
	}
	return c.write(line, nil)
}

// sendWithin encodes and writes a message that the call of ctx caused.
func (c *connection) sendWithin(ctx context.Context, v any) error {
	call, ok := ctx.Value(callKey{}).(*call)
	if !ok || call.stream == nil {
		return c.send(v)
	}
	line, err := encodeLine(v)
	if err != nil {
		return fmt.Errorf("encoding message: %w", err)
	}
	return call.stream.Ask(line)
}

func (c *connection) sendError(id json.RawMessage, code int, text string) {
	if err := c.send(errorReply(id, code, text)); err != nil {
		c.log.Debug("sending error", "error", err)
	}
}

func errorReply(id json.RawMessage, code int, text string) mcp.JSONRPCError {
	reply := mcp.JSONRPCError{
		JSONRPC: mcp.JSONRPC_VERSION,
		Error:   mcp.NewJSONRPCErrorDetails(code, text, nil),
	}
	if id != nil {
		reply.ID = mcp.NewRequestId(id)
	}
	return reply
}

// SessionID implements [server.ClientSession].
func (c *connection) SessionID() string { return c.id }

// Initialize implements [server.ClientSession].
func (c *connection) Initialize() { c.initialized.Store(true) }

// Initialized implements [server.ClientSession].
func (c *connection) Initialized() bool { return c.initialized.Load() }

// SetLogLevel implements [server.SessionWithLogging].
func (c *connection) SetLogLevel(level mcp.LoggingLevel) { c.logLevel.Store(level) }

// GetLogLevel implements [server.SessionWithLogging].
func (c *connection) GetLogLevel() mcp.LoggingLevel {
	if level, ok := c.logLevel.Load().(mcp.LoggingLevel); ok {
		return level
	}
	return mcp.LoggingLevelError
}

// GetClientInfo implements [server.SessionWithClientInfo].
func (c *connection) GetClientInfo() mcp.Implementation {
	info, _ := c.clientInfo.Load().(mcp.Implementation)
	return info
}

// SetClientInfo implements [server.SessionWithClientInfo].
func (c *connection) SetClientInfo(info mcp.Implementation) { c.clientInfo.Store(info) }

// GetClientCapabilities implements [server.SessionWithClientInfo].
func (c *connection) GetClientCapabilities() mcp.ClientCapabilities {
	capabilities, _ := c.capabilities.Load().(mcp.ClientCapabilities)
	return capabilities
}

// SetClientCapabilities implements [server.SessionWithClientInfo].
func (c *connection) SetClientCapabilities(capabilities mcp.ClientCapabilities) {
	c.capabilities.Store(capabilities)
}

// ProtocolVersion implements [server.SessionWithProtocolVersion].
func (c *connection) ProtocolVersion() string {
	version, _ := c.protocolVersion.Load().(string)
	return version
}

// SetProtocolVersion records what the handshake agreed on.
func (c *connection) SetProtocolVersion(version string) { c.protocolVersion.Store(version) }

// NotificationChannel implements [server.ClientSession]. The SDK sends to it
// without waiting; forwardNotifications reads it.
func (c *connection) NotificationChannel() chan<- mcp.JSONRPCNotification {
	c.notified.Store(true)
	return c.notifications
}

// maxNotifications is how many notifications of the SDK may wait: it drops what finds
// no room. The list of tools never changes, so there are few.
const maxNotifications = 64

// flushMethod marks a notification that is only a place in the queue.
const flushMethod = "$/flush"

// forwardNotifications writes what the SDK put into the channel.
func (c *connection) forwardNotifications() {
	for {
		select {
		case n := <-c.notifications:
			if flushed, ok := n.Params.Meta[flushMethod].(chan struct{}); ok {
				close(flushed)
			} else if err := c.send(n); err != nil {
				c.log.Debug("sending notification", "method", n.Method, "error", err)
			}
		case <-c.done:
			return
		}
	}
}

// flushNotifications waits until what is in the channel was written: what a
// handler sent must be out before its answer (the acknowledgement of
// subscriptions/listen, for one).
func (c *connection) flushNotifications() {
	if !c.notified.Load() {
		return
	}
	flushed := make(chan struct{})
	var n mcp.JSONRPCNotification
	n.Params.Meta = map[string]any{flushMethod: flushed}
	select {
	case c.notifications <- n:
	case <-c.done:
		return
	}
	select {
	case <-flushed:
	case <-c.done:
	}
}

// RequestElicitation implements [server.SessionWithElicitation]: it asks the
// client and waits for its answer, ctx, or the end of the connection. When ctx
// ends first the client is told that the question is off.
func (c *connection) RequestElicitation(ctx context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	if !ClientFrom(ctx).Elicitation {
		return nil, server.ErrElicitationNotSupported
	}
	reply, err := c.ask(ctx, string(mcp.MethodElicitationCreate), request.Params)
	if err != nil {
		return nil, fmt.Errorf("asking the client: %w", err)
	}
	var result mcp.ElicitationResult
	if err := json.Unmarshal(reply, &result); err != nil {
		return nil, fmt.Errorf("decoding the client's answer: %w", err)
	}
	return &result, nil
}

// ask sends a request of ours and waits for its result. Our ids are strings of
// our own, so that no client takes them for its own numbers.
func (c *connection) ask(ctx context.Context, method string, params any) (json.RawMessage, error) {
	answer := make(chan *message, 1)
	c.mu.Lock()
	c.asked++
	id := "srv-" + strconv.Itoa(c.asked)
	c.questions[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.questions, id)
		c.mu.Unlock()
	}()

	request := struct {
		JSONRPC string `json:"jsonrpc"`
		ID      string `json:"id"`
		Method  string `json:"method"`
		Params  any    `json:"params,omitempty"`
	}{mcp.JSONRPC_VERSION, id, method, params}
	if err := c.sendWithin(ctx, request); err != nil {
		return nil, err
	}
	select {
	case m := <-answer:
		return m.answerOf()
	case <-c.done:
		return nil, ErrConnectionClosed
	case <-ctx.Done():
		_ = c.sendWithin(ctx, notification{
			JSONRPC: mcp.JSONRPC_VERSION,
			Method:  string(mcp.MethodNotificationCancelled),
			Params:  map[string]any{"requestId": id, "reason": context.Cause(ctx).Error()},
		})
		return nil, context.Cause(ctx)
	}
}

// answered hands a response to whoever asked.
func (c *connection) answered(m *message) {
	var id string
	if json.Unmarshal(m.id, &id) == nil {
		c.mu.Lock()
		answer := c.questions[id]
		delete(c.questions, id)
		c.mu.Unlock()
		if answer != nil {
			answer <- m // has room for its one answer
			return
		}
	}
	c.log.Debug("response to nothing we asked", "id", string(m.id))
}

// answerOf returns a response's result or its error.
func (m *message) answerOf() (json.RawMessage, error) {
	if m.err == nil || isNull(m.err) {
		return m.result, nil
	}
	var refused struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(m.err, &refused); err != nil {
		return nil, fmt.Errorf("client refused: %s", m.err)
	}
	return nil, fmt.Errorf("client refused: %s (%d)", refused.Message, refused.Code)
}
