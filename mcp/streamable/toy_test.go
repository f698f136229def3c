package streamable

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// toy is an endpoint with a server behind it whose tools wait on request.
type toy struct {
	t         *testing.T
	mcp       *server.MCPServer
	endpoint  *Endpoint
	http      *httptest.Server
	gate      chan struct{} // "wait" answers when it is closed
	started   chan string   // the tools that were called
	ended     chan string   // why "wait" was given up
	delivered chan string   // the texts of answers that the client has

	mu    sync.Mutex
	there []string // what the endpoint told of its clients
}

// guest is a client of the toy.
type guest struct {
	toy  *toy
	name string
}

func (g *guest) Serve(ctx context.Context, r io.Reader, w rpc.Streams) error {
	return rpc.Serve(ctx, g.toy.mcp, r, w, rpc.Options{})
}
func (g *guest) Away() { g.toy.told(g.name + " away") }
func (g *guest) Back() { g.toy.told(g.name + " back") }

func (s *toy) told(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.there = append(s.there, what)
}

func newToy(t *testing.T) *toy {
	s := &toy{t: t, gate: make(chan struct{}), started: make(chan string, 100), ended: make(chan string, 100), delivered: make(chan string, 100),
		mcp: server.NewMCPServer("toy", "1", server.WithToolCapabilities(false), server.WithElicitation())}
	s.tool("echo", func(_ context.Context, text string) string { return text })
	s.tool("wait", func(ctx context.Context, text string) string {
		select {
		case <-s.gate:
		case <-ctx.Done():
			why := context.Cause(ctx).Error()
			if c := rpc.CancelOf(ctx); c != nil {
				why = "cancelled: " + c.Reason
			}
			s.ended <- why
		}
		return text
	})
	s.tool("report", func(ctx context.Context, text string) string {
		rpc.ProgressFrom(ctx).Report(1, text)
		return text
	})
	s.tool("ask", func(ctx context.Context, text string) string {
		answer, err := s.mcp.RequestElicitation(ctx, mcp.ElicitationRequest{Params: mcp.ElicitationParams{Message: text, RequestedSchema: map[string]any{"type": "object"}}})
		if err != nil {
			return err.Error()
		}
		return string(answer.Action)
	})
	s.endpoint = New(Options{
		Join:      func() Client { return &guest{s, "client"} },
		Stateless: func(name string) Client { return &guest{s, name} },
		There:     func(there bool) { s.told(fmt.Sprint("stateless ", there)) },
		Log:       slog.New(slog.DiscardHandler),
	})
	s.http = httptest.NewServer(s.endpoint)
	t.Cleanup(func() {
		s.endpoint.Close()
		s.http.Close()
	})
	return s
}

func (s *toy) tool(name string, do func(ctx context.Context, text string) string) {
	s.mcp.AddTool(mcp.NewTool(name), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		s.started <- name
		text := do(ctx, r.GetString("text", ""))
		rpc.AfterDelivery(ctx, func() { s.delivered <- text })
		return mcp.NewToolResultText(text), nil
	})
}

// reply is an HTTP response.
type reply struct {
	*http.Response
	t      *testing.T
	lines  *bufio.Reader
	cancel context.CancelFunc
}

// do sends a request; header are names and values by turns.
func (s *toy) do(method, body string, header ...string) *reply {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.http.URL, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	response, err := s.http.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { response.Body.Close() })
	return &reply{response, s.t, bufio.NewReader(response.Body), cancel}
}

// cut ends the client's side.
func (r *reply) cut() { r.cancel(); r.Body.Close() }

// body is the whole body.
func (r *reply) body() string {
	r.t.Helper()
	text, err := io.ReadAll(r.lines)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// sse is an event.
type sse struct{ id, data string }

// next reads an event that has data, or an id; it is zero at the stream's end.
func (r *reply) next() (e sse) {
	r.t.Helper()
	for {
		line, err := r.lines.ReadString('\n')
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case err == io.EOF:
			return e
		case err != nil:
			r.t.Fatal(err)
		case name == "id":
			e.id = value
		case name == "data":
			e.data = value
		case line == "\n" && e != sse{}:
			return e
		}
	}
}

// client is one that has shaken hands.
type client struct {
	*toy
	id, version string
}

func (s *toy) shake(capabilities string) *client {
	s.t.Helper()
	r := s.do("POST", fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":%s,"clientInfo":{"name":"test","version":"1"}}}`, capabilities))
	c := &client{s, r.Header.Get("Mcp-Session-Id"), "2025-11-25"}
	if r.StatusCode != 200 || c.id == "" || !strings.Contains(r.body(), `"protocolVersion":"2025-11-25"`) {
		s.t.Fatalf("initialize: %s", r.Status)
	}
	if r := c.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); r.StatusCode != 202 || r.body() != "" {
		s.t.Fatalf("initialized: %s", r.Status)
	}
	return c
}

func (c *client) post(body string, header ...string) *reply {
	c.t.Helper()
	return c.do("POST", body, append([]string{"Mcp-Session-Id", c.id, "MCP-Protocol-Version", c.version}, header...)...)
}

func call(id any, tool, text string) string {
	number, _ := json.Marshal(id)
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{"text":%q},"_meta":{"progressToken":%s}}}`, number, tool, text, number)
}

// modernCall is a request of the stateless era, and its headers.
func modernCall(id int, method, name, params string) (body string, header []string) {
	body = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"modern","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`, id, method, params)
	header = []string{"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", method}
	if name != "" {
		header = append(header, "Mcp-Name", name)
	}
	return body, header
}

func modernTool(id int, tool, text string) (string, []string) {
	return modernCall(id, "tools/call", tool, fmt.Sprintf(`"name":%q,"arguments":{"text":%q},`, tool, text))
}

// has fails unless text has all parts.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in %s", part, text)
		}
	}
}
