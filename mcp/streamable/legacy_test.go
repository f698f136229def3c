package streamable

import (
	"strings"
	"testing"
	"time"
)

// TestAnswerForms: what is answered soon is plain JSON, what takes longer, reports or
// asks is a stream, of which each event but reports can be resumed at.
func TestAnswerForms(t *testing.T) {
	s := newToy(t)
	c := s.shake(`{"elicitation":{}}`)
	r := c.post(call(1, "echo", "hi"))
	if kind := r.Header.Get("Content-Type"); kind != "application/json" || r.StatusCode != 200 {
		t.Errorf("%s %s", r.Status, kind)
	}
	has(t, r.body(), `"id":1`, `"text":"hi"`)
	if <-s.delivered; r.Header.Get("Mcp-Session-Id") != "" {
		t.Error("the id of the client comes with initialize alone")
	}

	r = c.post(call(2, "report", "half"))
	if kind := r.Header.Get("Content-Type"); kind != "text/event-stream" || r.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("%v", r.Header)
	}
	first, progress, answer, end := r.next(), r.next(), r.next(), r.next()
	has(t, progress.data, "notifications/progress", `"half"`)
	has(t, answer.data, `"id":2`, `"text":"half"`)
	if first.data != "" || !strings.HasSuffix(first.id, "-0") || progress.id != "" || answer.id != strings.TrimSuffix(first.id, "0")+"1" || end != (sse{}) {
		t.Errorf("%v, %v, %v, %v", first, progress, answer, end)
	}

	// A question goes on the stream of the call that asks, its answer comes by itself.
	slow := c.post(call(3, "wait", "slow"))
	r = c.post(call(4, "ask", "your name?"))
	_ = r.next()
	question := r.next()
	has(t, question.data, `"method":"elicitation/create"`, "your name?", `"id":"srv-1"`)
	if r := c.post(`{"jsonrpc":"2.0","id":"srv-1","result":{"action":"decline"}}`); r.StatusCode != 202 {
		t.Errorf("the answer to a question: %s", r.Status)
	}
	has(t, r.next().data, `"id":4`, `"text":"decline"`)
	close(s.gate)
	_ = slow.next()
	if e := slow.next(); !strings.Contains(e.data, `"id":3`) {
		t.Errorf("the other call's stream: %v", e)
	}

	// Older clients read each event as JSON: they get none without data. One that takes
	// no events is not asked, and waits for its JSON.
	c.version = "2025-06-18"
	has(t, c.post(call(5, "report", "half")).next().data, "notifications/progress")
	r = c.post(call(6, "ask", "name?"), "Accept", "application/json")
	has(t, r.body(), `"id":6`, "takes no stream of events")
}

// TestResume: an answer that came while the client's stream was cut is delivered when
// the client resumes the stream, once; without an id of an event it never is.
func TestResume(t *testing.T) {
	s := newToy(t)
	c := s.shake(`{}`)
	r := c.post(call(1, "wait", "late"))
	first := r.next()
	<-s.started
	r.cut()
	s.quiet(c)
	close(s.gate)
	get := func(last string) *reply {
		return s.do("GET", "", "Mcp-Session-Id", c.id, "MCP-Protocol-Version", c.version, "Last-Event-ID", last, "Accept", "text/event-stream")
	}
	r = get(first.id)
	if prime := r.next(); prime.data != "" {
		t.Errorf("%v", prime)
	}
	answer := r.next()
	has(t, answer.data, `"id":1`, `"text":"late"`)
	if end := r.next(); end != (sse{}) {
		t.Errorf("after the answer: %v", end)
	}
	if text := <-s.delivered; text != "late" {
		t.Errorf("delivered %q", text)
	}
	// Again: the same event, delivered once.
	r = get(first.id)
	_ = r.next()
	if again := r.next(); again != answer {
		t.Errorf("resumed again: %v", again)
	}
	r = get(answer.id)
	_ = r.next()
	if end := r.next(); end != (sse{}) {
		t.Errorf("after the last event: %v", end)
	}
	for _, unknown := range []string{"99-1", "x", "1-", "-1-1", "1--1"} {
		if r := get(unknown); r.StatusCode != 400 {
			t.Errorf("%s: %s", unknown, r.Status)
		}
	}
	select {
	case text := <-s.delivered:
		t.Errorf("delivered again: %s", text)
	default:
	}
}

// quiet waits until nothing is served but the client's silence.
func (s *toy) quiet(c *client) {
	s.endpoint.mu.Lock()
	served := s.endpoint.connections[c.id]
	s.endpoint.mu.Unlock()
	for {
		served.presence.mu.Lock()
		here := served.presence.here
		served.presence.mu.Unlock()
		if here == 0 {
			return
		}
		time.Sleep(time.Millisecond) // polling, not ordering
	}
}

// TestCutIsNoCancel: a stream that is cut ends nothing; the answer that nobody took
// is not delivered, and later calls do not wait for it.
func TestCutIsNoCancel(t *testing.T) {
	s := newToy(t)
	c := s.shake(`{}`)
	r := c.post(call(1, "wait", "lost"))
	<-s.started
	r.cut()
	s.quiet(c)
	close(s.gate)
	for i := range 3 {
		has(t, c.post(call(10+i, "echo", "next")).body(), `"text":"next"`)
		if text := <-s.delivered; text != "next" {
			t.Errorf("delivered %q", text)
		}
	}
}

// TestCancel: a cancel ends the call by the rules of stdio, its stream ends without an
// answer, and its id is free.
func TestCancel(t *testing.T) {
	s := newToy(t)
	c := s.shake(`{}`)
	r := c.post(call(1, "wait", "x"))
	_ = r.next()
	<-s.started
	if r := c.post(call(1, "echo", "x")); r.StatusCode != 400 {
		t.Errorf("an id that is in use: %s", r.Status)
	}
	if r := c.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"user"}}`); r.StatusCode != 202 {
		t.Error(r.Status)
	}
	if e := r.next(); e != (sse{}) {
		t.Errorf("after the cancel: %v", e)
	}
	if why := <-s.ended; why != "cancelled: user" {
		t.Error(why)
	}
	has(t, c.post(call(1, "echo", "again")).body(), `"text":"again"`)
}

// TestConnections: what belongs to a client's Mcp-Session-Id.
func TestConnections(t *testing.T) {
	s := newToy(t)
	c, other := s.shake(`{}`), s.shake(`{}`)
	for _, test := range []struct {
		id, version string
		status      int
	}{
		{"", "2025-11-25", 400},
		{"unknown", "2025-11-25", 404},
		{c.id, "1999-01-01", 400},
		{c.id, "", 200},
		{c.id, "2025-03-26", 200},
	} {
		if r := s.do("POST", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, "Mcp-Session-Id", test.id, "MCP-Protocol-Version", test.version); r.StatusCode != test.status {
			t.Errorf("%+v: %s %s", test, r.Status, r.body())
		}
	}
	// The stream of what belongs to no request: a second one replaces the first.
	get := func() *reply { return s.do("GET", "", "Mcp-Session-Id", c.id, "Accept", "text/event-stream") }
	first := get()
	second := get()
	if e := first.next(); e != (sse{}) || second.StatusCode != 200 {
		t.Errorf("%v %s", e, second.Status)
	}
	if r := s.do("GET", "", "Mcp-Session-Id", c.id, "Accept", "application/json"); r.StatusCode != 406 {
		t.Error(r.Status)
	}
	waiting := c.post(call(2, "wait", "x"))
	<-s.started
	if r := s.do("DELETE", "", "Mcp-Session-Id", c.id); r.StatusCode != 204 {
		t.Error(r.Status)
	}
	if why := <-s.ended; why != "connection closed" { // no cancel: what runs goes on
		t.Error(why)
	}
	for waiting.next() != (sse{}) { // it may still get its answer
	}
	if e := second.next(); e != (sse{}) {
		t.Errorf("the stream goes on: %v", e)
	}
	if r := c.post(call(3, "echo", "x")); r.StatusCode != 404 {
		t.Error(r.Status)
	}
	has(t, other.post(call(1, "echo", "there")).body(), "there")
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.there, ", "); got != "client back, client back, client away" {
		t.Error(got)
	}
}

// TestTooManyClients: the one that has been silent longest has to go, those that are
// there stay.
func TestTooManyClients(t *testing.T) {
	s := newToy(t)
	var all []*client
	var streams []*reply
	for range maxConnections {
		c := s.shake(`{}`)
		all = append(all, c)
		streams = append(streams, s.do("GET", "", "Mcp-Session-Id", c.id, "Accept", "text/event-stream"))
	}
	initialize := `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`
	if r := s.do("POST", initialize); r.StatusCode != 503 {
		t.Errorf("one too many: %s", r.Status)
	}
	for _, i := range []int{7, 3} {
		streams[i].cut()
		s.quiet(all[i])
	}
	if r := s.do("POST", initialize); r.StatusCode != 200 || r.Header.Get("Mcp-Session-Id") == "" {
		t.Errorf("after some have gone: %s", r.Status)
	}
	for i, want := range map[int]int{7: 404, 3: 200, 0: 200} {
		if r := all[i].post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); r.StatusCode != want {
			t.Errorf("client %d: %s", i, r.Status)
		}
	}
	if bad := s.do("POST", strings.Replace(initialize, `"id":0,`, "", 1)); bad.StatusCode != 400 {
		t.Error(bad.Status)
	}
}
