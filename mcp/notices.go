package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// notices are sentences about the server itself that the first answer tells,
// whatever tool gives it. An answer that did not reach the client told nothing.
type notices struct {
	sentences []string
	told      atomic.Bool
}

// killedWords says that the server before this one was killed.
func killedWords(sessions *session.Manager) []string {
	if sessions == nil {
		return nil
	}
	ago, yes := sessions.Killed()
	if !yes {
		return nil
	}
	return []string{fmt.Sprintf("the server was started anew: earlier sessions are gone, with their variables (the one before it was killed; its last run began %s). Set up what you need again", agoWords(ago))}
}

// agoWords says how long ago something was, as far as that is known.
func agoWords(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "in the last minutes"
	case d < 2*time.Hour:
		return fmt.Sprintf("about %d minutes ago", int(d.Minutes()))
	}
	return fmt.Sprintf("about %d hours ago", int(d.Hours()))
}

// addTo puts the notices into a result: as lines below the status line, as a
// member of a JSON object, or at the end of an error's words.
func (n *notices) addTo(ctx context.Context, result *mcp.CallToolResult) {
	if n == nil || len(n.sentences) == 0 || n.told.Load() || result == nil || len(result.Content) == 0 {
		return
	}
	first, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		return
	}
	first.Text = n.within(first.Text)
	result.Content[0] = first
	rpc.AfterDelivery(ctx, func() { n.told.Store(true) })
}

// within is an answer's text with the notices in it.
func (n *notices) within(text string) string {
	if body, ok := strings.CutSuffix(text, "}"); ok && strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
		return body + ",\"notices\":" + string(compactJSON(n.sentences)) + "}"
	}
	lines := "[note: " + strings.Join(n.sentences, "]\n[note: ") + "]"
	if head, rest, more := strings.Cut(text, "\n"); strings.HasPrefix(text, "[") {
		if more {
			lines += "\n"
		}
		return head + "\n" + lines + rest
	}
	return strings.TrimSuffix(text, "\n") + "\n" + lines
}
