package serve

import (
	"context"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/mcp"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/streamable"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// owners are the tokens that have come in, each with sessions of its own.
type owners struct {
	parts *server.Parts  // what all share
	guest session.Client // what is known of each client
	given []string       // sentences for each client's first answer

	mu   sync.Mutex // protects the fields below
	all  map[string]*owner
	over bool
}

// owner is what belongs to one token.
type owner struct {
	parts    *server.Parts
	endpoint *streamable.Endpoint
	given    []string
	guest    session.Client

	mu     sync.Mutex // protects the fields below
	shared *session.Conversation
	visits map[string]*mcp.Visit // of clients without a handshake, by the name they give
}

func newOwners(parts *server.Parts, keep time.Duration, set settings.Settings, notebook string) *owners {
	return &owners{parts: parts, given: set.Sentences(), all: map[string]*owner{},
		guest: session.Client{Keep: keep, Variables: os.Environ(), IdleLimit: set.IdleLimit, PlainPython: !set.Prelude, Notebook: notebook}}
}

// of is who serves a token, nil when the server is ending.
func (o *owners) of(t Token) http.Handler {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return nil
	}
	if o.all[t.ID] == nil {
		o.all[t.ID] = newOwner(o.parts.For(t.ID), o.guest, o.given)
	}
	return o.all[t.ID].endpoint
}

// sweep ends what is due: sessions that are not kept any longer, and all that belongs
// to tokens that were revoked.
func (o *owners) sweep(now time.Time, valid []Token) {
	left := map[string]bool{}
	for _, t := range valid {
		left[t.ID] = true
	}
	o.mu.Lock()
	var revoked, all []*owner
	for id, one := range o.all {
		if left[id] {
			all = append(all, one)
			continue
		}
		revoked = append(revoked, one)
		delete(o.all, id)
	}
	o.mu.Unlock()
	var wg sync.WaitGroup
	for _, one := range revoked {
		wg.Go(func() { one.close(context.Background()) })
	}
	wg.Wait()
	for _, one := range all {
		one.endpoint.Sweep(now)
		one.parts.Sessions.Expire(now)
	}
}

// close ends all. Kernels may exit by themselves until ctx ends.
func (o *owners) close(ctx context.Context) {
	o.mu.Lock()
	o.over = true
	var wg sync.WaitGroup
	for _, one := range o.all {
		wg.Go(func() { one.close(ctx) })
	}
	o.mu.Unlock()
	wg.Wait()
	o.parts.Close(ctx)
}

func newOwner(parts *server.Parts, guest session.Client, given []string) *owner {
	o := &owner{parts: parts, guest: guest, given: given, visits: map[string]*mcp.Visit{}}
	o.endpoint = streamable.New(streamable.Options{Join: o.join, Stateless: o.stateless, There: o.there, Log: parts.Log})
	return o
}

// revokedTime is how long kernels of a revoked token may take to exit.
const revokedTime = 2 * time.Second

func (o *owner) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, revokedTime)
	defer cancel()
	o.endpoint.Close()
	o.parts.Sessions.Close(ctx)
}

// join makes a client that has shaken hands.
func (o *owner) join() streamable.Client {
	conversation := o.parts.Sessions.Join(o.guest)
	return &client{conversation: conversation, visit: o.parts.Server.Visit(mcp.Visitor{Conversation: conversation, Given: o.given})}
}

// there tells of the clients that come without a handshake: they are one conversation.
func (o *owner) there(there bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !there:
		o.shared.Leave()
		o.visits = map[string]*mcp.Visit{} // who comes next is told again
	case o.shared == nil:
		o.shared = o.parts.Sessions.Join(o.guest)
	default:
		o.shared.Return()
	}
}

// Bounds of what is remembered of clients: nobody has so many, or such long names.
const (
	maxVisits = 64
	maxName   = 100
)

// stateless is who sends a request without a handshake. What it is told first goes by
// the name that it gives: there is nothing else to tell such clients apart.
func (o *owner) stateless(name string) streamable.Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	name = name[:min(len(name), maxName)]
	if o.visits[name] == nil {
		if len(o.visits) >= maxVisits {
			clear(o.visits)
		}
		o.visits[name] = o.parts.Server.Visit(mcp.Visitor{Conversation: o.shared, Given: o.given, Shared: true})
	}
	return &client{conversation: o.shared, visit: o.visits[name]}
}

// client is one client, as the endpoint wants it.
type client struct {
	conversation *session.Conversation
	visit        *mcp.Visit
}

// Serve implements [streamable.Client].
func (c *client) Serve(ctx context.Context, r io.Reader, w rpc.Streams) error {
	return c.visit.Serve(ctx, r, w)
}

// Away implements [streamable.Client].
func (c *client) Away() { c.conversation.Leave() }

// Back implements [streamable.Client].
func (c *client) Back() { c.conversation.Return() }
