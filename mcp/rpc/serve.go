package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// ErrConnectionClosed is the cause a call's context is cancelled with when the
// client has gone.
var ErrConnectionClosed = errors.New("connection closed")

// Defaults of [Options]. Their sum bounds the end after EOF; a stop by
// signal has StopTimeout alone, and some hosts kill within half a second.
const (
	DefaultMaxLine     = 64 << 20
	DefaultGrace       = 500 * time.Millisecond
	DefaultStopTimeout = 100 * time.Millisecond
)

// Options are the limits of one connection. The zero value means the defaults.
type Options struct {
	// MaxLine is the longest line read, in bytes without its newline. A longer
	// one is answered with an error and skipped. 0 means DefaultMaxLine.
	MaxLine int
	// Grace is how long calls in flight may go on after the client's last line
	// (EOF) before their contexts are cancelled. 0 means DefaultGrace, negative none.
	Grace time.Duration
	// StopTimeout is how long Serve waits for handlers whose contexts are
	// cancelled before it returns without them. 0 means DefaultStopTimeout, negative none.
	StopTimeout time.Duration
	// Turn names the queue into which a tool call puts its work, "" for none. Calls
	// of one queue begin in the order in which they were sent: each after the one
	// before has called [Queued]. It must be quick, and must not keep arguments,
	// which may be nil. nil means that no calls take turns.
	Turn func(tool string, arguments json.RawMessage) (queue string)
	// AfterPanic ends the answer to a call whose tool panicked: what the model
	// should know of the state that is left.
	AfterPanic string
	// Logger gets panics (with their stack) and what the client did wrong. nil discards.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxLine <= 0 {
		o.MaxLine = DefaultMaxLine
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = DefaultStopTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Serve speaks MCP, one JSON-RPC message a line, on one connection until it
// ends: until r ends (EOF is a normal end: nil), w refuses a write, or ctx is
// done (its cause is returned). It takes any reader and writer and closes
// neither; any number of connections may share srv.
//
// Every request runs in its own goroutine, so no call waits for another here,
// but for those that take turns, until the one before is queued. Only initialize
// is handled in the read loop, because what follows it depends on it. When the
// connection ends, calls in flight are cancelled with cause [ErrConnectionClosed]
// (or ctx's own) and Serve waits for them at most StopTimeout; their answers are
// still written until it returns. Where w is a [Receipts], an answer counts as
// delivered when the client has it; where it is [Streams], each request has a stream
// of its own. A Read that is blocked in r cannot be
// interrupted: its goroutine ends when r does.
func Serve(ctx context.Context, srv *server.MCPServer, r io.Reader, w io.Writer, opts Options) error {
	opts = opts.withDefaults()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(ErrConnectionClosed)

	c := newConnection(srv, w, opts)
	defer c.close()
	if err := srv.RegisterSession(ctx, c); err != nil {
		return fmt.Errorf("registering connection: %w", err)
	}
	defer srv.UnregisterSession(context.WithoutCancel(ctx), c.SessionID())
	ctx = srv.WithContext(ctx, c)

	ended := make(chan error, 1)
	go c.forwardNotifications()
	go func() { ended <- c.readAll(ctx, r, opts.MaxLine) }()

	var err error
	select {
	case err = <-ended:
		if errors.Is(err, io.EOF) {
			err = nil
		} else {
			err = fmt.Errorf("reading from client: %w", err)
		}
		c.finishCalls(ctx, opts.Grace)
	case <-c.broken:
		err = fmt.Errorf("writing to client: %w", c.writeErr)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}

	idle := c.refuseCalls()
	cancel(ErrConnectionClosed)
	if !waitFor(idle, opts.StopTimeout) {
		opts.Logger.Warn("connection ended with calls that do not stop", "calls", c.running())
	}
	return err
}

// finishCalls lets the calls in flight answer after the client's last line. A
// subscription never ends by itself, so it is ended first.
func (c *connection) finishCalls(ctx context.Context, grace time.Duration) {
	idle := c.refuseCalls()
	c.cancelListeners(ErrConnectionClosed)
	if grace < 0 {
		return
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	case <-c.broken:
	case <-ctx.Done():
	}
}

// waitFor reports whether done was closed within d.
func waitFor(done <-chan struct{}, d time.Duration) bool {
	select {
	case <-done:
		return true
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
