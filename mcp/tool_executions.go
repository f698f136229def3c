package mcp

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/clients"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

func (t *tools) getExecution() tool {
	return tool{
		name:  "get_execution",
		title: "Look at a run",
		description: "Show the state and result of a run of Python code, and its output since the last answer, images included. Use it to poll a run that was still running, or whose call was given up. Waits until the run ends or wait_seconds are over. " +
			"With lines or pattern it shows numbered lines of the run's whole log instead, at once, however large it is. Changes nothing.",
		arguments: []argument{
			{name: "id", kind: "string", description: "Id of the run, from a status line, of an earlier server too; or the name of a session for its newest run. Default: the newest run of session \"default\"."},
			{name: "wait_seconds", kind: "number", description: "How long to wait for the end of the run. Default 45, from 0 to 3600; 0 answers at once."},
			{name: "since", kind: "number", description: "Show the output after this cursor of an earlier status line; 0 shows all. Default: after the last answer."},
			{name: "lines", kind: "string", description: "Lines of the log: \"100-200\", \"100-\", or \"-50\" for the last 50."},
			{name: "pattern", kind: "string", description: "Numbered lines of the log that match this regular expression (RE2); (?i) ignores case."},
		},
		hints:  hints{readOnly: true, idempotent: true},
		always: true,
		large:  true,
		handle: t.handleGetExecution,
	}
}

func (t *tools) handleGetExecution(ctx context.Context, a *call) *mcp.CallToolResult {
	begun := time.Now()
	id := a.String("id")
	deadline := begun.Add(waitSeconds(a))
	since := a.Integer("since", -1, arguments.Between(0, 1<<53))
	query := lineQuery(a)
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	e := t.resumed(a)
	if e == nil {
		var err error
		if e, err = t.findByAny(ctx, id); err != nil {
			if past := t.past(ctx, id, session.Cursor(since), query, a.Notes()); past != nil {
				return past
			}
			return errorResult(explain(err))
		}
	}
	if query != nil {
		return t.showLines(ctx, e.Report(-1), e.Lines, *query, a.Notes())
	}
	result, notes := t.converse(ctx, a, e, deadline)
	if result != nil {
		return result
	}
	return t.answer(ctx, e, session.Cursor(since), append(notes, a.Notes()...))
}

// past answers about a run of an earlier server, from its record; nil when there is none.
func (t *tools) past(ctx context.Context, id string, since session.Cursor, query *session.LineQuery, notes []string) *mcp.CallToolResult {
	past, err := t.sessions.Past(id, since)
	if err != nil {
		return nil
	}
	defer past.Close()
	r := past.Report
	if query != nil {
		return t.showLines(ctx, r, past.Lines, *query, notes)
	}
	lines := append(pastLines(r), noteLines(notes)...)
	head := func(cut bool) string {
		return strings.Join(append([]string{statusLine(r, cut)}, lines...), "\n") + "\n"
	}
	rendered := render.Outputs(r.Outputs, clients.Of(ctx).Budget(0, false, head(true)), render.Options{
		ReadOn:  fmt.Sprintf("get_execution id=%s with lines or pattern reads all of it", r.ID),
		Reserve: utf8.RuneCountInString(head(true)),
		Images:  t.images,
	})
	return &mcp.CallToolResult{Content: content(head(rendered.Cut), rendered, r)}
}

// pastLines say what a run of another server is.
func pastLines(r session.Report) []string {
	switch {
	case r.State == session.StateRunning:
		return []string{"[note: another server runs this; only that one can interrupt it. This is what its record has so far]"}
	case r.Outcome == session.OutcomeUnknown:
		return []string{"[unknown: the server died during this run: what its code did after the output below is not known. " + goneWords + "]"}
	}
	return []string{"[note: a run of an earlier server, from its record: its variables are gone. export_session id=" + r.ID + " has its code]"}
}

// lineQuery decodes lines and pattern, nil when neither is given.
func lineQuery(a *call) *session.LineQuery {
	lines := strings.TrimSpace(a.String("lines", arguments.MaxBytes(100)))
	pattern := a.String("pattern", arguments.MaxBytes(10_000))
	if lines == "" && pattern == "" {
		return nil
	}
	var q session.LineQuery
	if pattern != "" {
		re, err := regexp.Compile(pattern)
		if err != nil {
			a.Problem("pattern", fmt.Sprintf("is not a regular expression: %s. Escape characters that are meant as themselves with a backslash; lookarounds and backreferences do not exist in RE2.", strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
		}
		q.Pattern = re
	}
	if lines != "" && !parseLines(lines, &q) {
		a.Problem("lines", fmt.Sprintf("is %s: send \"100-200\", \"100-\", \"100\", \"-50\" for the last 50, or \"100:2000\" for line 100 without its first 2,000 bytes.", arguments.Quote(lines)))
	}
	return &q
}

var lineRange = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(\d{0,15})\s*([-:]?)\s*(\d{0,15})$`) })

// parseLines reads "100-200", "100-", "100", "-50" and "100:2000".
func parseLines(text string, q *session.LineQuery) bool {
	m := lineRange().FindStringSubmatch(text)
	if m == nil {
		return false
	}
	from, _ := strconv.ParseInt(m[1], 10, 64)
	to, _ := strconv.ParseInt(m[3], 10, 64)
	switch {
	case m[1] == "" && m[2] == "-" && to > 0:
		q.Last = int(min(to, 1_000_000))
	case m[1] != "" && m[2] == "" && from > 0:
		q.From, q.To = from, from
	case m[2] == ":" && m[3] != "" && from > 0 && q.Pattern == nil:
		q.From, q.To, q.Offset = from, from, to
	case m[1] != "" && m[2] == "-" && from > 0 && (m[3] == "" || to >= from):
		q.From, q.To = from, to
	default:
		return false
	}
	return true
}

// findByAny returns the execution with that id, or the newest of the session of
// that name.
func (t *tools) findByAny(ctx context.Context, id string) (*session.Execution, error) {
	if id != "" {
		e, err := t.execution(ctx, id)
		if err == nil {
			return e, nil
		}
		if _, unknown := t.sessions.Find(id); unknown != nil {
			return nil, err
		}
	}
	s, err := t.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if e := s.Latest(); e != nil {
		return e, nil
	}
	return nil, &session.UnknownExecutionError{}
}

func (t *tools) interruptExecution() tool {
	return tool{
		name:  "interrupt_execution",
		title: "Interrupt a run",
		description: "Stop running code like Ctrl-C: it raises KeyboardInterrupt, and variables are kept. A queued run is taken out of the queue and never runs; an installation is ended. " +
			"The answer says \"interrupted\" only when the kernel has proved that it answers again. Code stuck in a C call, or that swallows KeyboardInterrupt, may not be interruptible: then the answer says so, and force kills the kernel.",
		arguments: []argument{
			{name: "id", kind: "string", description: "Id of the run, from a status line. Default: what the session runs now."},
			{name: "session", kind: "string", description: "Session, if id is left out. Default \"default\"."},
			{name: "force", kind: "boolean", description: "true: if it cannot be interrupted, kill the kernel; the session's variables are lost. Default false."},
		},
		hints:  hints{destructive: true, idempotent: true},
		handle: t.handleInterruptExecution,
	}
}

// freshWords names the runs that no session's name reaches.
func (t *tools) freshWords() string {
	var ids []string
	for _, s := range t.sessions.Fresh() {
		if e := s.Current(); e != nil {
			ids = append(ids, "id="+e.ID())
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return "\n[note: what runs in a kernel of its own (fresh) is interrupted by its id: " + strings.Join(ids, ", ") + "]"
}

// kill ends the kernel of a run that cannot be interrupted, and says whether it did.
func kill(ctx context.Context, e *session.Execution) (note string) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // a Jupyter server may need 15
	defer cancel()
	err := e.Session().Kill(ctx, e)
	switch {
	case e.Finished():
		return "it could not be interrupted, so the kernel was killed"
	case err != nil:
		return "NOT interrupted, and force did not end the kernel: " + explain(err)
	}
	return "it could not be interrupted, so the kernel was killed; its end is not known so far"
}

// nothingToInterrupt answers where the session of that name runs nothing.
func (t *tools) nothingToInterrupt(ctx context.Context, name string) *mcp.CallToolResult {
	words := "the session runs nothing now; its variables are kept"
	if s, err := t.find(ctx, name); err == nil && !s.HasKernel() {
		words = "the session runs nothing, and no kernel is running, so there are no variables"
	}
	return textResult("[ok | nothing to interrupt | " + words + "]" + t.freshWords())
}

func (t *tools) handleInterruptExecution(ctx context.Context, a *call) *mcp.CallToolResult {
	id, name := a.String("id"), a.String("session")
	force := a.Bool("force", false)
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	e, err := t.findRunning(ctx, id, name)
	if err != nil {
		return errorResult(explain(err))
	}
	if e == nil {
		return t.nothingToInterrupt(ctx, name)
	}
	if e.Finished() {
		return t.answer(ctx, e, -1, append(a.Notes(), "there was nothing to interrupt: this run had ended already"))
	}
	// The interrupt goes on when this call is given up; its ladder takes 6 s at most.
	ctx = context.WithoutCancel(ctx)
	stopped, err := e.Session().Interrupt(ctx, e, session.Stop{By: session.ByCall})
	notes := a.Notes()
	switch {
	case stopped:
	case e.Report(-1).Sent:
		notes = append(notes, waitsWords(force, e.Session().Joined()))
	case force:
		notes = append(notes, kill(ctx, e))
	case err != nil:
		notes = append(notes, "the interrupt failed: "+explain(err))
	case e.Finished():
		notes = append(notes, "the run has ended, but its kernel has not answered since: if the next run does not come to its end, restart the session with stop_session and restart: true")
	default:
		notes = append(notes, "NOT interrupted: the code has not reacted so far, and why is not known: it may be in a C call, catch KeyboardInterrupt, be stopped, have broken what its kernel answers with, or still be ending. It is still there with its variables, and may stop yet. Leave it and look again with get_execution id="+e.ID()+"; "+
			forceWords(e.ID(), e.Fresh(), e.Session().Joined()))
	}
	return t.answer(ctx, e, -1, notes)
}
