package clients

import (
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// TestByClock: whose a cancel is, by its words and, where they do not tell, by when
// it came.
func TestByClock(t *testing.T) {
	const codex, caller = "codex-mcp-client", "MCP request cancelled by caller"
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	for _, test := range []struct {
		client, reason string
		after          float64
		earlier        []float64
		clock, guessed bool
	}{
		// The words tell, whenever it comes.
		{"", "", 3.3, nil, true, false},
		{"", " ", 3.3, nil, true, false},
		{"claude-code", "SdkError: Request timed out", 3.3, nil, true, false},
		{"gemini-cli-mcp-client-py", "McpError: MCP error -32001: Request timed out", 3, nil, true, false},
		{"", "TimeoutError: The operation was aborted due to timeout", 3, nil, true, false},
		{"goose", "request timeout", 3, nil, true, false},
		{"", "context deadline exceeded", 3, nil, true, false},
		{"claude-code", "AbortError: user-cancel", 5, nil, false, false},
		{"claude-code", "AbortError: remote-cancel", 60, nil, false, false},
		{"", "AbortError: This operation was aborted", 10, nil, false, false},
		{"", "context canceled", 10, nil, false, false},
		{"", "User requested cancellation", 300, []float64{300}, false, false},

		// Codex: the clock alone tells.
		{codex, caller, 300.01, nil, true, true}, // its default, as measured
		{codex, caller, 299.985, nil, true, true},
		{codex, caller, 60.02, nil, true, true},
		{codex, caller, 5.019, nil, true, true},
		{codex, caller, 5.021, nil, false, true},
		{codex, caller, 4.979, nil, false, true},
		{codex, caller, 3.52, nil, false, true}, // ESC, as measured
		{codex, caller, 3.0, nil, false, true},  // its limit set to 3 s, the first time
		{codex, caller, 3.005, []float64{3.0}, true, true},
		{codex, caller, 7.01, []float64{3.0, 7.0}, true, true},
		{codex, caller, 7.03, []float64{3.0, 7.0}, false, true},
		{codex, caller, 0.001, nil, false, true},
		{codex, caller, 0.015, nil, false, true}, // 0 is a multiple too, and no limit
		{codex, caller, 1.0, []float64{1.0}, false, true},
		{codex, "", 12.3, nil, false, true},
		{codex, "request timed out", 12.3, nil, true, false},
		{"another of its family", caller, 300, nil, true, true},
		{"another of its family", caller, 301, nil, false, true},
	} {
		c := &rpc.Cancelled{Reason: test.reason, After: seconds(test.after)}
		for _, e := range test.earlier {
			c.Earlier = append(c.Earlier, seconds(e))
		}
		clock, guessed := Named(test.client).ByClock(c)
		if clock != test.clock || guessed != test.guessed {
			t.Errorf("%+v: clock %v, guessed %v", test, clock, guessed)
		}
	}
}
