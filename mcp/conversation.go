package mcp

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
)

// Visit is one client of a server that outlives its clients, as long as that counts
// as there: whose calls they are, and what their first answer tells. A client may have
// one connection, or one for each request.
type Visit struct {
	server *Server
	whose  Visitor

	mu     sync.Mutex // protects the fields below
	first  *notices
	losses int // of the conversation, when first was made
}

// Visitor is who comes.
type Visitor struct {
	Conversation *session.Conversation
	// Given are sentences for the first answer.
	Given []string
	// Shared says that several clients are this conversation, and cannot be told apart.
	Shared bool
}

type visitKey struct{}

// Visit begins the visit of a client of a server that outlives its clients. Its first
// answer tells what the client comes to.
func (s *Server) Visit(v Visitor) *Visit { return &Visit{server: s, whose: v} }

// ServeFor is [Server.Serve] for one client of a server that outlives its clients.
// The first answer tells the sentences given, and what the client comes back to.
func (s *Server) ServeFor(ctx context.Context, c *session.Conversation, given []string, r io.Reader, w io.Writer) error {
	return s.Visit(Visitor{Conversation: c, Given: given}).Serve(ctx, r, w)
}

// Serve speaks MCP on a connection of the client until it ends: see [rpc.Serve].
func (v *Visit) Serve(ctx context.Context, r io.Reader, w io.Writer) error {
	return v.server.serve(context.WithValue(ctx, visitKey{}, v), v.whose.Conversation, r, w)
}

// notices are what the next answer tells, once.
func (v *Visit) notices() *notices {
	v.mu.Lock()
	defer v.mu.Unlock()
	if losses := v.whose.Conversation.Losses(); v.first == nil || losses != v.losses {
		welcome := v.whose.Conversation.Welcome()
		sentences := slices.Clone(v.whose.Given)
		if v.whose.Shared {
			sentences = append(sentences, sharedWords(welcome.Default))
		}
		sentences = append(sentences, welcomeWords(welcome)...)
		v.losses = losses
		v.first = noticesOf(sentences, func() { v.whose.Conversation.Told(welcome) })
	}
	return v.first
}

// sharedWords says who else uses the default session.
func sharedWords(name string) string {
	return fmt.Sprintf("calls without a session run in %q, which all clients with this token share whose protocol has no connections, as yours: give session a name of your own", name)
}

// conversation is whose call ctx belongs to, nil where there is only one client.
func conversation(ctx context.Context) *session.Conversation {
	if v, ok := ctx.Value(visitKey{}).(*Visit); ok {
		return v.whose.Conversation
	}
	return nil
}

// welcome is what the connection's first answer tells, nil where there is only one
// client. It is known before the first call does anything.
func welcome(ctx context.Context) *notices {
	v, ok := ctx.Value(visitKey{}).(*Visit)
	if !ok {
		return nil
	}
	v.whose.Conversation.Label(rpc.ClientFrom(ctx).Name)
	return v.notices()
}

// maxBack bounds how many sessions a welcome names, and runs of one of them.
const maxBack = 8

// muchMemory is from where on it is told what is kept.
const muchMemory = 1 << 30

// welcomeWords tells a client what it comes to.
func welcomeWords(w session.Welcome) []string {
	var sentences []string
	if w.Taken != nil && w.Default != session.DefaultName {
		who := "another client"
		if w.Taken.Client != "" {
			who += " (" + oneLine(render.Text(w.Taken.Client, 100)) + ")"
		}
		sentences = append(sentences, fmt.Sprintf("calls without a session run in %q, because %q belongs to %s, whose last call was %s; session=%q reaches it",
			w.Default, session.DefaultName, who, agoOf(w.Taken.Used), session.DefaultName))
	}
	for i, b := range w.Back {
		if i == maxBack {
			sentences = append(sentences, plural(len(w.Back)-i, "more session was kept", "more sessions were kept")+": list_sessions shows them")
			break
		}
		sentences = append(sentences, backWords(b))
	}
	for _, over := range w.Over {
		sentences = append(sentences, overWords(over))
	}
	if len(w.Changed) > 0 {
		sentences = append(sentences, fmt.Sprintf("variables of this client that are not the same in the kernel of session %q: %s. stop_session with restart: true starts a kernel with the new ones, without the session's state",
			w.Default, render.Text(strings.Join(w.Changed[:min(len(w.Changed), 20)], ", "), 1000)))
	}
	if w.Memory > muchMemory {
		sentences = append(sentences, "the kept sessions take "+render.ByteSize(w.Memory)+" of memory")
	}
	return sentences
}

// overWords tells of a session that has ended before the client came.
func overWords(o history.Over) string {
	why := "its server was stopped"
	if o.Keep > 0 {
		why = fmt.Sprintf("it was kept for %s after its last use (KEEP)", ShortTime(o.Keep))
	}
	words := fmt.Sprintf("session %q ended %s, with its variables: %s", o.Session, agoOf(time.Since(o.At)), why)
	if o.Last != "" {
		words += fmt.Sprintf(". get_execution id=%s reads its last run, export_session session=%q has the code to build it again", o.Last, o.Session)
	}
	return words
}

// oneLine makes a name or a question, which may have several lines, fit into a sentence.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// ShortTime is a duration as a person gives it: 8h, not 8h0m0s.
func ShortTime(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// backWords tells of one session that was there before.
func backWords(b session.Back) string {
	words := fmt.Sprintf("session %q was kept: generation %d", b.Name, b.Generation)
	if b.PID == 0 {
		words += ", without a kernel"
	}
	switch {
	case b.Prompt != "" || b.State == string(session.StateWaiting):
		words += fmt.Sprintf("; %s waits for input (%s): send_input answers", b.Running, oneLine(render.Text(orNothing(strings.TrimSpace(b.Prompt)), 200)))
	case b.Running != "":
		words += fmt.Sprintf("; %s is %s since %s", b.Running, b.State, seconds(b.RunningFor))
	default:
		words += ", last used " + agoOf(b.Idle)
	}
	var ended []string
	for i, f := range b.Finished {
		if i == maxBack {
			ended = append(ended, fmt.Sprintf("and %d more", len(b.Finished)-i))
			break
		}
		ended = append(ended, fmt.Sprintf("%s (%s)", f.ID, f.Outcome))
	}
	if len(ended) > 0 {
		words += "; ended meanwhile: " + strings.Join(ended, ", ") + " (get_execution shows them)"
	}
	return words
}

// agoOf says how long ago something was.
func agoOf(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	}
	return fmt.Sprintf("%.1f h ago", d.Hours())
}
