package mcp

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// maxQuestions is how many questions one call puts to the person; a loop of
// input() must not become a loop of forms.
const maxQuestions = 8

// answerID names the one answer of an input-required result.
const answerID = "answer"

const (
	// Nobody reads a question and refuses it faster. Hosts without a person refuse
	// within 10 ms: `claude -p` cancels, `codex exec` and `copilot -p` decline.
	fastestPerson = 500 * time.Millisecond
	// holdForms is for how long a connection is not asked by form again that has
	// shown nobody a question.
	holdForms = 10 * time.Minute
)

// converse waits for the execution and, where the client can show a form, puts
// the questions of the code to the person. It returns a result when the answer
// has to come with a retry of the call (the stateless era), else nil: the
// execution has ended, waits for send_input, or the deadline is reached.
func (t *tools) converse(ctx context.Context, a *call, e *session.Execution, deadline time.Time) (*mcp.CallToolResult, []string) {
	var notes []string
	asked := t.retried(ctx, a, e, &notes)
	client := rpc.ClientFrom(ctx)
	for {
		t.wait(ctx, e, deadline)
		r := e.Report(-1)
		// A password is never asked for by a form: the specification forbids it.
		if r.State != session.StateWaiting || r.Password || !client.Elicitation || asked >= maxQuestions || ctx.Err() != nil || !time.Now().Before(deadline) {
			return nil, notes
		}
		asked++
		form := questionForm(r)
		begun := time.Now()
		if client.Modern {
			state := questionState(r, asked, begun)
			return server.NewInputRequestBuilder(state).Elicit(answerID, form).ToolResult(), notes
		}
		asking, cancel := context.WithDeadline(ctx, deadline)
		answer, err := t.server.RequestElicitation(asking, mcp.ElicitationRequest{Params: form})
		late := asking.Err() != nil
		cancel()
		if err != nil {
			// The person took longer than the call may, or gave the call up, or the
			// client failed: the code goes on waiting, send_input answers it.
			t.log.Info("asking the person", "id", r.ID, "err", err)
			t.givenUp(ctx, e)
			if !late {
				notes = append(notes, t.failedForm(ctx, err, time.Since(begun)))
			}
			return nil, notes
		}
		more, again := t.give(ctx, a, e, r.Question, answer, time.Since(begun))
		if len(more) == 0 || !slices.Contains(notes, more[0]) { // a client that fills in form after form
			notes = append(notes, more...)
		}
		if !again {
			asked = maxQuestions
		}
	}
}

// unasked keeps the client from being asked by form for a while, and says so.
func (t *tools) unasked(ctx context.Context, why string) string {
	rpc.HoldElicitation(ctx, holdForms)
	return "the client showed nobody the question (" + why + "), so the code still waits: ask the person in your own words if need be; send_input answers"
}

// failedForm says that the client gave an error for a form. One that came late may have
// been shown.
func (t *tools) failedForm(ctx context.Context, err error, took time.Duration) string {
	if took < fastestPerson {
		return t.unasked(ctx, fmt.Sprintf("the form failed: %v", err))
	}
	rpc.HoldElicitation(ctx, holdForms)
	return fmt.Sprintf("the form for the question failed after %s (%v), so the code still waits: send_input answers", seconds(took), err)
}

// questionForm asks for one line of text.
func questionForm(r session.Report) mcp.ElicitationParams {
	prompt := strings.TrimSpace(r.Prompt)
	if prompt == "" {
		prompt = "(no prompt)"
	}
	return mcp.ElicitationParams{
		Message: "The running Python code asks: " + render.FirstRunes(prompt, 1000),
		RequestedSchema: map[string]any{
			"type": "object",
			"properties": map[string]any{
				answerID: map[string]any{"type": "string", "title": "Answer", "description": "One line, given to input()"},
			},
			// Not required: an empty line is an answer.
		},
	}
}

// questionState names the question a retry answers: execution, number of the
// question in the run, number asked in this call, when. It is looked up, not
// trusted: an answer to any other question than the one that waits is dropped.
func questionState(r session.Report, asked int, at time.Time) string {
	return fmt.Sprintf("%s %d %d %d", r.ID, r.Question, asked, at.UnixMilli())
}

// stateFields is how many fields a questionState has.
const stateFields = 4

// resumed returns the execution that a retried call goes on with, or nil when the
// call is a first one. The code of such a call is never run again.
func (t *tools) resumed(a *call) *session.Execution {
	fields := strings.Fields(a.request.Params.RequestState)
	if len(fields) != stateFields {
		return nil
	}
	e, err := t.sessions.Execution(fields[0])
	if err != nil {
		return nil
	}
	return e
}

// retried gives the answer that came with a retry and returns how many questions
// the call has asked before.
func (t *tools) retried(ctx context.Context, a *call, e *session.Execution, notes *[]string) int {
	fields := strings.Fields(a.request.Params.RequestState)
	if len(fields) != stateFields || fields[0] != e.ID() {
		return 0
	}
	question, _ := strconv.Atoi(fields[1])
	asked, err := strconv.Atoi(fields[2])
	if err != nil || asked < 0 || asked > maxQuestions {
		asked = maxQuestions
	}
	begun, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		return maxQuestions
	}
	if answer := server.ElicitationResponse(a.request.Params.InputResponses, answerID); answer != nil {
		more, again := t.give(ctx, a, e, question, answer, time.Since(time.UnixMilli(begun)))
		*notes = append(*notes, more...)
		if !again {
			return maxQuestions
		}
	}
	return asked
}

// give hands the answer to a form to the code, and reports whether it may be asked
// for another one. A person who declines stops the code, as Ctrl-C at the prompt
// would; a form that was closed, or refused faster than a person could, answers
// nothing.
func (t *tools) give(ctx context.Context, a *call, e *session.Execution, question int, answer *mcp.ElicitationResult, took time.Duration) (notes []string, again bool) {
	r := e.Report(-1)
	if r.State != session.StateWaiting || r.Question != question {
		return []string{"an answer came for a question that the code does not ask any more"}, true
	}
	switch {
	case answer.Action == mcp.ElicitationResponseActionAccept:
		return t.accept(ctx, a, e, answer.Content, took)
	case took < fastestPerson:
		return []string{t.unasked(ctx, fmt.Sprintf("it answered %q within %s", answer.Action, seconds(took)))}, false
	case answer.Action != mcp.ElicitationResponseActionDecline:
		rpc.HoldElicitation(ctx, holdForms)
		return []string{"the question was closed without an answer, so the code still waits: send_input answers"}, false
	}
	stopped, err := e.Session().Interrupt(context.WithoutCancel(ctx), e, session.Stop{By: session.ByRefusal})
	switch {
	case err != nil:
		return []string{"the person declined to answer, and the code could not be interrupted: " + explain(err)}, false
	case !stopped:
		return []string{"the person declined to answer; the code was interrupted, but goes on"}, false
	}
	return nil, false // the line about what stopped it says so
}

// accept gives the code the line of a form that was sent, and says when nobody can have
// typed it.
func (t *tools) accept(ctx context.Context, a *call, e *session.Execution, content any, took time.Duration) (notes []string, again bool) {
	line, isLine := oneAnswer(content)
	switch {
	case !isLine && took < fastestPerson:
		return []string{t.unasked(ctx, "its form holds no text")}, false
	case !isLine:
		rpc.HoldElicitation(ctx, holdForms)
		return []string{"the form came back without a text, so nothing was given to the code, which still waits: send_input answers"}, false
	}
	if err := e.Session().Permits(a.policy()); err != nil {
		return []string{"the answer was not given: " + explain(err)}, false
	}
	if err := e.Answer(line); err != nil {
		return []string{"giving the answer: " + explain(err)}, true
	}
	if line == "" && took < fastestPerson {
		notes = []string{"the code got an empty line that nobody typed: the client sent the form back within half a second, faster than a person"}
	}
	return notes, true
}

// oneAnswer is what input() gets for a form's content: one line, empty when the
// field is absent, for forms leave out what is empty. A list or an object is none. The
// form has one field, so the one that came is the answer, whatever the client calls it.
func oneAnswer(content any) (line string, isLine bool) {
	fields, isObject := content.(map[string]any)
	value, named := fields[answerID]
	if !named && len(fields) == 1 {
		for _, value = range fields {
		}
	}
	switch value.(type) {
	case []any, map[string]any:
		return "", false
	}
	if value == nil && len(fields) > 1 { // several fields, and none is ours
		return "", false
	}
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(arguments.Plain(value)), isObject || content == nil
}

func (t *tools) sendInput() tool {
	return tool{
		name:        "send_input",
		title:       "Answer a question of the code",
		description: "Give running code the line it waits for (status \"waiting for input\": input(), pdb, breakpoint()). Then waits like execute_code. What is sent passes through the conversation: not for passwords, if there is another way.",
		arguments: []argument{
			{name: "text", kind: "string", required: true, description: "The line, without line end; may be empty."},
			{name: "id", kind: "string", description: "Id of the run. Default: what the session runs now."},
			{name: "session", kind: "string", description: "Session, if id is left out. Default \"default\"."},
			{name: "wait_seconds", kind: "number", description: "How long to wait for what comes next. Default 45, from 0 to 3600."},
		},
		hints:  hints{destructive: true, openWorld: true},
		handle: t.handleSendInput,
	}
}

func (t *tools) handleSendInput(ctx context.Context, a *call) *mcp.CallToolResult {
	begun := time.Now()
	text := a.String("text", arguments.Required, arguments.MaxBytes(1<<20))
	id, name := a.String("id"), a.String("session")
	deadline := begun.Add(waitSeconds(a))
	if strings.ContainsAny(text, "\r\n") {
		a.Problem("text", "has more than one line: input() takes one line; send the next one when the code asks again.")
	}
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	e := t.resumed(a)
	if e == nil {
		var err error
		if e, err = t.findRunning(ctx, id, name); err != nil {
			return errorResult(explain(err))
		}
		if e == nil {
			return errorResult("nothing was sent: the session runs nothing now, so nothing waits for input")
		}
		if err := e.Session().Permits(a.policy()); err != nil {
			return errorResult(explain(err))
		}
		if err := e.Answer(text); err != nil {
			return errorResult(fmt.Sprintf("nothing was sent: %s does not wait for input (it is %s)", e.ID(), outcomeWords(e.Report(-1))))
		}
	}
	return t.finish(ctx, a, e, deadline, nil)
}

// finish waits for the execution, asks what it asks, and tells of it.
func (t *tools) finish(ctx context.Context, a *call, e *session.Execution, deadline time.Time, notes []string) *mcp.CallToolResult {
	result, more := t.converse(ctx, a, e, deadline)
	if result != nil {
		return result
	}
	notes = append(append(notes, more...), a.Notes()...)
	return t.answerWithin(ctx, e, -1, notes, maxOutput(a))
}
