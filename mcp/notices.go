package mcp

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
)

// notices are sentences about the server itself that the first answer tells,
// whatever tool gives it. An answer that did not reach the client told nothing.
type notices struct {
	sentences []string
	told      atomic.Bool
}

// addTo puts the notices into a result: as lines below the status line, as a
// member of a JSON object, or at the end of an error's words.
func (n *notices) addTo(ctx context.Context, result *mcp.CallToolResult) {
	if len(n.sentences) == 0 || n.told.Load() || result == nil || len(result.Content) == 0 {
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
