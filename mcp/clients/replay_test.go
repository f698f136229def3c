package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// measuredCancel is a cancel as it was measured inside a client.
type measuredCancel struct {
	after  float64 // seconds
	reason string
	clock  bool // it must end the waiting only
}

// TestReplay: each client's handshake, recorded from the client itself (its lines as
// they are in testdata/clients/recorded), then its cancels one after the other on
// that connection, as measured: what was taken for its clock, and its row.
func TestReplay(t *testing.T) {
	const caller = "MCP request cancelled by caller"
	replayed := map[string]bool{}
	for _, test := range []struct {
		file, name, row string
		modern, form    bool
		cancels         []measuredCancel
	}{
		{"codex", "codex-mcp-client", "codex", false, true, []measuredCancel{
			{300.01, caller, true}, // tool_timeout_sec, its default
			{3.52, caller, false},  // ESC in the TUI
			{3.0, caller, false},   // tool_timeout_sec = 3: the first cannot be told from ESC
			{3.0, caller, true},
			{3.01, caller, true},
			{60, caller, true},
			{61.3, caller, false},
			{0.4, caller, false}, // turn/interrupt
			{0.4, caller, false},
		}},
		{"claude-code", "claude-code", "", false, true, []measuredCancel{
			{3, "SdkError: Request timed out", true},
			{4.2, "AbortError: user-cancel", false}, // ESC in the TUI
			{5, "AbortError: remote-cancel", false}, // stream-json
			{5, "AbortError: remote-cancel", false}, // its words tell, whenever it comes
		}},
		{"gemini-cli", "gemini-cli-mcp-client", "gemini", false, false, []measuredCancel{
			{3, "McpError: MCP error -32001: Request timed out", true},
		}},
		{"qwen-code", "qwen-cli-mcp-client-python", "qwen", false, false, []measuredCancel{
			{3, "McpError: MCP error -32001: Request timed out", true},
		}},
		{"opencode", "opencode", "", false, false, []measuredCancel{
			{3, "McpError: MCP error -32001: Request timed out", true},
		}},
		{"copilot-cli", "copilot-cli", "copilot", true, true, nil}, // it sent none
		// Its handshake was not kept, only its name; it stops waiting after 60 s without
		// a cancel.
		{"", "@cline/core", "cline", false, false, nil},
	} {
		replayed[test.row] = true
		t.Run(test.name, func(t *testing.T) {
			lines := named(test.name)
			if test.file != "" {
				lines = recorded(t, test.file)
			}
			synctest.Test(t, func(t *testing.T) {
				r := newReplay(t)
				for _, line := range lines {
					r.send(line)
				}
				for i, c := range append(test.cancels, measuredCancel{1, "Request timed out", true}) {
					id := 1000 + i
					r.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"execute_code","arguments":{}%s}}`, id, metaOf(lines)))
					synctest.Wait()
					time.Sleep(time.Duration(c.after * float64(time.Second)))
					r.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d,"reason":%q}}`, id, c.reason))
					saw := <-r.seen
					// opencode cancels calls that were answered as well: that touches nothing.
					r.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d,"reason":%q}}`, id, c.reason))
					if saw.clock != c.clock {
						t.Errorf("cancel %d, %q after %v s: taken for the clock: %v", i, c.reason, c.after, saw.clock)
					}
					if saw.client.Name != test.name || saw.row != test.row || saw.client.Modern != test.modern || saw.client.Elicitation != test.form {
						t.Errorf("%+v", saw)
					}
				}
				r.close()
			})
		})
	}
	for _, row := range clients {
		if !replayed[row.name] {
			t.Errorf("nothing is replayed for %s", row.name)
		}
	}
}

// named is the handshake of a client of which only the name is known.
func named(name string) []string {
	return []string{
		fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":%q,"version":"1"}}}`, name),
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
	}
}

// recorded are the lines that a client sent before its first call.
func recorded(t *testing.T, name string) (lines []string) {
	t.Helper()
	file, err := os.Open(filepath.Join("../../testdata/clients/recorded", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	if len(lines) < 2 || scanner.Err() != nil {
		t.Fatalf("%s: %q, %v", name, lines, scanner.Err())
	}
	return lines
}

// metaOf is what a client of the stateless era puts into each request, as the end of
// params.
func metaOf(lines []string) string {
	var m struct {
		Params struct {
			Meta map[string]json.RawMessage `json:"_meta"`
		} `json:"params"`
	}
	if json.Unmarshal([]byte(lines[0]), &m) != nil || m.Params.Meta == nil {
		return ""
	}
	encoded, _ := json.Marshal(m.Params.Meta)
	return `,"_meta":` + string(encoded)
}

// replay is a connection to a server with one tool, which waits for the end of its
// call and tells how that was taken.
type replay struct {
	t    *testing.T
	in   *io.PipeWriter
	seen chan seenCancel
	done chan error
}

type seenCancel struct {
	client         rpc.Client
	row            string
	clock, guessed bool
}

func newReplay(t *testing.T) *replay {
	serverIn, in := io.Pipe()
	r := &replay{t: t, in: in, seen: make(chan seenCancel, 1), done: make(chan error, 1)}
	s := server.NewMCPServer("test", "1", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewTool("execute_code"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		<-ctx.Done()
		saw := seenCancel{client: rpc.ClientFrom(ctx), row: Of(ctx).name}
		if cancel := rpc.CancelOf(ctx); cancel != nil {
			saw.clock, saw.guessed = Of(ctx).ByClock(cancel)
		}
		r.seen <- saw
		return mcp.NewToolResultText("ended"), nil
	})
	go func() { r.done <- rpc.Serve(context.Background(), s, serverIn, io.Discard, rpc.Options{}) }()
	return r
}

func (r *replay) send(line string) {
	if _, err := io.WriteString(r.in, line+"\n"); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replay) close() {
	r.in.Close()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
}
