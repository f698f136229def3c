package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

func (t *tools) listSessions() tool {
	return tool{
		name:        "list_sessions",
		title:       "List sessions",
		description: "List the open sessions: state, environment, what runs and since when, queue, memory, CPU, generation, idle time, record. Answers at once, even while code runs.",
		hints:       hints{readOnly: true, idempotent: true},
		handle:      t.handleListSessions,
	}
}

func (t *tools) handleListSessions(_ context.Context, a *call) *mcp.CallToolResult {
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	sessions := t.sessions.Sessions()
	lines := []string{fmt.Sprintf("[ok | %s]", counted(len(sessions), "session"))}
	if len(sessions) == 0 {
		lines[0] = "[ok | no session is open: execute_code opens one]"
	}
	lines = append(lines, noteLines(a.Notes())...)
	if words := t.sessions.Sandbox(); words != "" {
		lines = append(lines, "[sandbox: "+words+"]")
	}
	sessions = append(sessions, t.sessions.Fresh()...)
	summaries := make([]string, len(sessions))
	var wg sync.WaitGroup
	for i, s := range sessions { // each goes through the process table
		wg.Go(func() { summaries[i] = summaryLine(s.Summary()) })
	}
	wg.Wait()
	for name, words := range t.limitsInForce() {
		summaries = append(summaries, fmt.Sprintf("[each session on this machine: %s=%s]", name, words))
	}
	slices.Sort(summaries[len(sessions):])
	return textResult(strings.Join(append(lines, summaries...), "\n"))
}

// summaryLine tells of one session in one line.
func summaryLine(s session.Summary) string {
	fields := []string{s.Name}
	if s.State != "idle" { // which its idle time says
		fields = append(fields, s.State)
	}
	if s.Running != "" {
		fields = append(fields, fmt.Sprintf("id=%s since %s", s.Running, seconds(s.RunningFor)))
	} else {
		fields = append(fields, "idle for "+seconds(s.Idle))
	}
	if s.Queued > 0 {
		fields = append(fields, fmt.Sprintf("%d queued", s.Queued))
	}
	if s.Environment != "" {
		env := "env=" + s.Environment
		if s.Python != "" { // not every kernel is Python's
			env += " (Python " + s.Python + ")"
		}
		fields = append(fields, env)
	}
	if s.Generation > 0 {
		fields = append(fields, fmt.Sprintf("generation=%d", s.Generation))
	}
	if s.PID > 0 {
		fields = append(fields, fmt.Sprintf("pid=%d", s.PID))
	}
	if s.Usage.Processes > 0 {
		fields = append(fields, fmt.Sprintf("%s, %s, CPU %s", plural(s.Usage.Processes, "process", "processes"), render.ByteSize(s.Usage.Memory), seconds(s.Usage.CPU)))
	}
	if s.Sandbox != "" {
		fields = append(fields, "sandbox="+s.Sandbox)
	}
	if s.RecordDir != "" {
		fields = append(fields, "record="+s.RecordDir)
	}
	return strings.Join(fields, " | ")
}

func (t *tools) stopSession() tool {
	return tool{
		name:        "stop_session",
		title:       "Stop or restart a session",
		description: "End a session's kernel and everything it started. Its variables are lost; files and the record stay. With restart the session stays open and its next run gets a new kernel, for example after upgrading a package it had imported.",
		arguments: []argument{
			{name: "session", kind: "string", description: "Session to stop. Default \"default\"."},
			{name: "restart", kind: "boolean", description: "true: keep the session, with a new kernel. Default false: close it."},
		},
		hints:  hints{destructive: true, idempotent: true},
		handle: t.handleStopSession,
	}
}

func (t *tools) handleStopSession(ctx context.Context, a *call) *mcp.CallToolResult {
	name := a.String("session")
	restart := a.Bool("restart", false)
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	name = conversation(ctx).Name(name)
	joined := false
	if s, err := t.sessions.Find(name); err == nil {
		joined = s.Joined()
	}
	had, err := t.sessions.Stop(context.WithoutCancel(ctx), name, restart)
	if err != nil {
		return errorResult(explain(err))
	}
	done := "stopped"
	switch {
	case restart && had && joined:
		done = "restarted: its next run joins a kernel again"
	case restart:
		done = "restarted: its next run gets a new kernel"
	}
	if !had {
		done += "; it had no kernel"
	}
	lines := []string{fmt.Sprintf("[ok | session=%s %s]", name, done)}
	switch {
	case had && joined:
		lines = append(lines, "[the session has left its kernel, which somebody else has started: it goes on, and its variables are kept]")
	case had:
		lines = append(lines, "[state lost: its variables and imports are gone; what was queued was not run]")
	}
	return textResult(strings.Join(append(lines, noteLines(a.Notes())...), "\n"))
}

func (t *tools) inspectVariables() tool {
	return tool{
		name:        "inspect_variables",
		title:       "Inspect variables",
		description: "List a session's variables with type, shape or value, and size; or show one in more depth (a DataFrame's columns with dtype, nulls and range). Runs none of the user's code, and does not change _, Out or the history. Works even while code runs, if the kernel can (ipykernel 7).",
		arguments: []argument{
			{name: "name", kind: "string", description: "One variable to show in depth. Default: all of them."},
			{name: "session", kind: "string", description: "Session to look at. Default \"default\"."},
		},
		hints:  hints{readOnly: true, idempotent: true},
		handle: t.handleInspectVariables,
	}
}

func (t *tools) handleInspectVariables(ctx context.Context, a *call) *mcp.CallToolResult {
	variable := a.String("name", arguments.MaxBytes(1000))
	name := a.String("session")
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	s, err := t.find(ctx, name)
	if err != nil {
		return errorResult(explain(err))
	}
	if err := s.Permits(a.policy()); err != nil {
		return errorResult(explain(err))
	}
	v, err := s.Inspect(ctx, variable)
	var none *session.NoKernelError
	switch {
	case errors.Is(err, session.ErrBusy):
		return errorResult(fmt.Sprintf("session %q is busy running code, and its kernel cannot look at variables meanwhile: wait with get_execution, then call again", s.Name()))
	case errors.As(err, &none):
		return textResult(fmt.Sprintf("[ok | session=%s | no kernel is running, so there are no variables]", s.Name()))
	case err != nil:
		return errorResult("the variables could not be looked at: " + explain(err))
	}
	if variable != "" && v.Count == 0 {
		it := "it"
		if k := arguments.Slip(variable, v.Names); len(variable) > 2 && k != "" { // any x is near any y
			it = fmt.Sprintf("did you mean %q? It", k)
		}
		return errorResult(fmt.Sprintf("session %q has no variable %q; %s has: %s", s.Name(), variable, it, orNothing(strings.Join(v.Names, ", "))))
	}
	fields := []string{"ok"}
	if s.Name() != session.DefaultName {
		fields = append(fields, "session="+s.Name())
	}
	if variable == "" {
		fields = append(fields, counted(v.Count, "variable"))
	}
	lines := append([]string{"[" + strings.Join(fields, " | ") + "]"}, noteLines(a.Notes())...)
	text := strings.Join(lines, "\n") + "\n"
	return textResult(text + render.CutMiddle(orNothing(escapeLines(v.Text)), clients.Of(ctx).Most(0)-len(text)))
}

// linesWords says how many lines are shown, of how many.
func linesWords(shown int, matched int64, pattern bool) string {
	words := counted(shown, "line")
	switch {
	case int64(shown) < matched:
		words = fmt.Sprintf("%d of %d lines", shown, matched)
		if pattern {
			words += " that match"
		}
	case pattern && shown == 1:
		words += " matches"
	case pattern:
		words += " match"
	}
	return words
}

// linesTime bounds a search through a log.
const linesTime = 20 * time.Second

// linesOf finds lines in a run's log.
type linesOf = func(ctx context.Context, q session.LineQuery) (session.LineResult, error)

// showLines answers get_execution with lines or pattern: numbered lines of the
// run's whole log, so that a client without files can search any size.
func (t *tools) showLines(ctx context.Context, r session.Report, lines linesOf, q session.LineQuery, notes []string) *mcp.CallToolResult {
	ctx, cancel := context.WithTimeout(ctx, linesTime)
	defer cancel()
	budget := clients.Of(ctx).Most(0)
	q.MaxBytes = budget
	if q.From > 0 && q.From == q.To {
		q.MaxLineSize = max(budget-1000, budget/2) // the rest is for the answer's other lines
	}
	found, err := lines(ctx, q)
	var b strings.Builder
	b.WriteString(strings.Join(append([]string{statusLine(r, false)}, noteLines(notes)...), "\n") + "\n")
	if err != nil {
		fmt.Fprintf(&b, "[note: the search was not finished (%v): what was found until then]\n", err)
	}
	for _, p := range found.Problems {
		fmt.Fprintf(&b, "[warning: %v]\n", p)
	}
	if found.Partly > 0 {
		fmt.Fprintf(&b, "[note: only the first 64 KiB of a line are searched: %s had more, and no match there]\n", counted(int(found.Partly), "line"))
	}
	shown := 0
	var text strings.Builder
	for _, l := range found.Lines {
		line := numbered(l, budget-200-b.Len()-text.Len())
		if line == "" {
			break
		}
		text.WriteString(line)
		shown++
	}
	wanted := found.Matched
	if q.Last > 0 && q.Pattern == nil {
		wanted = min(wanted, int64(q.Last))
	}
	fmt.Fprintf(&b, "[output: %s, of %d in the log]\n", linesWords(shown, wanted, q.Pattern != nil), found.Total)
	b.WriteString(text.String())
	return textResult(strings.TrimRight(b.String(), "\n"))
}

// numbered is a line of the log with its number, in at most room bytes, and says how
// much of it is missing; "" where it has no room.
func numbered(l session.Line, room int) string {
	for {
		text := render.Text(l.Text, 10*len(l.Text)+100) // a control takes several characters
		before, after := "", ""
		if l.Before > 0 {
			before = fmt.Sprintf("[cut: %d bytes of this line] ", l.Before)
		}
		if next := l.Before + int64(len(l.Text)); next < l.Size {
			after = fmt.Sprintf(" [cut: %d bytes of this line; lines=\"%d:%d\" reads on there]", l.Size-next, l.Number, next)
		}
		line := fmt.Sprintf("%d: %s%s%s\n", l.Number, before, text, after)
		if len(line) <= room {
			return line
		}
		// Controls have made it longer than its bytes.
		half := len(l.Text) / 2
		for half > 0 && !utf8.RuneStart(l.Text[half]) {
			half--
		}
		if l.Text = l.Text[:half]; half < 100 {
			return ""
		}
	}
}
