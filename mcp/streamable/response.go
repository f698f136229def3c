package streamable

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

const (
	// jsonPatience is how long an answer is waited for before a stream is begun: what
	// comes within it is sent as plain JSON.
	jsonPatience = 200 * time.Millisecond
	// keepAlive is the pause after which a stream says that it lives.
	keepAlive = 15 * time.Second
	// writePatience is how long a client may take to read what is written at once.
	writePatience = 30 * time.Second
)

// response is the answer to an HTTP request, JSON or a stream of events.
type response struct {
	w       http.ResponseWriter
	control *http.ResponseController
	name    string // of the stream in ids of events, "" for no ids
	events  bool   // it is a stream of events
}

func newResponse(w http.ResponseWriter, name string) *response {
	return &response{w: w, control: http.NewResponseController(w), name: name}
}

// begin begins a stream of events; prime sends an id at once, with which the client
// can resume the stream.
func (o *response) begin(prime bool) {
	if o.events {
		return
	}
	o.events = true
	header := o.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache, no-transform")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	o.w.WriteHeader(http.StatusOK)
	text := ": \n\n"
	if prime && o.name != "" {
		text = "id: " + eventID(o.name, -1) + "\nretry: 1000\ndata: \n\n" // ms
	}
	_ = o.write([]byte(text))
}

// eventID names an event: the stream, and how many events have come with it.
func eventID(name string, number int) string { return name + "-" + strconv.Itoa(number+1) }

// splitID takes an event's id apart.
func splitID(id string) (name string, number int, ok bool) {
	name, text, ok := strings.Cut(id, "-")
	n, err := strconv.Atoi(text)
	return name, n - 1, ok && err == nil && n >= 0
}

// write writes text and sees to it that it leaves.
func (o *response) write(text []byte) error {
	_ = o.control.SetWriteDeadline(time.Now().Add(writePatience)) // not every writer has one
	if _, err := o.w.Write(text); err != nil {
		return err
	}
	return o.control.Flush()
}

// event writes a message as an event; number is -1 for one without an id.
func (o *response) event(line []byte, number int) error {
	var text []byte
	if o.name != "" && number >= 0 {
		text = fmt.Appendf(text, "id: %s\n", eventID(o.name, number))
	}
	text = append(text, "event: message\ndata: "...)
	text = append(text, line...) // with its newline
	return o.write(append(text, '\n'))
}

// json writes the answer as the whole response.
func (o *response) json(status int, line []byte) error {
	header := o.w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(line)))
	o.w.WriteHeader(status)
	return o.write(line)
}

// read writes the stream's events after the one of that number, until the stream is
// at its end, the client goes, or it reads the stream by another request than r. The
// response is a stream already.
func (s *stream) read(ctx context.Context, out *response, number int, r *reader) {
	if out.name != "" {
		s.resumable()
	}
	if s.standing && number < 0 {
		number = s.lastSent()
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for ctx.Err() == nil {
		n := s.after(number)
		var err error
		switch {
		case n.event != nil:
			if err = out.event(n.event.line, n.number); err == nil {
				number = n.number
				s.wrote(n)
			}
		case n.report != nil:
			err = out.event(n.report, -1)
		case n.ended:
			return
		default:
			select {
			case <-n.changed:
			case <-tick.C:
				err = out.write([]byte(": \n\n"))
			case <-r.replaced:
				return
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// answering is how the answer to a request is written.
type answering struct {
	json, events bool // the forms that the client takes
	prime        bool
	// status is the HTTP status of an answer that is sent as JSON.
	status func(answer []byte) int
}

// respond writes what the stream has as JSON when its answer comes soon, else as
// events, until its end or the client's. r was attached before the request was handed
// on, so that it misses nothing.
func (s *stream) respond(ctx context.Context, out *response, a answering, r *reader) {
	defer s.detach(r)
	if a.json && s.respondJSON(ctx, out, a, r) {
		return
	}
	out.begin(a.prime)
	s.read(ctx, out, -1, r)
}

// respondJSON waits for the answer and writes it; it returns false when the response
// is to be a stream.
func (s *stream) respondJSON(ctx context.Context, out *response, a answering, r *reader) bool {
	var patience <-chan time.Time
	if a.events {
		timer := time.NewTimer(jsonPatience)
		defer timer.Stop()
		patience = timer.C
	}
	for {
		n := s.peek()
		switch {
		case n.event != nil && n.event.answer:
			if ctx.Err() == nil && out.json(a.status(n.event.line), n.event.line) == nil {
				s.wrote(n)
			}
			return true
		case n.event != nil || n.report != nil:
			return false
		case n.ended: // cancelled: there is no answer
			out.w.WriteHeader(http.StatusAccepted)
			return true
		}
		select {
		case <-n.changed:
		case <-patience:
			return false
		case <-r.replaced:
			return true
		case <-ctx.Done():
			return true
		}
	}
}

// peek is after at the stream's beginning, which leaves a report where it is.
func (s *stream) peek() next {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) > 0 {
		e := s.events[0]
		return next{event: &e}
	}
	return next{report: s.report, ended: s.over, changed: s.changed}
}

// refuse answers with an error of JSON-RPC and a status of HTTP.
func refuse(w http.ResponseWriter, status int, id json.RawMessage, code int, text string) {
	reply := struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   any             `json:"error"`
	}{mcp.JSONRPC_VERSION, id, map[string]any{"code": code, "message": text}}
	line, err := json.Marshal(reply)
	if err != nil {
		line = []byte("{}") // an id that was read from JSON can be written
	}
	_ = newResponse(w, "").json(status, append(line, '\n'))
}
