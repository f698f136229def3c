package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
)

// notices are sentences about the server itself that the first answer tells,
// whatever tool gives it. An answer that did not reach the client told nothing.
type notices struct {
	// sentences are found when they are told first: records are read for them.
	sentences func() []string
	told      atomic.Bool
	heard     func() // called when the client has them; may be nil
}

func newNotices(given []string, sessions *session.Manager) *notices {
	if sessions == nil {
		return &notices{sentences: func() []string { return given }}
	}
	// Who was killed is asked now: the first run takes their place.
	ago, prefixes := sessions.Killed()
	return &notices{sentences: sync.OnceValue(func() []string {
		if prefixes == nil {
			return given
		}
		return append(slices.Clone(given), killedWords(ago, sessions.Lost(prefixes))...)
	})}
}

// maxLost bounds how many sessions of a dead server are named.
const maxLost = 4

// killedWords says that the server before this one was killed, what it ran then, and
// what can be read of it.
func killedWords(ago time.Duration, lost []history.Lost) []string {
	words := []string{fmt.Sprintf("the server was started anew: earlier sessions are gone, with their variables (the one before it was killed; its last run began %s). Set up what you need again", agoWords(ago))}
	for i, l := range slices.Backward(lost) {
		if len(lost)-i > maxLost {
			words = append(words, fmt.Sprintf("%d more sessions were open", i+1))
			break
		}
		was := ""
		if l.Running != "" {
			was = fmt.Sprintf(" was running %s (unknown: the server died during this run);", l.Running)
		}
		read := "get_execution id=" + l.Last + " reads its run"
		if l.First != l.Last {
			read = fmt.Sprintf("get_execution reads its runs %s to %s", l.First, l.Last)
		}
		words = append(words, fmt.Sprintf("session %s of the dead server:%s %s, export_session id=%s.. has the code to build it again", l.Session, was, read, l.First))
	}
	return words
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
	if n == nil || n.told.Load() || result == nil || len(result.Content) == 0 || len(n.sentences()) == 0 {
		return
	}
	first, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		return
	}
	first.Text = n.within(first.Text)
	result.Content[0] = first
	rpc.AfterDelivery(ctx, func() {
		if !n.told.Swap(true) && n.heard != nil {
			n.heard()
		}
	})
}

// within is an answer's text with the notices in it.
func (n *notices) within(text string) string {
	if body, ok := strings.CutSuffix(text, "}"); ok && strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
		return body + ",\"notices\":" + string(compactJSON(n.sentences())) + "}"
	}
	lines := "[note: " + strings.Join(n.sentences(), "]\n[note: ") + "]"
	if head, rest, more := strings.Cut(text, "\n"); strings.HasPrefix(text, "[") {
		if more {
			lines += "\n"
		}
		return head + "\n" + lines + rest
	}
	return strings.TrimSuffix(text, "\n") + "\n" + lines
}
