package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// toy is an MCP server whose tools misbehave on request.
type toy struct {
	*server.MCPServer
	started   atomic.Int32
	delivered atomic.Int32
	gate      chan struct{}      // what "after" waits for once delivered, if not nil
	causes    chan error         // why "block" ended
	leftover  chan *Progress     // the reporter of a "progress" call
	clients   chan Client        // what "who" saw
	asked     chan error         // how "ask" ended
	deaf      chan struct{}      // what "deaf" waits for, whatever its context says
	reasons   chan cancelledCall // what a cancelled "block" saw
}

type cancelledCall struct {
	Reason    string
	Cancelled bool
}

func newToy(options ...server.ServerOption) *toy {
	s := &toy{
		MCPServer: server.NewMCPServer("toy", "1.0", append([]server.ServerOption{
			server.WithToolCapabilities(true), server.WithElicitation(),
		}, options...)...),
		causes:   make(chan error, 200),
		reasons:  make(chan cancelledCall, 200),
		leftover: make(chan *Progress, 200),
		clients:  make(chan Client, 10),
		asked:    make(chan error, 10),
		deaf:     make(chan struct{}),
	}
	for name, handler := range map[string]func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error){
		"echo":     s.echo,
		"sleep":    s.sleep,
		"block":    s.block,
		"deaf":     s.beDeaf,
		"panic":    func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("kaboom") },
		"nan":      s.nan,
		"progress": s.report,
		"ask":      s.ask,
		"after":    s.after,
		"who":      s.who,
		"hold":     s.hold,
		"queue":    s.queue,
	} {
		s.AddTool(mcp.NewTool(name), func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			s.started.Add(1)
			return handler(ctx, request)
		})
	}
	return s
}

func (s *toy) echo(_ context.Context, a mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultText(a.GetString("text", "")), nil
}

func (s *toy) sleep(ctx context.Context, a mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	select {
	case <-time.After(time.Duration(a.GetFloat("seconds", 0) * float64(time.Second))):
		return mcp.NewToolResultText("slept"), nil
	case <-ctx.Done():
		return mcp.NewToolResultText("woken"), nil
	}
}

func (s *toy) block(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	<-ctx.Done()
	if c := CancelOf(ctx); c != nil {
		s.reasons <- cancelledCall{c.Reason, true}
	} else {
		s.reasons <- cancelledCall{"", false}
	}
	s.causes <- context.Cause(ctx)
	return mcp.NewToolResultText("unblocked"), nil
}

// holdTime is for how long hold keeps a connection from being asked.
const holdTime = time.Minute

func (s *toy) hold(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	HoldElicitation(ctx, holdTime)
	return mcp.NewToolResultText("held"), nil
}

func (s *toy) beDeaf(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	<-s.deaf
	return mcp.NewToolResultText("at last"), nil
}

func (s *toy) nan(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return mcp.NewToolResultStructured(func() {}, "not encodable"), nil
}

func (s *toy) report(ctx context.Context, a mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	progress := ProgressFrom(ctx)
	pause := time.Duration(a.GetFloat("pause", 0) * float64(time.Second))
	for i := range a.GetInt("times", 1) {
		if pause > 0 {
			time.Sleep(pause)
		}
		progress.Report(float64(i+1), "working")
		progress.Report(float64(i+1), "the same again")
	}
	s.leftover <- progress
	return mcp.NewToolResultText("reported"), nil
}

func (s *toy) ask(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	result, err := s.RequestElicitation(ctx, mcp.ElicitationRequest{Params: mcp.ElicitationParams{
		Message: "name?", RequestedSchema: map[string]any{"type": "object"},
	}})
	s.asked <- err
	if err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	return mcp.NewToolResultText(string(result.Action)), nil
}

func (s *toy) after(ctx context.Context, a mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	AfterDelivery(ctx, func() {
		if s.gate != nil {
			<-s.gate
		}
		s.delivered.Add(1)
	})
	if a.GetBool("block", false) {
		return s.block(ctx, a)
	}
	return mcp.NewToolResultText(fmt.Sprint("delivered before: ", s.delivered.Load())), nil
}

func (s *toy) who(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	s.clients <- ClientFrom(ctx)
	return mcp.NewToolResultText("noted"), nil
}

// queue takes some seconds to queue its work.
func (s *toy) queue(ctx context.Context, a mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	result, err := s.sleep(ctx, a)
	Queued(ctx)
	return result, err
}

// reply is any message the server sent.
type reply struct {
	raw    string
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		RequestID string          `json:"requestId"`
		Progress  float64         `json:"progress"`
		Token     json.RawMessage `json:"progressToken"`
	} `json:"params"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Result *struct {
		ResultType string `json:"resultType"`
		IsError    bool   `json:"isError"`
		Content    []struct {
			Text string `json:"text"`
		} `json:"content"`
		ProtocolVersion string `json:"protocolVersion"`
	} `json:"result"`
}

func (r reply) text() string {
	if r.Result == nil || len(r.Result.Content) == 0 {
		return ""
	}
	return r.Result.Content[0].Text
}

// peer is the client's end of a connection on pipes in memory.
type peer struct {
	t       testing.TB
	in      *io.PipeWriter
	out     *io.PipeReader
	replies chan reply
	served  chan error // what Serve returned
	stop    context.CancelCauseFunc
}

// connect serves one connection. paused leaves the server's output unread
// until p.read is called.
func connect(t testing.TB, s *toy, opts Options) *peer {
	p := connectPaused(t, s, opts)
	go p.read()
	return p
}

func connectPaused(t testing.TB, s *toy, opts Options) *peer {
	t.Helper()
	serverIn, in := io.Pipe()
	out, serverOut := io.Pipe()
	ctx, stop := context.WithCancelCause(context.Background())
	p := &peer{t: t, in: in, out: out, replies: make(chan reply, 20_000), served: make(chan error, 1), stop: stop}
	go func() {
		err := Serve(ctx, s.MCPServer, serverIn, serverOut, opts)
		serverOut.Close()
		serverIn.Close()
		p.served <- err
	}()
	return p
}

func (p *peer) read() {
	defer close(p.replies)
	scanner := bufio.NewScanner(p.out)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		r := reply{raw: scanner.Text()}
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			p.t.Errorf("server wrote %q: %v", scanner.Text(), err)
		}
		p.replies <- r
	}
}

func (p *peer) send(lines ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, strings.Join(lines, "\n")+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// next returns the server's next message. When there is none for ever, the
// bubble deadlocks and the test fails with all stacks.
func (p *peer) next() reply {
	p.t.Helper()
	r, ok := <-p.replies
	if !ok {
		p.t.Fatal("the server closed the connection")
	}
	return r
}

// hangUp ends the client's side and returns what Serve returned.
func (p *peer) hangUp() error {
	p.in.Close()
	return <-p.served
}

// none fails if the server has said anything that was not read.
func (p *peer) none() {
	p.t.Helper()
	synctest.Wait()
	select {
	case r, ok := <-p.replies:
		if ok {
			p.t.Errorf("unexpected: %s", r.raw)
		}
	default:
	}
}

// ping fails unless the connection answers, before anything else.
func (p *peer) ping() {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":"ping","method":"ping"}`)
	if r := p.next(); string(r.ID) != `"ping"` || r.Result == nil {
		p.t.Errorf("ping: got %s", r.raw)
	}
}

func toolCall(id any, tool, args string) string {
	encoded, _ := json.Marshal(id)
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, encoded, tool, args)
}

func metaCall(id any, tool, args, meta string) string {
	encoded, _ := json.Marshal(id)
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":%s}}`, encoded, tool, args, meta)
}

func cancelOf(id any, reason string) string {
	encoded, _ := json.Marshal(id)
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s,"reason":%q}}`, encoded, reason)
}
