package mcp

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/clients"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// lateCharacters bounds the late output of other runs shown in an answer.
const lateCharacters = 2000

// maxMentioned bounds how many other runs an answer names.
const maxMentioned = 5

// answer tells of an execution: its status, what its state means, what else the
// session has to tell, and its output after since.
func (t *tools) answer(ctx context.Context, e *session.Execution, since session.Cursor, notes []string) *mcp.CallToolResult {
	return t.answerWithin(ctx, e, since, notes, 0)
}

// answerWithin is answer with the characters the call asked for, 0 for none.
func (t *tools) answerWithin(ctx context.Context, e *session.Execution, since session.Cursor, notes []string, maxChars int) *mcp.CallToolResult {
	r := e.Report(since)
	if r.Kind == session.KindInstall {
		return t.installAnswer(ctx, e, notes)
	}
	client := clients.Of(ctx)
	lines := stateLines(r)
	lines = append(lines, noteLines(notes)...)
	if r.Err != nil && r.Outcome != session.OutcomeCancelled { // that is in the status lines
		lines = append(lines, explain(r.Err))
	}
	others, delivered := t.others(e)
	lines = append(lines, others...)
	head := func(cut bool) string {
		return strings.Join(append([]string{statusLine(r, cut)}, lines...), "\n") + "\n"
	}
	failed := r.State == session.StateFinished && r.Outcome.Failed()
	if client.PlainExceptions && r.Outcome == session.OutcomeError {
		failed = false
	}
	rendered := render.Outputs(shownOutputs(r), client.Budget(maxChars, failed, head(true)), render.Options{
		ReadOn:  fmt.Sprintf("get_execution id=%s with lines or pattern reads all of it", r.ID),
		Reserve: utf8.RuneCountInString(head(true)),
		Images:  t.images,
		Cell:    r.Cell,
	})
	rpc.AfterDelivery(ctx, func() {
		r.Delivered()
		for _, d := range delivered {
			d()
		}
	})
	result := &mcp.CallToolResult{Content: content(head(rendered.Cut), rendered, r)}
	// One host drops every image of an error result, another turns them into
	// text: an answer with an image is a normal result whose status tells.
	result.IsError = failed && rendered.Images == 0
	return result
}

// content joins head and output: one text block when there is no image.
func content(head string, rendered render.Result, r session.Report) []mcp.Content {
	if len(rendered.Blocks) == 0 {
		return []mcp.Content{mcp.NewTextContent(strings.TrimSuffix(head+noOutput(r), "\n"))}
	}
	var blocks []mcp.Content
	for _, b := range rendered.Blocks {
		switch {
		case b.Image != nil:
			if len(blocks) == 0 {
				blocks = append(blocks, mcp.NewTextContent(head))
			}
			blocks = append(blocks, mcp.NewImageContent(base64.StdEncoding.EncodeToString(b.Image), b.MIME))
		case len(blocks) == 0:
			blocks = append(blocks, mcp.NewTextContent(head+b.Text))
		default:
			blocks = append(blocks, mcp.NewTextContent(b.Text))
		}
	}
	return endLines(blocks)
}

// endLines ends each text but the last with a line feed: a client that joins the
// blocks must not make one line of two, on whose beginnings the escaping depends.
func endLines(blocks []mcp.Content) []mcp.Content {
	for i, b := range blocks[:max(0, len(blocks)-1)] {
		if text, isText := b.(mcp.TextContent); isText && !strings.HasSuffix(text.Text, "\n") {
			text.Text += "\n"
			blocks[i] = text
		}
	}
	return blocks
}

// maxAfterQuestion bounds how many outputs are held until it is known whether the
// question before them is the last.
const maxAfterQuestion = 100

// shownOutputs are the outputs of a report but for the question that the code waits
// with: a line below the status has it. Output that was on its way, or is a
// thread's, can come after it.
func shownOutputs(r session.Report) iter.Seq2[jupyter.Output, error] {
	if r.State != session.StateWaiting {
		return r.Outputs
	}
	return func(yield func(jupyter.Output, error) bool) {
		var held []jupyter.Output // a question, and what came after it
		release := func(held []jupyter.Output) bool {
			for _, o := range held {
				if !yield(o, nil) {
					return false
				}
			}
			return true
		}
		for o, err := range r.Outputs {
			question := err == nil && o.Type == jupyter.OutputInputRequest
			if question || len(held) > maxAfterQuestion {
				if !release(held) {
					return
				}
				held = nil
			}
			switch {
			case question || err == nil && held != nil:
				held = append(held, o)
			case !yield(o, err):
				return
			}
		}
		if held != nil {
			release(held[1:])
		}
	}
}

// noOutput is what stands for an empty output of code that has run, or runs. Of
// other states the lines below the status say enough.
func noOutput(r session.Report) string {
	running := r.State == session.StateRunning
	switch {
	case !running && (r.State != session.StateFinished || !r.Outcome.Ran()):
		return ""
	case r.From > r.Start:
		return "[no new output]"
	case running:
		return "[no output yet]"
	}
	return "[no output]"
}

// others tells what the session's other runs have to tell: ends that no answer
// has told, and output that came after an end. It returns what to do when the
// answer has been delivered.
func (t *tools) others(e *session.Execution) (lines []string, delivered []func()) {
	reports := e.Session().Others(e)
	for i, o := range reports {
		if i == maxMentioned {
			lines = append(lines, "[note: "+plural(len(reports)-i, "more earlier run has", "more earlier runs have")+" something to tell; the next answers will name them]")
			break
		}
		if o.Told {
			late := render.Outputs(o.Outputs, render.Budget{Characters: lateCharacters}, render.Options{ReadOn: "get_execution id=" + o.ID, Cell: o.Cell})
			if text := textOf(late); text != "" {
				lines = append(lines, fmt.Sprintf("[late output of %s, after its end:]", o.ID), text, "[end of late output]")
			}
			delivered = append(delivered, o.Delivered)
			continue
		}
		if o.State != session.StateFinished {
			if words := strings.Join(nonEmptyOf(struckWords(o), clockWords(o)), "; "); words != "" {
				lines = append(lines, fmt.Sprintf("[note: %s is %s: %s. get_execution id=%s shows it]", o.ID, o.State, words, o.ID))
			}
			delivered = append(delivered, o.StopsTold)
			continue
		}
		lines = append(lines, fmt.Sprintf("[earlier run %s ended: %s after %s%s; get_execution id=%s shows its result]", o.ID, outcomeWords(o), seconds(o.Elapsed), because(o), o.ID))
		delivered = append(delivered, o.Mentioned)
	}
	return lines, delivered
}

// textOf joins the text of what was rendered; images are named, not shown.
func textOf(r render.Result) string {
	var b strings.Builder
	for _, block := range r.Blocks {
		if block.Image != nil {
			b.WriteString("[image]\n")
		}
		b.WriteString(block.Text)
	}
	return strings.TrimRight(b.String(), "\n")
}

func textResult(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}}
}
