package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sorted is a writer that keeps what each request caused, by key.
type sorted struct {
	mu    sync.Mutex
	lines map[string][]string
	late  func() // delivered of the last answer, when answers are not delivered at once
	hold  bool   // they are not
}

type sortedStream struct {
	of  *sorted
	key string
}

func (s *sorted) put(key, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines[key] = append(s.lines[key], strings.TrimSpace(line))
}

func (s *sorted) Write(line []byte) (int, error) { s.put("", string(line)); return len(line), nil }
func (s *sorted) Stream(key string) Stream       { return &sortedStream{s, key} }

func (s *sortedStream) Report(line []byte) bool { s.of.put(s.key, string(line)); return true }
func (s *sortedStream) Ask(line []byte) error   { s.of.put(s.key, string(line)); return nil }
func (s *sortedStream) Close()                  { s.of.put(s.key, "closed") }
func (s *sortedStream) Answer(line []byte, delivered func()) {
	s.of.put(s.key, string(line))
	s.of.mu.Lock()
	s.of.late = delivered
	hold := s.of.hold
	s.of.mu.Unlock()
	if !hold && delivered != nil {
		delivered()
	}
}

// TestStreams: what a request causes goes to its own stream, the rest to none; an
// answer is delivered when the stream says so; a cancelled call has no answer.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, out := newToy(), &sorted{lines: map[string][]string{}}
		in, feed := io.Pipe()
		served := make(chan error, 1)
		go func() { served <- Serve(context.Background(), s.MCPServer, in, out, Options{}) }()
		send := func(lines ...string) {
			io.WriteString(feed, strings.Join(lines, "\n")+"\n")
			synctest.Wait()
		}
		check := func(key string, parts ...string) {
			t.Helper()
			out.mu.Lock()
			defer out.mu.Unlock()
			got := out.lines[key]
			if len(got) != len(parts) || slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(got[slices.Index(parts, part)], part) }) {
				t.Errorf("stream %s: %q, want %q", key, got, parts)
			}
		}
		send(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"x","version":"1"}}}`)
		check("si", `"serverInfo"`, "closed")
		send(metaCall(1, "progress", `{}`, `{"progressToken":"p"}`))
		time.Sleep(time.Second)
		synctest.Wait()
		check("n1", "notifications/progress", `"reported"`, "closed")
		send(toolCall(2, "ask", `{}`), toolCall(3, "ask", `{}`))
		check("n2", "elicitation/create")
		check("n3", "elicitation/create")
		send(`{"jsonrpc":"2.0","id":"srv-1","result":{"action":"accept"}}`, `{"jsonrpc":"2.0","id":"srv-2","result":{"action":"accept"}}`)
		check("n2", "elicitation/create", `"accept"`, "closed")
		send(toolCall(4, "block", `{}`), toolCall(4, "echo", `{}`))
		check("n4", "still running", "closed")
		send(cancelOf(4, "user"))
		check("n4", "still running", "closed", "closed")
		out.hold = true
		send(toolCall(5, "after", `{}`), toolCall(6, "after", `{}`))
		check("n6", `"delivered before: 0"`, "closed") // it does not wait for one that is held
		out.late()
		if n := s.delivered.Load(); n != 1 {
			t.Errorf("%d delivered", n)
		}
		check("")
		feed.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestOpen: what a transport reads of a message.
func TestOpen(t *testing.T) {
	for _, test := range []struct{ message, method, key, cancels, client string }{
		{"\ufeff{\n \"jsonrpc\": \"2.0\",\n \"id\": 1.0, \"method\": \"ping\"}", "ping", "n1", "", ""},
		{`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`, "notifications/cancelled", "", "sa", ""},
		{`{"jsonrpc":"2.0","id":"x","result":{}}`, "", "sx", "", ""},
		{`{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"me"}}}}`, "tools/list", "n2", "", "me"},
	} {
		e, err := Open([]byte(test.message))
		if err != nil || e.Method != test.method || e.Key != test.key || e.Cancels != test.cancels || e.Client != test.client {
			t.Errorf("%s: %+v, %v", test.message, e, err)
		}
		if strings.Count(string(e.Line), "\n") != 1 {
			t.Errorf("%q", e.Line)
		}
	}
	for message, code := range map[string]int{"": -32700, "{": -32700, "[]": -32600, "1": -32600, `{"id":3,"method":"x"}`: -32600, `{"jsonrpc":"2.0","id":1,"method":"x","params":[]}`: -32602} {
		_, err := Open([]byte(message))
		if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Code != code {
			t.Errorf("%q: %v", message, err)
		}
	}
}

// FuzzOpen: whatever comes, it is one line that is read as the server reads it, or a
// refusal.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{`{"jsonrpc":"2.0","id":1,"method":"ping"}`, "{\n}", `[]`, "\ufeff1", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1e3}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e, err := Open(message)
		if err != nil {
			if _, ok := errors.AsType[*RefusedError](err); !ok {
				t.Errorf("%v", err)
			}
			return
		}
		if n := len(e.Line); n == 0 || e.Line[n-1] != '\n' || strings.Count(string(e.Line), "\n") != 1 || !json.Valid(e.Line) {
			t.Errorf("%q", e.Line)
		}
		if m, err := parseMessage(e.Line[:len(e.Line)-1]); err != nil || m.method != e.Method || m.key != e.Key {
			t.Errorf("%q: %v", e.Line, err)
		}
	})
}
