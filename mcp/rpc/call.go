package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/server"
)

// Cancelled is the cause of a context whose call the client cancelled
// (notifications/cancelled). The client waits for no answer, and gets none.
type Cancelled struct {
	// Reason is what the client gave, or "".
	Reason string
}

func (c *Cancelled) Error() string {
	if c.Reason == "" {
		return "cancelled by the client"
	}
	return "cancelled by the client: " + c.Reason
}

// CancelReason reports whether the client cancelled the call that ctx belongs
// to, and the reason it gave. A connection that ended is no cancel.
func CancelReason(ctx context.Context) (reason string, cancelled bool) {
	var c *Cancelled
	if errors.As(context.Cause(ctx), &c) {
		return c.Reason, true
	}
	return "", false
}

// TimedOut reports whether a cancel with this reason means that the client only
// stopped waiting: SDKs send a cancel when their own timer fires, and the
// reason alone tells it from a person's ("AbortError: user-cancel"). No reason
// counts as a time-out, because interrupting work nobody meant to stop is the
// worse mistake.
func TimedOut(reason string) bool {
	reason = strings.ToLower(strings.TrimSpace(reason))
	if reason == "" {
		return true
	}
	for _, words := range []string{"timed out", "timed-out", "timeout", "time-out", "time out", "deadline"} {
		if strings.Contains(reason, words) {
			return true
		}
	}
	return false
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
	// Elicitation means that the client can put a question to its user.
	Elicitation bool
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
		client.Elicitation = info.ClientCapabilities != nil && info.ClientCapabilities.Elicitation != nil
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
		Elicitation:     session.GetClientCapabilities().Elicitation != nil,
	}
}

// ClientName returns the client's name and version, "" if it gave none.
func ClientName(ctx context.Context) (name, version string) {
	client := ClientFrom(ctx)
	return client.Name, client.Version
}

// AfterDelivery registers fn to run when the answer of the call that ctx belongs
// to was completely written. It never runs when there is no answer (the call
// was cancelled) or writing it failed. No later tool call of the same
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
	modern   bool
	progress *Progress // nil without a progress token
	conn     *connection
	turn     *turn // nil for a tool that queues nothing
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
