package mcp

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// maxQuestions is how many questions one call puts to the person; a loop of
// input() must not become a loop of forms.
const maxQuestions = 8

// answerID names the one answer of an input-required result.
const answerID = "answer"

// converse waits for the execution and, where the client can show a form, puts
// the questions of the code to the person. It returns a result when the answer
// has to come with a retry of the call (the stateless era), else nil: the
// execution has ended, waits for send_input, or the deadline is reached.
func (t *tools) converse(ctx context.Context, a *arguments, e *session.Execution, deadline time.Time) (*mcp.CallToolResult, []string) {
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
		if client.Modern {
			state := questionState(r, asked)
			return server.NewInputRequestBuilder(state).Elicit(answerID, form).ToolResult(), notes
		}
		asking, cancel := context.WithDeadline(ctx, deadline)
		answer, err := t.server.RequestElicitation(asking, mcp.ElicitationRequest{Params: form})
		cancel()
		if err != nil {
			// The person took longer than the call may, or the client failed: the
			// code goes on waiting, send_input answers it.
			t.log.Info("asking the person", "id", r.ID, "err", err)
			return nil, notes
		}
		notes = append(notes, t.give(ctx, e, r.Question, answer)...)
	}
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
			"required": []string{answerID},
		},
	}
}

// questionState names the question a retry answers: execution, number of the
// question in the run, number asked in this call. It is looked up, not trusted:
// an answer to any other question than the one that waits is dropped.
func questionState(r session.Report, asked int) string {
	return fmt.Sprintf("%s %d %d", r.ID, r.Question, asked)
}

// resumed returns the execution that a retried call goes on with, or nil when the
// call is a first one. The code of such a call is never run again.
func (t *tools) resumed(a *arguments) *session.Execution {
	fields := strings.Fields(a.request.Params.RequestState)
	if len(fields) != 3 {
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
func (t *tools) retried(ctx context.Context, a *arguments, e *session.Execution, notes *[]string) int {
	fields := strings.Fields(a.request.Params.RequestState)
	if len(fields) != 3 || fields[0] != e.ID() {
		return 0
	}
	question, _ := strconv.Atoi(fields[1])
	asked, err := strconv.Atoi(fields[2])
	if err != nil || asked < 0 || asked > maxQuestions {
		asked = maxQuestions
	}
	if answer := server.ElicitationResponse(a.request.Params.InputResponses, answerID); answer != nil {
		*notes = append(*notes, t.give(ctx, e, question, answer)...)
	}
	return asked
}

// give hands the person's answer to the code. One who declines or closes the
// form stops the code, as Ctrl-C at the prompt would.
func (t *tools) give(ctx context.Context, e *session.Execution, question int, answer *mcp.ElicitationResult) []string {
	r := e.Report(-1)
	if r.State != session.StateWaiting || r.Question != question {
		return []string{"an answer came for a question that the code does not ask any more"}
	}
	if answer.Action != mcp.ElicitationResponseActionAccept {
		if _, err := e.Session().Interrupt(context.WithoutCancel(ctx), e, session.Stop{By: session.ByRefusal}); err != nil {
			return []string{"the person declined to answer, and the code could not be interrupted: " + explain(err)}
		}
		return []string{"the person declined to answer: the code was interrupted at the question"}
	}
	content, _ := answer.Content.(map[string]any)
	line, ok := content[answerID].(string)
	if !ok {
		return []string{"the client sent a form without an answer"}
	}
	if err := e.Answer(oneAnswer(line)); err != nil {
		return []string{"giving the answer: " + explain(err)}
	}
	return nil
}

// oneAnswer is what input() gets: one line.
func oneAnswer(text string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(text)
}

func (t *tools) sendInput() tool {
	return tool{
		name:        "send_input",
		title:       "Answer a question of the code",
		description: "Give running code the line it waits for (status \"waiting for input\": input(), pdb, breakpoint()). Then waits like execute_code. What is sent passes through the conversation: not for passwords, if there is another way.",
		arguments: []argument{
			{name: "text", kind: "string", required: true, description: "The line, without line end; may be empty."},
			{name: "id", kind: "string", description: "Id of the run. Default: what the session runs now."},
			{name: "session", kind: "string", description: "Session meant when id is left out. Default \"default\"."},
			{name: "wait_seconds", kind: "number", description: "How long to wait for what comes next. Default 45, from 0 to 3600."},
		},
		hints:  hints{destructive: true, openWorld: true},
		handle: t.handleSendInput,
	}
}

func (t *tools) handleSendInput(ctx context.Context, a *arguments) *mcp.CallToolResult {
	begun := time.Now()
	text := a.String("text", required, maxBytes(1<<20))
	id, name := a.String("id"), a.String("session")
	deadline := begun.Add(waitSeconds(a))
	if strings.ContainsAny(text, "\r\n") {
		a.problem("text", argumentField{}, "has more than one line: input() takes one line; send the next one when the code asks again.")
	}
	if err := a.err(); err != nil {
		return errorResult(err.Error())
	}
	e := t.resumed(a)
	if e == nil {
		var err error
		if e, err = t.findRunning(id, name); err != nil {
			return errorResult(explain(err))
		}
		if e == nil {
			return errorResult("nothing was sent: the session runs nothing now, so nothing waits for input")
		}
		if err := e.Answer(text); err != nil {
			return errorResult(fmt.Sprintf("nothing was sent: %s does not wait for input (it is %s)", e.ID(), outcomeWords(e.Report(-1))))
		}
	}
	return t.finish(ctx, a, e, deadline, nil)
}

// finish waits for the execution, asks what it asks, and tells of it.
func (t *tools) finish(ctx context.Context, a *arguments, e *session.Execution, deadline time.Time, notes []string) *mcp.CallToolResult {
	result, more := t.converse(ctx, a, e, deadline)
	if result != nil {
		return result
	}
	notes = append(append(notes, more...), a.notes()...)
	return t.answerWithin(ctx, e, -1, notes, maxOutput(a))
}
