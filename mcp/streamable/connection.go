package streamable

import (
	"context"
	"io"
	"strconv"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// connection is one client that has shaken hands, by its Mcp-Session-Id. It is the
// writer of its [rpc.Serve].
//
// Its one goroutine serves it and ends with end.
type connection struct {
	id       string
	endpoint *Endpoint
	client   Client
	presence *presence
	in       *io.PipeWriter // to Serve; writes of several requests do not mix
	out      *io.PipeReader
	ctx      context.Context
	cancel   context.CancelCauseFunc
	done     chan struct{} // closed when Serve has returned
	standing *stream       // of what belongs to no request
	ending   sync.Once

	mu      sync.Mutex         // protects the fields below
	pending map[string]*stream // by the request's key, until its answer
	streams map[string]*stream // by name, as long as they can be resumed
	named   int
	over    bool
}

// newConnection returns the connection of a client, which is to be served.
func newConnection(e *Endpoint, id string) *connection {
	out, in := io.Pipe()
	c := &connection{id: id, endpoint: e, client: e.options.Join(), in: in, out: out, done: make(chan struct{}),
		pending: map[string]*stream{}, streams: map[string]*stream{}}
	c.presence = newPresence(c.client.Away, c.client.Back)
	c.standing = newStream("0")
	c.standing.standing = true
	c.streams[c.standing.name] = c.standing
	c.ctx, c.cancel = context.WithCancelCause(e.ctx)
	return c
}

// serve serves the client until the connection is ended.
func (c *connection) serve() {
	defer close(c.done)
	defer c.out.Close()
	if err := c.client.Serve(c.ctx, c.out, c); err != nil && c.ctx.Err() == nil {
		c.endpoint.options.Log.Warn("connection ended", "err", err)
	}
}

// Write implements [rpc.Streams].
func (c *connection) Write(line []byte) (int, error) {
	_ = c.standing.Ask(line)
	return len(line), nil
}

// Stream implements [rpc.Streams].
func (c *connection) Stream(key string) rpc.Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.pending[key]; s != nil {
		return s
	}
	s := newStream("") // of a request that was cancelled before it was read
	s.lost = true
	return s
}

// open makes the stream of a request, nil when one of that key is in flight, or the
// connection has ended.
func (c *connection) open(key string, plain bool) *stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.pending[key] != nil {
		return nil
	}
	c.named++
	s := newStream(strconv.Itoa(c.named))
	s.plain = plain
	s.answered = func(s *stream) { c.settle(key, s) }
	s.closed = func(s *stream) {
		c.settle(key, s)
		c.endpoint.kept.add(c, s)
	}
	c.pending[key], c.streams[s.name] = s, s
	return s
}

// settle frees the key of a request.
func (c *connection) settle(key string, s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[key] == s {
		delete(c.pending, key)
	}
}

// drop forgets a stream: it cannot be resumed any more.
func (c *connection) drop(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[s.name] == s {
		delete(c.streams, s.name)
	}
}

// resume finds the stream of an event's id, nil when it is not kept, and the number
// of the event.
func (c *connection) resume(id string) (s *stream, number int) {
	name, number, ok := splitID(id)
	if !ok {
		return nil, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[name], number
}

// feed hands a message on. It fails when the connection has ended.
func (c *connection) feed(m *rpc.Envelope) error {
	if _, err := c.in.Write(m.Line); err != nil {
		return errEnded
	}
	if m.Cancels == "" {
		return nil
	}
	c.mu.Lock()
	s := c.pending[m.Cancels]
	c.mu.Unlock()
	if s != nil {
		c.settle(m.Cancels, s)
		s.giveUp()
	}
	return nil
}

// end ends the client's connection: what it has asked for goes on. It returns when
// the client is gone for those who count.
func (c *connection) end() {
	c.ending.Do(func() {
		c.endpoint.forget(c)
		c.mu.Lock()
		c.over = true
		var all []*stream
		for _, s := range c.streams {
			all = append(all, s)
		}
		c.mu.Unlock()
		c.cancel(rpc.ErrConnectionClosed)
		c.in.Close()
		<-c.done
		for _, s := range all {
			s.giveUp()
		}
		c.endpoint.kept.forget(c)
		c.presence.end()
	})
}
