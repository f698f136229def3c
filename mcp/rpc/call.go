package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Cancelled is the cause of a context whose call the client cancelled
// (notifications/cancelled). The client waits for no answer, and gets none.
type Cancelled struct {
	// Reason is what the client gave, or "".
	Reason string
	// After is the time between the line of the call and that of its cancel.
	After time.Duration
	// Earlier is the same of the connection's earlier cancels, oldest first, the
	// last maxEarlier of them. It must not be changed.
	Earlier []time.Duration
}

// maxEarlier bounds how many cancels a connection remembers.
const maxEarlier = 16

func (c *Cancelled) Error() string {
	if c.Reason == "" {
		return "cancelled by the client"
	}
	return "cancelled by the client: " + c.Reason
}

// CancelOf returns how the client cancelled the call that ctx belongs to, nil if
// it did not. A connection that ended is no cancel.
func CancelOf(ctx context.Context) *Cancelled {
	c, _ := errors.AsType[*Cancelled](context.Cause(ctx))
	return c
}

// Client is what the client of a call said about itself.
type Client struct {
	Name, Version string
	// ProtocolVersion is the revision in effect, "" before any handshake.
	ProtocolVersion string
	// Modern means the stateless era (2026-07-28 and later): the client said
	// all this in the request itself, and answers no requests of ours; ask
	// with an input-required result.
	Modern bool
	// Elicitation means that the client can put a question to its user by form,
	// and has not failed to do so lately: see [HoldElicitation].
	Elicitation bool
}

// showsForms reads a capability: one that names no mode is form mode alone
// (2025-11-25, client/elicitation, "Capabilities").
func showsForms(c *mcp.ElicitationCapability) bool {
	return c != nil && (c.Form != nil || c.URL == nil)
}

// HoldElicitation keeps the connection of the call that ctx belongs to from being
// asked by form for d: [Client].Elicitation is false so long.
func HoldElicitation(ctx context.Context, d time.Duration) {
	if call, ok := ctx.Value(callKey{}).(*call); ok {
		call.conn.noForms.Store(time.Now().Add(d).UnixNano())
	}
}

// maxTold is how many things a connection remembers to have told.
const maxTold = 256

// FirstTold reports whether the connection of the call that ctx belongs to has not been
// told what, and remembers that it has now.
func FirstTold(ctx context.Context, what string) bool {
	call, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return true
	}
	told := &call.conn.told
	told.Lock()
	defer told.Unlock()
	if told.what[what] {
		return false
	}
	if told.what == nil {
		told.what = map[string]bool{}
	}
	if len(told.what) < maxTold && len(what) <= maxTold {
		told.what[what] = true
	}
	return true
}

// held reports whether the connection must not be asked by form now.
func held(ctx context.Context) bool {
	call, ok := ctx.Value(callKey{}).(*call)
	return ok && time.Now().UnixNano() < call.conn.noForms.Load()
}

// ClientFrom returns what is known about the client of the call that ctx
// belongs to: from the request's _meta in the stateless era, else from the
// connection's handshake.
func ClientFrom(ctx context.Context) Client {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		client := Client{Modern: true, ProtocolVersion: info.ProtocolVersion}
		if info.ClientInfo != nil {
			client.Name, client.Version = info.ClientInfo.Name, info.ClientInfo.Version
		}
		client.Elicitation = info.ClientCapabilities != nil && showsForms(info.ClientCapabilities.Elicitation) && !held(ctx)
		return client
	}
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if !ok {
		return Client{}
	}
	info := session.GetClientInfo()
	return Client{
		Name:            info.Name,
		Version:         info.Version,
		ProtocolVersion: server.RequestProtocolVersion(ctx),
		Elicitation:     showsForms(session.GetClientCapabilities().Elicitation) && !held(ctx),
	}
}

// AfterDelivery registers fn to run when the answer of the call that ctx belongs
// to was completely written, and has reached the client where that is known
// ([Receipts]). It never runs when there is no answer (the call was cancelled) or
// writing it failed. No later tool call of the same
// connection starts before fn has returned, so a client that has the answer
// never sees the state from before it. fn must be quick. Outside a call, or
// after its answer, AfterDelivery does nothing.
func AfterDelivery(ctx context.Context, fn func()) {
	call, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return
	}
	call.mu.Lock()
	defer call.mu.Unlock()
	if !call.answered {
		call.afterDelivery = append(call.afterDelivery, fn)
	}
}

type callKey struct{}

// call is one request in flight.
type call struct {
	id       json.RawMessage
	key      string
	method   string
	tool     string
	begun    time.Time // when its line was read
	modern   bool
	progress *Progress // nil without a progress token
	conn     *connection
	stream   Stream // nil where all requests share the connection's writer
	turn     *turn  // nil for a tool that queues nothing
	ctx      context.Context
	cancel   context.CancelCauseFunc
	// previous is closed when the deliveries before this call are done.
	previous <-chan struct{}
	// cancelled means that the client wants no answer.
	cancelled atomic.Bool

	mu            sync.Mutex // protects the fields below
	afterDelivery []func()
	answered      bool
}

// answer ends what the handler may still register and returns what it did.
func (c *call) answer() []func() {
	c.progress.finish()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = true
	return c.afterDelivery
}

func (c *call) closeStream() {
	if c.stream != nil {
		c.stream.Close()
	}
}
