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
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
)

// notices are sentences about the server itself that the first answer tells,
// whatever tool gives it. An answer that did not reach the client told nothing.
type notices struct {
	// untold are the sentences that the client does not have, and what to call when it
	// has them. They are found when they are told first: records are read for them.
	untold func() (sentences []string, heard func())
}

// noticesOf tells sentences once. heard is called when the client has them; it may be nil.
func noticesOf(sentences []string, heard func()) *notices {
	return noticesFound(func() []string { return sentences }, heard)
}

// noticesFound is noticesOf for sentences that are found when they are to be told.
func noticesFound(find func() []string, heard func()) *notices {
	var told atomic.Bool
	return &notices{untold: func() ([]string, func()) {
		if told.Load() {
			return nil, nil
		}
		return find(), func() {
			if !told.Swap(true) && heard != nil {
				heard()
			}
		}
	}}
}

// lockPatience is for how long the answers of a new server look for one that was just
// killed: a child that it was about to start holds its lock for a moment more.
const lockPatience = 10 * time.Second

// killedServers finds servers that were killed, by the first halves of their ids, the
// last one last, and reads what they have left.
type killedServers interface {
	Killed() (ago time.Duration, prefixes []string)
	Lost(prefixes []string) []history.Lost
}

// killedNotices tells of servers that were killed, of each once.
type killedNotices struct {
	servers killedServers
	settled time.Time // until then another may be found

	mu        sync.Mutex // protects the fields below
	looked    bool
	prefixes  []string // whose sentences those are
	sentences []string
	told      map[string]bool // by prefix
}

func newKilledNotices(servers killedServers) *notices {
	k := &killedNotices{servers: servers, settled: time.Now().Add(lockPatience), told: map[string]bool{}}
	return &notices{untold: k.untold}
}

func (k *killedNotices) untold() ([]string, func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.looked || time.Now().Before(k.settled) {
		k.lookLocked()
	}
	heard := k.prefixes
	return k.sentences, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, prefix := range heard {
			k.told[prefix] = true
		}
		if !slices.ContainsFunc(k.prefixes, func(prefix string) bool { return !k.told[prefix] }) {
			k.prefixes, k.sentences = nil, nil
		}
	}
}

// lookLocked finds those that are not told of. Records are read again only for another.
func (k *killedNotices) lookLocked() {
	k.looked = true
	ago, prefixes := k.servers.Killed()
	prefixes = slices.DeleteFunc(slices.Clone(prefixes), func(prefix string) bool { return k.told[prefix] })
	if slices.Equal(prefixes, k.prefixes) {
		return
	}
	k.prefixes, k.sentences = prefixes, nil
	if len(prefixes) > 0 {
		k.sentences = killedWords(ago, k.servers.Lost(prefixes))
	}
}

// maxLost bounds how many sessions of a dead server are named.
const maxLost = 4

// killedWords says that the server before this one was killed, what it ran then, and
// what can be read of it.
func killedWords(ago time.Duration, lost []history.Lost) []string {
	words := []string{fmt.Sprintf("the server was started anew: earlier sessions are gone, with their variables (a server that worked here was killed %s). Set up what you need again", agoWords(ago))}
	for i, l := range slices.Backward(lost) {
		if len(lost)-i > maxLost {
			words = append(words, plural(i+1, "more session was open", "more sessions were open"))
			break
		}
		was := ""
		if l.Running != "" {
			was = fmt.Sprintf(" was running %s (unknown: the server died during this run);", l.Running)
		}
		names := variableNames(l.Variables.Names, l.Variables.Count, maxLostNames/2)
		runs := " its kernel still runs"
		if l.Unknown {
			runs = " its kernel may still run (its Jupyter server could not be asked)"
		}
		switch {
		case l.Kept && names != "":
			was += runs + ", with " + names + ";"
		case l.Kept:
			was += runs + ";"
		case names != "":
			was += " lost: " + names + ";"
		}
		words = append(words, fmt.Sprintf("session %s of the dead server:%s %s", l.Session, was, readWords(l.First, l.Last)))
	}
	return words
}

// leftWords names kernels that servers have left on Jupyter servers.
func leftWords(left []elsewhere.Left) (words []string) {
	for i, k := range left {
		if i == maxLost {
			return append(words, plural(len(left)-i, "more kernel was left", "more kernels were left")+" on Jupyter servers")
		}
		words = append(words, leftWord(k)+". Nothing ends it by itself: if nobody needs it, the person ends it on that Jupyter server")
	}
	return words
}

func leftWord(k elsewhere.Left) string {
	joins := "configure_environment type=jupyter server=" + k.Server + " kernel_id="
	asked := fmt.Sprintf("an earlier server asked %s for a kernel for session %s (%s), and ended without an answer", k.Address, k.Session, k.Started.Local().Format("2006-01-02 15:04"))
	switch {
	case k.Unknown && k.Asked:
		return asked + ": if it has started it runs there. That server could not be asked"
	case k.Unknown:
		return fmt.Sprintf("kernel %s, which an earlier server started on %s for session %s, may still run there: that server could not be asked. When it can, %s%s goes back to it", k.ID, k.Address, k.Session, joins, k.ID)
	case !k.Asked:
		return fmt.Sprintf("kernel %s, which an earlier server started on %s for session %s, still runs there: %s%s goes back to it, with what is in it", k.ID, k.Address, k.Session, joins, k.ID)
	case k.Maybe == nil:
		return fmt.Sprintf("%s: kernel %s has started there, and nothing has run in it: %s%s takes it", asked, k.ID, joins, k.ID)
	case len(k.Maybe) == 0:
		return fmt.Sprintf("%s: if it has started it runs there. get_environment_config list=true names what runs on %s, if that server lists its kernels", asked, k.Server)
	}
	maybe := k.Maybe[:min(len(k.Maybe), maxLost)]
	return fmt.Sprintf("%s: it may be kernel %s, started then and used by nobody: %s%s joins it", asked, strings.Join(maybe, " or "), joins, maybe[0])
}

// readWords says how the runs from one id to another are read.
func readWords(first, last string) string {
	if first == last {
		return fmt.Sprintf("get_execution id=%s reads its run, export_session id=%s has the code to build it again", first, first)
	}
	return fmt.Sprintf("get_execution reads its runs %s to %s, export_session id=%s..%s has the code to build it again", first, last, first, last)
}

// maxLostNames bounds the text with the names of lost variables, in bytes.
const maxLostNames = 600

// variableNames lists variables with their types, as many as fit into max bytes.
func variableNames(names []string, count, max int) string {
	var b strings.Builder
	shown := 0
	for i, variable := range names {
		name, kind, _ := strings.Cut(variable, " ")
		if i > 0 && b.Len()+len(variable) > max {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + " (" + kind + ")")
		shown++
	}
	if more := count - shown; more > 0 && shown > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// lostNames says what was lost with the session's kernel, and what can be read of it.
func lostNames(r session.Report) string {
	if r.Exit == nil || r.Fresh {
		return ""
	}
	lost := r.Exit.Lost
	names := variableNames(lost.Variables.Names, lost.Variables.Count, maxLostNames)
	if names == "" {
		return ""
	}
	if r.Exit.MayRun != "" {
		return "it had: " + names + "; " + readWords(lost.First, lost.Last)
	}
	return "lost: " + names + "; " + readWords(lost.First, lost.Last)
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

// addNotices puts notices into a result: as lines below the status line, as a member of
// a JSON object, or at the end of an error's words.
func addNotices(ctx context.Context, result *mcp.CallToolResult, all ...*notices) {
	if result == nil || len(result.Content) == 0 {
		return
	}
	first, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		return
	}
	var told []string
	for _, n := range all {
		if n == nil {
			continue
		}
		if sentences, heard := n.untold(); len(sentences) > 0 {
			told = append(told, sentences...)
			rpc.AfterDelivery(ctx, heard)
		}
	}
	if len(told) > 0 {
		first.Text = withNotices(first.Text, told)
		result.Content[0] = first
	}
}

// withNotices is an answer's text with sentences in it.
func withNotices(text string, sentences []string) string {
	if body, ok := strings.CutSuffix(text, "}"); ok && strings.HasPrefix(text, "{") && json.Valid([]byte(text)) {
		return body + ",\"notices\":" + string(compactJSON(sentences)) + "}"
	}
	lines := "[note: " + strings.Join(sentences, "]\n[note: ") + "]"
	if head, rest, more := strings.Cut(text, "\n"); strings.HasPrefix(text, "[") {
		if more {
			lines += "\n"
		}
		return head + "\n" + lines + rest
	}
	return strings.TrimSuffix(text, "\n") + "\n" + lines
}
