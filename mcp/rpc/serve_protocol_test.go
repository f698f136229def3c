package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// modernMeta is what every request of the stateless era carries.
const modernMeta = `{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"modern","version":"9"},` +
	`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`

func testLogger(mu *sync.Mutex, to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(lockedWriter{mu, to}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}

func initialize(version, capabilities string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":%q,`+
		`"clientInfo":{"name":"old","version":"1"},"capabilities":%s}}`, version, capabilities)
}

func TestServeBadLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newToy(), Options{})
		nested := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
		for _, tt := range []struct {
			name, line string
			code       int
			id         string
			says       string
		}{
			{"no JSON", `hello`, mcp.PARSE_ERROR, "null", "not one JSON message"},
			{"cut", `{"jsonrpc":"2.0","id":1,"method":"pi`, mcp.PARSE_ERROR, "null", ""},
			{"trailing NUL", `{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\x00", mcp.PARSE_ERROR, "null", ""},
			{"only NUL", "\x00", mcp.PARSE_ERROR, "null", ""},
			{"two objects", `{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}`, mcp.PARSE_ERROR, "null", ""},
			{"nested", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":` + nested + `}}`, mcp.PARSE_ERROR, "null", "depth"},
			{"batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, mcp.INVALID_REQUEST, "null", "one message a line"},
			{"empty batch", ` []`, mcp.INVALID_REQUEST, "null", "one message a line"},
			{"string", `"ping"`, mcp.INVALID_REQUEST, "null", "object"},
			{"empty object", `{}`, mcp.INVALID_REQUEST, "null", "2.0"},
			{"jsonrpc 1.0", `{"jsonrpc":"1.0","id":7,"method":"ping"}`, mcp.INVALID_REQUEST, "7", "2.0"},
			{"no jsonrpc", `{"id":7,"method":"ping"}`, mcp.INVALID_REQUEST, "7", "2.0"},
			{"object id", `{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}`, mcp.INVALID_REQUEST, "null", "id"},
			{"boolean id", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, mcp.INVALID_REQUEST, "null", "id"},
			{"null id", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, mcp.INVALID_REQUEST, "null", "id"},
			{"no method", `{"jsonrpc":"2.0","id":7}`, mcp.INVALID_REQUEST, "7", "method"},
			{"number method", `{"jsonrpc":"2.0","id":7,"method":5}`, mcp.INVALID_REQUEST, "7", "method"},
			{"unknown method", `{"jsonrpc":"2.0","id":7,"method":"nothing/here"}`, mcp.METHOD_NOT_FOUND, "7", "nothing/here"},
			{"list params", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":["echo"]}`, mcp.INVALID_PARAMS, "7", "object"},
			{"unknown tool", toolCall(7, "nothing", `{}`), mcp.INVALID_PARAMS, "7", "nothing"},
			{"number tool", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":5}}`, mcp.INVALID_REQUEST, "7", ""},
		} {
			p.send(tt.line)
			r := p.next()
			if r.Error == nil || r.Error.Code != tt.code || string(r.ID) != tt.id || !strings.Contains(r.Error.Message, tt.says) {
				t.Errorf("%s: got %s", tt.name, r.raw)
			}
			p.ping()
		}
		p.send("", "   ", "\r", "\t\r")
		p.ping()
		p.send(`{"jsonrpc":"2.0","id":"srv-1","result":{}}`, `{"jsonrpc":"2.0","id":5,"error":{}}`, `{"jsonrpc":"2.0","method":"notifications/none"}`)
		p.ping()
		p.send(`{"jsonrpc":"2.0","id":"crlf","method":"ping"}` + "\r")
		if r := p.next(); string(r.ID) != `"crlf"` {
			t.Errorf("got %s", r.raw)
		}
		p.hangUp()
	})
}

func TestServeDuplicateID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newToy(), Options{})
		p.send(toolCall(1, "sleep", `{"seconds":1}`), toolCall(1, "echo", `{}`))
		if r := p.next(); r.Error == nil || r.Error.Code != mcp.INVALID_REQUEST || string(r.ID) != "1" {
			t.Errorf("got %s", r.raw)
		}
		p.send(toolCall("1", "echo", `{"text":"another id"}`))
		if r := p.next(); r.text() != "another id" {
			t.Errorf("got %s", r.raw)
		}
		if r := p.next(); r.text() != "slept" {
			t.Errorf("got %s", r.raw)
		}
		p.send(toolCall(1, "echo", `{"text":"free again"}`))
		if r := p.next(); r.text() != "free again" {
			t.Errorf("got %s", r.raw)
		}
		p.hangUp()
	})
}

func TestServeIDsAndTextAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newToy(), Options{})
		for _, id := range []string{"9007199254740993", `"a<b>"`, "-1", "1.5", `""`, `"\\u003c"`} {
			p.send(`{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"echo","arguments":{"text":"<b>&\\u003c</b>"}}}`)
			r := p.next()
			if string(r.ID) != id || r.text() != `<b>&\u003c</b>` || !strings.Contains(r.raw, `<b>&\\u003c</b>`) {
				t.Errorf("%s: got %s", id, r.raw)
			}
		}
		p.hangUp()
	})
}

func TestServeLongLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newToy(), Options{MaxLine: 200_000})
		big := strings.Repeat("x", 300_000)
		for _, tt := range []struct{ line, id string }{
			{toolCall(7, "echo", `{"text":"`+big+`"}`), "7"},
			{`{"method":"tools/call","params":{"a":"` + big + `"},"jsonrpc":"2.0","id":"end"}`, `"end"`},
			{big, "null"},
		} {
			p.send(tt.line)
			r := p.next()
			if r.Error == nil || r.Error.Code != mcp.INVALID_REQUEST || string(r.ID) != tt.id ||
				!strings.Contains(r.Error.Message, "200000") || !strings.Contains(r.Error.Message, fmt.Sprint(len(tt.line))) {
				t.Errorf("got %s", r.raw)
			}
			p.ping()
		}
		p.send(toolCall(8, "echo", `{"text":"`+big[:199_000]+`"}`))
		if r := p.next(); len(r.text()) != 199_000 {
			t.Errorf("got %.200s", r.raw)
		}
		p.hangUp()
	})
}

func TestServeBothEras(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		for asked, agreed := range map[string]string{
			"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18",
			"2025-11-25": "2025-11-25", "2026-07-28": "2025-11-25", "1999-01-01": "2025-11-25",
		} {
			p := connect(t, s, Options{})
			p.send(initialize(asked, `{}`), `{"jsonrpc":"2.0","method":"notifications/initialized"}`, toolCall(1, "who", `{}`))
			if r := p.next(); r.Result == nil || r.Result.ProtocolVersion != agreed {
				t.Errorf("%s: got %s", asked, r.raw)
			}
			if r := p.next(); r.text() != "noted" || r.Result.ResultType != "" {
				t.Errorf("%s: got %s", asked, r.raw)
			}
			if got, want := <-s.clients, (Client{Name: "old", Version: "1", ProtocolVersion: agreed}); got != want {
				t.Errorf("%s: client %+v", asked, got)
			}
			p.hangUp()
		}

		p := connect(t, s, Options{})
		p.send(`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":` + modernMeta + `}}`)
		if r := p.next(); !strings.Contains(r.raw, `"2026-07-28"`) || r.Result.ResultType != "complete" {
			t.Errorf("got %s", r.raw)
		}
		p.send(metaCall(2, "who", `{}`, modernMeta))
		if r := p.next(); r.text() != "noted" || r.Result.ResultType != "complete" {
			t.Errorf("got %s", r.raw)
		}
		want := Client{Name: "modern", Version: "9", ProtocolVersion: "2026-07-28", Modern: true, Elicitation: true}
		if got := <-s.clients; got != want {
			t.Errorf("client %+v", got)
		}
		p.send(metaCall(3, "who", `{}`, strings.Replace(modernMeta, "2026-07-28", "2099-01-01", 1)))
		if r := p.next(); r.Error == nil || r.Error.Code != mcp.UNSUPPORTED_PROTOCOL_VERSION {
			t.Errorf("got %s", r.raw)
		}
		// Without any handshake, on the same connection.
		p.send(toolCall(4, "echo", `{"text":"bare"}`))
		if r := p.next(); r.text() != "bare" {
			t.Errorf("got %s", r.raw)
		}
		p.hangUp()
	})
}

func TestServeSubscriptionsListen(t *testing.T) {
	listen := func(id, filter string) string {
		return `{"jsonrpc":"2.0","id":"` + id + `","method":"subscriptions/listen","params":{"notifications":` + filter + `,"_meta":` + modernMeta + `}}`
	}
	synctest.Test(t, func(t *testing.T) {
		// Nothing to subscribe to: acknowledged, then ended.
		p := connect(t, newToy(server.WithToolCapabilities(false)), Options{})
		for i := range 100 {
			id := fmt.Sprint("listen:", i)
			p.send(listen(id, `{"toolsListChanged":true}`))
			if r := p.next(); r.Method != "notifications/subscriptions/acknowledged" {
				t.Fatalf("got %s", r.raw)
			}
			if r := p.next(); string(r.ID) != `"`+id+`"` || r.Result == nil {
				t.Fatalf("got %s", r.raw)
			}
		}
		p.hangUp()

		// Something: held open beside other calls, until cancelled or the end.
		p = connect(t, newToy(), Options{})
		p.send(listen("a", `{"toolsListChanged":true}`), listen("b", `{"toolsListChanged":true}`))
		for range 2 {
			if r := p.next(); r.Method != "notifications/subscriptions/acknowledged" {
				t.Fatalf("got %s", r.raw)
			}
		}
		p.ping()
		p.send(cancelOf("a", ""))
		p.none()
		p.in.Close()
		if r := p.next(); string(r.ID) != `"b"` || r.Result == nil {
			t.Errorf("got %s", r.raw)
		}
		if err := <-p.served; err != nil {
			t.Error(err)
		}
	})
}

func TestServeElicitation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		p := connect(t, s, Options{})
		p.send(initialize("2025-11-25", `{"elicitation":{}}`))
		p.next()
		p.send(toolCall(1, "ask", `{}`), toolCall(2, "ask", `{}`), toolCall(3, "ask", `{}`))
		questions := []reply{p.next(), p.next(), p.next()}
		for _, question := range questions {
			if question.Method != "elicitation/create" || !strings.HasPrefix(string(question.ID), `"srv-`) {
				t.Fatalf("got %s", question.raw)
			}
			p.send(`{"jsonrpc":"2.0","id":` + string(question.ID) + `,"result":{"action":"accept","content":{}}}`)
			if r := p.next(); r.text() != "accept" {
				t.Errorf("got %s", r.raw)
			}
			if err := <-s.asked; err != nil {
				t.Error(err)
			}
		}

		p.send(toolCall(4, "ask", `{}`))
		question := p.next()
		p.send(`{"jsonrpc":"2.0","id":` + string(question.ID) + `,"error":{"code":-32601,"message":"no such method"}}`)
		if r := p.next(); !r.Result.IsError || !strings.Contains(r.text(), "no such method") {
			t.Errorf("got %s", r.raw)
		}
		<-s.asked

		// A cancelled call takes its question back.
		p.send(toolCall(5, "ask", `{}`))
		question = p.next()
		p.send(cancelOf(5, "AbortError: user-cancel"))
		r := p.next()
		if encoded, _ := json.Marshal(r.Params.RequestID); r.Method != "notifications/cancelled" || string(encoded) != string(question.ID) {
			t.Errorf("got %s", r.raw)
		}
		var cancelled *Cancelled
		if err := <-s.asked; !errors.As(err, &cancelled) {
			t.Errorf("got %v", err)
		}
		p.ping()

		// The stateless era has no requests from the server.
		p.send(metaCall(6, "ask", `{}`, modernMeta))
		if r := p.next(); r.Result == nil || !r.Result.IsError {
			t.Errorf("got %s", r.raw)
		}
		<-s.asked
		p.hangUp()

		// A client that cannot is not asked.
		p = connect(t, s, Options{})
		p.send(initialize("2025-11-25", `{}`), toolCall(1, "ask", `{}`))
		p.next()
		if r := p.next(); r.Result == nil || !r.Result.IsError {
			t.Errorf("got %s", r.raw)
		}
		if err := <-s.asked; !errors.Is(err, server.ErrElicitationNotSupported) {
			t.Errorf("got %v", err)
		}
		p.hangUp()
	})
}
