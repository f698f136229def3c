package mcp

import (
	"context"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
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

// byClock reports whether a cancel means that the client only stopped waiting, and
// whether that was guessed from the time because its words do not tell. No reason
// counts as a time-out, because interrupting work nobody meant to stop is the
// worse mistake.
func (c client) byClock(cancel *rpc.Cancelled) (clock, guessed bool) {
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

// givenUp does what the cancel of the call that waited for e means, if there was
// one: the client's clock ends only the waiting, a person's stop interrupts.
func (t *tools) givenUp(ctx context.Context, e *session.Execution) {
	cancel := rpc.CancelOf(ctx)
	if cancel == nil || e.Finished() {
		return
	}
	clock, guessed := clientOf(ctx).byClock(cancel)
	stop := session.Stop{By: session.ByCancel, Reason: cancel.Reason, Guessed: guessed}
	if clock {
		stop.By = session.ByClock
		e.GivenUp(stop)
		return
	}
	t.log.Info("interrupting: the client cancelled", "id", e.ID(), "reason", cancel.Reason, "after", cancel.After)
	if _, err := e.Session().Interrupt(context.WithoutCancel(ctx), e, stop); err != nil {
		t.log.Warn("interrupting", "id", e.ID(), "err", err)
	}
}
