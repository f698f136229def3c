package streamable

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// Client is one client as the server behind the endpoint knows it. Its methods are
// safe for concurrent use.
type Client interface {
	// Serve speaks MCP on a connection until it ends: see [rpc.Serve].
	Serve(ctx context.Context, r io.Reader, w rpc.Streams) error
	// Away tells that nothing is heard of the client any more, Back that it is there
	// again.
	Away()
	Back()
}

// Limits of one endpoint.
const (
	// MaxBody bounds the body of a request, in bytes.
	MaxBody = 16 << 20
	// largeBody is from where on a body takes one of the few places for large ones.
	largeBody  = 1 << 20
	largePlace = 4
	// maxRequests is how many requests are served at a time, streams included.
	maxRequests = 128
	// maxConnections is how many clients with a handshake there may be.
	maxConnections = 64
	// idleMost is how long a client may be silent before its Mcp-Session-Id ends.
	idleMost = 24 * time.Hour
)

// errEnded is why a connection ends that its client, or the server, has ended.
var errEnded = errors.New("the connection was ended")

// Options are what an endpoint needs.
type Options struct {
	// Join makes a client that has begun a handshake.
	Join func() Client
	// Stateless is who sends requests without a handshake, by the name that such a
	// request gives.
	Stateless func(name string) Client
	// There is told when the first of the stateless clients comes, and when nothing
	// has been heard of any for a while.
	There func(there bool)
	Log   *slog.Logger
}

// Endpoint serves the clients of one owner. It is safe for concurrent use.
type Endpoint struct {
	options   Options
	stateless *presence
	large     chan struct{} // holds a token for each large body in memory
	requests  atomic.Int32
	kept      kept
	ctx       context.Context
	cancel    context.CancelCauseFunc
	wg        sync.WaitGroup // connections being served

	mu          sync.Mutex // protects the fields below
	connections map[string]*connection
	modern      map[string][]*oneShot // requests in flight, by key
}

// New returns an endpoint. [Endpoint.Close] must follow.
func New(o Options) *Endpoint {
	e := &Endpoint{
		options:     o,
		large:       make(chan struct{}, largePlace),
		connections: map[string]*connection{},
		modern:      map[string][]*oneShot{},
	}
	e.stateless = newPresence(func() { o.There(false) }, func() { o.There(true) })
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e
}

// Close ends all connections and waits for them.
func (e *Endpoint) Close() {
	e.cancel(errEnded)
	e.mu.Lock()
	var all []*connection
	for _, c := range e.connections {
		all = append(all, c)
	}
	e.mu.Unlock()
	for _, c := range all {
		c.end()
	}
	e.wg.Wait()
	e.stateless.end()
}

// ServeHTTP serves one request to the endpoint.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.requests.Add(1) > maxRequests || e.ctx.Err() != nil {
		e.requests.Add(-1)
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, nil, mcp.INTERNAL_ERROR, "the server has too many requests of this token in flight; try again in a moment")
		return
	}
	defer e.requests.Add(-1)
	if r.Method != http.MethodPost {
		// The end of reading would end the request: there is no body to wait for.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	modern := mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion))
	switch {
	case r.Method == http.MethodPost:
		e.post(w, r)
	case r.Method == http.MethodGet && !modern:
		e.get(w, r)
	case r.Method == http.MethodDelete && !modern:
		e.delete(w, r)
	default:
		w.Header().Set("Allow", "POST, GET, DELETE")
		if modern {
			w.Header().Set("Allow", "POST")
		}
		refuse(w, http.StatusMethodNotAllowed, nil, mcp.INVALID_REQUEST, r.Method+" is not served here")
	}
}

// join makes a connection for a client that begins a handshake, nil when there are
// too many.
func (e *Endpoint) join() *connection {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil || len(e.connections) >= maxConnections && !e.evictLocked() {
		return nil
	}
	c := newConnection(e, rand.Text())
	e.connections[c.id] = c
	e.wg.Go(c.serve)
	return c
}

// start runs f beside the others that Close waits for, unless that has begun.
func (e *Endpoint) start(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return false
	}
	e.wg.Go(f)
	return true
}

// evictLocked ends the connection that has been silent longest, and reports whether
// there was one: many clients do not say when they end. The caller must hold e.mu.
func (e *Endpoint) evictLocked() bool {
	var oldest *connection
	var since time.Time
	for _, c := range e.connections {
		if at, silent := c.presence.silentSince(); silent && (oldest == nil || at.Before(since)) {
			oldest, since = c, at
		}
	}
	if oldest == nil {
		return false
	}
	delete(e.connections, oldest.id)
	go oldest.end()
	return true
}

// Sweep ends connections of which nothing has been heard for very long.
func (e *Endpoint) Sweep(now time.Time) {
	e.mu.Lock()
	var silent []*connection
	for _, c := range e.connections {
		if at, nothing := c.presence.silentSince(); nothing && now.Sub(at) > idleMost {
			silent = append(silent, c)
		}
	}
	e.mu.Unlock()
	for _, c := range silent {
		c.end()
	}
}

// connectionOf is the connection that a request names. It answers the request when
// there is none, and returns nil.
func (e *Endpoint) connectionOf(w http.ResponseWriter, r *http.Request) *connection {
	id := r.Header.Get(mcp.HeaderSessionID)
	if id == "" {
		refuse(w, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, "the header Mcp-Session-Id is missing: send initialize first, and then the id that its answer has")
		return nil
	}
	e.mu.Lock()
	c := e.connections[id]
	e.mu.Unlock()
	if c == nil {
		refuse(w, http.StatusNotFound, nil, mcp.INVALID_REQUEST, "this Mcp-Session-Id has ended or was never there: send initialize again; Python sessions are kept")
	}
	return c
}

func (e *Endpoint) forget(c *connection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.connections[c.id] == c {
		delete(e.connections, c.id)
	}
}

// delete ends a client, not its sessions.
func (e *Endpoint) delete(w http.ResponseWriter, r *http.Request) {
	if c := e.connectionOf(w, r); c != nil {
		c.end()
		w.WriteHeader(http.StatusNoContent)
	}
}

// get opens the stream of what belongs to no request, or goes on with one that was
// cut.
func (e *Endpoint) get(w http.ResponseWriter, r *http.Request) {
	if _, events := accepts(r); !events {
		refuse(w, http.StatusNotAcceptable, nil, mcp.INVALID_REQUEST, "the header Accept must have text/event-stream")
		return
	}
	c := e.connectionOf(w, r)
	if c == nil {
		return
	}
	stream, after := c.standing, -1
	if last := r.Header.Get(mcp.HeaderLastEventID); last != "" {
		if stream, after = c.resume(last); stream == nil {
			refuse(w, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, "the stream of this Last-Event-ID is not kept any more; get_execution shows what a run printed")
			return
		}
	}
	c.presence.enter()
	patience := requestPatience
	if stream == c.standing {
		patience = streamPatience
	}
	defer c.presence.leave(patience)
	out := newResponse(w, stream.name)
	reader := stream.attach() // before the client can know: of two, the second replaces the first
	defer stream.detach(reader)
	out.begin(primes(r))
	stream.read(r.Context(), out, after, reader)
}

// accepts tells which of the two forms of an answer a request takes.
func accepts(r *http.Request) (json, events bool) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return true, false
	}
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "*/*":
			json, events = true, true
		case "application/json", "application/*":
			json = true
		case "text/event-stream", "text/*":
			events = true
		}
	}
	return json, events
}

// primes reports whether the client takes an event without data, with which it can
// resume a stream that was cut before the first message.
func primes(r *http.Request) bool {
	version := r.Header.Get(mcp.HeaderProtocolVersion)
	return version >= mcp.ProtocolVersion20251125 && !mcp.IsModernProtocol(version)
}
