package streamable

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestModern: requests without a handshake, which repeat in headers what they say.
func TestModern(t *testing.T) {
	s := newToy(t)
	body, header := modernTool(1, "echo", "hi")
	r := s.do("POST", body, append(header, "Mcp-Session-Id", "whatever")...)
	if r.StatusCode != 200 || r.Header.Get("Mcp-Session-Id") != "" {
		t.Errorf("%s %v", r.Status, r.Header)
	}
	has(t, r.body(), `"text":"hi"`, `"resultType":"complete"`)
	if text := <-s.delivered; text != "hi" {
		t.Error(text)
	}
	discover, headers := modernCall(2, "server/discover", "", "")
	has(t, s.do("POST", discover, headers...).body(), "2026-07-28", "2025-11-25")
	set := func(name, value string) func([]string) []string {
		return func(header []string) []string { return append(slices.Clone(header), name, value) }
	}
	for _, test := range []struct {
		name   string
		body   string
		change func([]string) []string
		status int
		part   string
	}{
		{"no version", body, set("MCP-Protocol-Version", ""), 400, "-32020"},
		{"another version", body, set("MCP-Protocol-Version", "2026-08-01"), 400, "-32020"},
		{"no method", body, set("Mcp-Method", ""), 400, "-32020"},
		{"another method", body, set("Mcp-Method", "tools/list"), 400, "-32020"},
		{"no name", body, set("Mcp-Name", ""), 400, "-32020"},
		{"another name", body, set("Mcp-Name", "wait"), 400, "-32020"},
		{"base64", body, set("Mcp-Name", "=?base64?ZWNobw==?="), 200, "hi"},
		{"bad base64", body, set("Mcp-Name", "=?base64?%%%?="), 400, "-32020"},
		{"no meta", call(1, "echo", "hi"), set("x", "y"), 400, "-32602"},
		{"unknown method", strings.Replace(discover, "server/discover", "no/such", 1), set("Mcp-Method", "no/such"), 404, "-32601"},
		{"unknown version", strings.ReplaceAll(body, "2026-07-28", "2099-01-01"), set("MCP-Protocol-Version", "2099-01-01"), 400, "-32022"},
		{"unknown tool", strings.Replace(body, `"echo"`, `"nope"`, 1), set("Mcp-Name", "nope"), 400, "-32602"},
		{"a response", `{"jsonrpc":"2.0","id":"srv-1","result":{}}`, set("x", "y"), 400, "no responses"},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/whatever"}`, set("x", "y"), 202, ""},
	} {
		r := s.do("POST", test.body, test.change(header)...)
		if text := r.body(); r.StatusCode != test.status || !strings.Contains(text, test.part) {
			t.Errorf("%s: %s %s", test.name, r.Status, text)
		}
	}
	for _, method := range []string{"GET", "DELETE", "PUT"} {
		if r := s.do(method, "", "MCP-Protocol-Version", "2026-07-28"); r.StatusCode != 405 || r.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %s", method, r.Status)
		}
	}
}

// TestModernStreams: the end of a stream ends the waiting, and is no cancel that
// interrupts; a stream has no ids.
func TestModernStreams(t *testing.T) {
	s := newToy(t)
	body, header := modernTool(1, "wait", "x")
	r := s.do("POST", body, header...)
	if kind := r.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatal(kind)
	}
	<-s.started
	r.cut()
	if why := <-s.ended; why != "connection closed" {
		t.Error(why)
	}
	// A cancel that names one request alone is heard, one that could mean two is not.
	first := s.do("POST", body, header...)
	second := s.do("POST", body, header...)
	<-s.started
	<-s.started
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"user"}}`
	if r := s.do("POST", cancel, header...); r.StatusCode != 202 {
		t.Error(r.Status)
	}
	second.cut()
	if why := <-s.ended; why != "connection closed" {
		t.Error(why)
	}
	for len(s.inFlight("n1")) != 1 {
		time.Sleep(time.Millisecond) // polling, not ordering
	}
	if r := s.do("POST", cancel, header...); r.StatusCode != 202 {
		t.Error(r.Status)
	}
	if why := <-s.ended; why != "cancelled: user" {
		t.Error(why)
	}
	if e := first.next(); e != (sse{}) {
		t.Errorf("after the cancel: %v", e)
	}
	// A subscription to what never changes ends at once, with what was acknowledged.
	listen, headers := modernCall(7, "subscriptions/listen", "", `"notifications":{"toolsListChanged":true},`)
	r = s.do("POST", listen, headers...)
	has(t, r.next().data, "notifications/subscriptions/acknowledged")
	if e := r.next(); e.id != "" || !strings.Contains(e.data, `"id":7`) {
		t.Errorf("%v", e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.there, ", "); got != "stateless true" {
		t.Error(got)
	}
}

func (s *toy) inFlight(key string) []*oneShot {
	s.endpoint.mu.Lock()
	defer s.endpoint.mu.Unlock()
	return s.endpoint.modern[key]
}
