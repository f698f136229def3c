package clients

import (
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// cancelWords are those with which SDKs cancel a call when their own timer fires:
// "McpError: MCP error -32001: Request timed out", "request timeout", "context
// deadline exceeded". A person's is "AbortError: user-cancel", for one.
var cancelWords = []string{"timed out", "timed-out", "timeout", "time-out", "time out", "deadline"}

const (
	// Codex's cancel comes within 10 ms of its limit.
	clockSlack = 20 * time.Millisecond
	// clockStep: limits are multiples of it, 60 and 300 s in most cases.
	clockStep = 5 * time.Second
	// shortestClock: nobody sets a shorter limit; two cancels that early are a person's.
	shortestClock = 2 * time.Second
)

// ByClock reports whether a cancel means that the client only stopped waiting, and
// whether that was guessed from the time because its words do not tell. No reason
// counts as a time-out, because interrupting work nobody meant to stop is the
// worse mistake.
func (c Client) ByClock(cancel *rpc.Cancelled) (clock, guessed bool) {
	reason := strings.ToLower(strings.TrimSpace(cancel.Reason))
	for _, words := range cancelWords {
		if strings.Contains(reason, words) {
			return true, false
		}
	}
	switch {
	case !c.silentCancels && !strings.Contains(reason, "mcp request cancelled by caller"):
		return reason == "", false
	case cancel.After >= shortestClock && near(cancel.After%clockStep, 0, clockStep):
		return true, true
	}
	for _, earlier := range cancel.Earlier {
		if cancel.After >= shortestClock && near(cancel.After, earlier) {
			return true, true
		}
	}
	return false, true
}

// near reports whether d is as good as one of others.
func near(d time.Duration, others ...time.Duration) bool {
	for _, other := range others {
		if (d - other).Abs() <= clockSlack {
			return true
		}
	}
	return false
}
