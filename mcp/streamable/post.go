package streamable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// bodyPatience is how long a body may take to come.
const bodyPatience = 30 * time.Second

// post serves a message of a client.
func (e *Endpoint) post(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, nil, mcp.INVALID_REQUEST, "the header Content-Type must be application/json")
		return
	}
	takesJSON, takesEvents := accepts(r)
	if !takesJSON && !takesEvents {
		refuse(w, http.StatusNotAcceptable, nil, mcp.INVALID_REQUEST, "the header Accept must have application/json and text/event-stream")
		return
	}
	m := e.receive(w, r)
	if m == nil {
		return
	}
	how := answering{json: takesJSON, events: takesEvents, prime: primes(r)}
	version := r.Header.Get(mcp.HeaderProtocolVersion)
	switch {
	case mcp.IsModernProtocol(m.Version) || mcp.IsModernProtocol(version):
		how.prime = false
		e.postModern(w, r, m, how)
	case version != "" && !slices.Contains(mcp.ValidProtocolVersions, version):
		refuse(w, http.StatusBadRequest, m.ID, mcp.INVALID_REQUEST, fmt.Sprintf("MCP-Protocol-Version %.40q is not known; known: %s", version, strings.Join(mcp.ValidProtocolVersions, ", ")))
	case m.Method == string(mcp.MethodInitialize):
		e.initialize(w, r, m, how)
	default:
		if c := e.connectionOf(w, r); c != nil {
			c.post(w, r, m, how)
		}
	}
}

// receive reads a message. It answers the request when there is none, and returns nil.
func (e *Endpoint) receive(w http.ResponseWriter, r *http.Request) *rpc.Envelope {
	body, status, err := e.readBody(w, r)
	if err != nil {
		w.Header().Set("Connection", "close")
		refuse(w, status, nil, mcp.INVALID_REQUEST, err.Error())
		return nil
	}
	m, err := rpc.Open(body)
	if refused, ok := errors.AsType[*rpc.RefusedError](err); ok {
		refuse(w, http.StatusBadRequest, refused.ID, refused.Code, refused.Text)
		return nil
	}
	return m
}

// readBody reads the body within its limits of size and time.
func (e *Endpoint) readBody(w http.ResponseWriter, r *http.Request) (body []byte, status int, err error) {
	tooLarge := fmt.Errorf("the body has more than %d MiB; send less in one message", MaxBody>>20)
	if r.ContentLength > MaxBody {
		return nil, http.StatusRequestEntityTooLarge, tooLarge
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyPatience))
	// Without a deadline from now on: the end of reading would end the request.
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	var text bytes.Buffer
	_, err = io.CopyN(&text, r.Body, largeBody)
	if err == nil { // there is more
		select {
		case e.large <- struct{}{}:
			defer func() { <-e.large }()
		default:
			return nil, http.StatusServiceUnavailable, errors.New("the server reads other large messages; try again in a moment")
		}
		_, err = io.CopyN(&text, r.Body, MaxBody-largeBody+1)
	}
	switch {
	case err == nil:
		return nil, http.StatusRequestEntityTooLarge, tooLarge
	case errors.Is(err, io.EOF):
		return text.Bytes(), 0, nil
	}
	return nil, http.StatusRequestTimeout, errors.New("the body did not come whole")
}

// ok is the status of answers in the era of handshakes, whatever they say.
func ok([]byte) int { return http.StatusOK }

// initialize begins a connection.
func (e *Endpoint) initialize(w http.ResponseWriter, r *http.Request, m *rpc.Envelope, how answering) {
	if !m.IsRequest() {
		refuse(w, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, "initialize must have an id")
		return
	}
	c := e.join()
	if c == nil {
		refuse(w, http.StatusServiceUnavailable, m.ID, mcp.INTERNAL_ERROR, fmt.Sprintf("there are %d clients of this token already; end one (DELETE), or try again later", maxConnections))
		return
	}
	w.Header().Set(mcp.HeaderSessionID, c.id)
	how.status = func(answer []byte) int {
		if failed(answer) != 0 {
			w.Header().Del(mcp.HeaderSessionID)
			go c.end()
		}
		return http.StatusOK
	}
	c.post(w, r, m, how)
}

// failed is the code of an answer that is an error, 0 for none.
func failed(answer []byte) int {
	var reply struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(answer, &reply) != nil {
		return 0
	}
	return reply.Error.Code
}

// post hands on a message of the connection's client and writes its answer.
func (c *connection) post(w http.ResponseWriter, r *http.Request, m *rpc.Envelope, how answering) {
	c.presence.enter()
	defer c.presence.leave(requestPatience)
	if !m.IsRequest() {
		if c.feed(m) != nil {
			c.refuseEnded(w, m)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	s := c.open(m.Key, !how.events)
	if s == nil {
		refuse(w, http.StatusBadRequest, m.ID, mcp.INVALID_REQUEST, "a request with this id is still running; each request needs an id of its own")
		return
	}
	reader := s.attach()
	if c.feed(m) != nil {
		s.giveUp()
		s.detach(reader)
		c.refuseEnded(w, m)
		return
	}
	m.Line, m.Params = nil, nil // as long as the call's code
	if how.status == nil {
		how.status = ok
	}
	s.respond(r.Context(), newResponse(w, s.name), how, reader)
}

func (c *connection) refuseEnded(w http.ResponseWriter, m *rpc.Envelope) {
	refuse(w, http.StatusNotFound, m.ID, mcp.INVALID_REQUEST, "this Mcp-Session-Id has ended: send initialize again; Python sessions are kept")
}
