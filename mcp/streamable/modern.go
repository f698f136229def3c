package streamable

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// oneShot is a request without a handshake: a connection of its own, on which nothing
// else is asked.
type oneShot struct {
	in     *io.PipeWriter
	stream *stream
}

// Write implements [rpc.Streams]: notifications belong to the one request.
func (o *oneShot) Write(line []byte) (int, error) {
	_ = o.stream.Ask(line) // a client that takes no events does without
	return len(line), nil
}

// Stream implements [rpc.Streams].
func (o *oneShot) Stream(string) rpc.Stream { return o.stream }

// postModern serves a message of the stateless era.
func (e *Endpoint) postModern(w http.ResponseWriter, r *http.Request, m *rpc.Envelope, how answering) {
	if m.Method == "" {
		refuse(w, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, "in this version of the protocol clients send no responses: an answer to a question comes with a new request")
		return
	}
	if !m.IsRequest() {
		e.cancelModern(m)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if code, text := mismatch(r, m); code != 0 {
		refuse(w, http.StatusBadRequest, m.ID, code, text)
		return
	}
	how.status = modernStatus
	e.stateless.enter()
	defer e.stateless.leave(requestPatience)
	ctx, cancel := context.WithCancelCause(e.ctx)
	in, out := io.Pipe()
	o := &oneShot{in: out, stream: newStream("")}
	o.stream.plain = !how.events
	e.begin(m.Key, o)
	defer e.finish(m.Key, o)
	served := make(chan struct{})
	serving := e.start(func() {
		defer close(served)
		defer in.Close()
		_ = e.options.Stateless(m.Client).Serve(ctx, in, o)
	})
	if !serving {
		cancel(errEnded)
		refuse(w, http.StatusServiceUnavailable, m.ID, mcp.INTERNAL_ERROR, "the server is ending")
		return
	}
	reader := o.stream.attach()
	if _, err := out.Write(m.Line); err != nil {
		o.stream.giveUp()
	}
	m.Line, m.Params = nil, nil // as long as the call's code
	stop := context.AfterFunc(e.ctx, o.stream.giveUp)
	defer stop()
	o.stream.respond(r.Context(), newResponse(w, ""), how, reader)
	// The end of the stream is the end of the request (2026-07-28, transports): of the
	// waiting, that is. What runs goes on, as after a cancel without a reason.
	cancel(rpc.ErrConnectionClosed)
	out.Close()
	o.stream.giveUp()
	<-served
}

func (e *Endpoint) begin(key string, o *oneShot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.modern[key] = append(e.modern[key], o)
}

func (e *Endpoint) finish(key string, o *oneShot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := slices.DeleteFunc(e.modern[key], func(other *oneShot) bool { return other == o })
	if len(left) == 0 {
		delete(e.modern, key)
	} else {
		e.modern[key] = left
	}
}

// cancelModern hands on a cancel, which this era does not know on HTTP but some
// clients send, when it is clear which request it means.
func (e *Endpoint) cancelModern(m *rpc.Envelope) {
	var meant *oneShot
	e.mu.Lock()
	if all := e.modern[m.Cancels]; len(all) == 1 {
		meant = all[0]
	}
	e.mu.Unlock()
	if meant == nil {
		return
	}
	if _, err := meant.in.Write(m.Line); err == nil {
		// Read only when the cancel has been dealt with: the end of the stream would be
		// another one, without a reason.
		_, _ = meant.in.Write([]byte("\n"))
		meant.stream.giveUp()
	}
}

// mismatch judges the headers that repeat what the body says, 0 for what is right.
func mismatch(r *http.Request, m *rpc.Envelope) (code int, text string) {
	version := r.Header.Get(mcp.HeaderProtocolVersion)
	switch {
	case version == "":
		return mcp.HEADER_MISMATCH, "Header mismatch: MCP-Protocol-Version is missing"
	case m.Version == "":
		return mcp.INVALID_PARAMS, "the field " + mcp.MetaKeyProtocolVersion + " of _meta is missing"
	case version != m.Version:
		return mcp.HEADER_MISMATCH, fmt.Sprintf("Header mismatch: MCP-Protocol-Version %.40q does not match the body's %.40q", version, m.Version)
	case !mcp.IsValidProtocolVersion(version):
		return 0, "" // the answer lists the versions that are known
	}
	if err := mcp.ValidateStandardHeaders(r.Header.Get, version, mcp.MCPMethod(m.Method), m.Params); err != nil {
		return mcp.HEADER_MISMATCH, err.Error()
	}
	return 0, ""
}

// modernStatus is the status of an answer in the stateless era.
func modernStatus(answer []byte) int {
	switch failed(answer) {
	case mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	case mcp.HEADER_MISMATCH, mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, mcp.UNSUPPORTED_PROTOCOL_VERSION,
		mcp.INVALID_REQUEST, mcp.INVALID_PARAMS, mcp.PARSE_ERROR:
		return http.StatusBadRequest
	}
	return http.StatusOK
}
