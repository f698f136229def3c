package mcp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/clients"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

const (
	// defaultWait keeps a call below the 60 s after which most clients give up.
	defaultWait = 45
	// maxWait is for clients known to wait longer.
	maxWait = 3600
	// maxCode bounds the source of one call, in bytes.
	maxCode = 4 << 20
)

const (
	sessionWords    = "Session: a Python of its own, with its own variables. Default \"default\", shared by everyone who uses this server (subagents, often other conversations): name your own to keep apart."
	timeoutWords    = "Interrupt the run after so many seconds. Default: never."
	generationWords = "Run only if the session's kernel has this generation (in the status line; 1 if it shows none), so that code never runs without the variables it needs. Default: any."
	charactersWords = "Maximum characters of text in the answer, 400 to 200,000. Default 30,000, fewer if the client shows fewer; at most 10,000 in an error result."
	waitWords       = "Answer after so many seconds at the latest, counting everything (environment, kernel start, queue, run); the run then goes on. Default 45, 0 to 3600. Keep it under 50 unless you know that the client waits longer."
)

func (t *tools) executeCode() tool {
	return tool{
		name:  "execute_code",
		title: "Run Python",
		description: "Run Python code in a persistent IPython kernel. Variables, imports and the working directory stay between calls of the same session until the kernel ends; the status line says when state was lost. " +
			"The answer has stdout, stderr, displays, images, the value of the last expression and tracebacks, in order. A [cut: …] line says what was left out and how to read it. A printed line that looks like one of the server's is shown with a backslash: \\[ok. Top-level await, IPython magics (%timeit, %%bash) and !shell work. " +
			"It answers after wait_seconds at the latest, and the run goes on: \"running\" is not a failure, do not send the code again; use get_execution with the id in the status line, or interrupt_execution. Runs in one session take turns; sessions run side by side. " +
			"Code has the user's rights unless sandboxed.",
		arguments: append([]argument{
			{name: "code", kind: "string", required: true, description: "Python source code, without a Markdown fence. At most 4 MiB."},
			{name: "filename", kind: "string", description: "Store the code under this name in the code storage directory before it runs; tracebacks then name the file. Never overwrites a file: if the name is taken, it gets a number. Default: not stored."},
			{name: "session", kind: "string", description: sessionWords},
		}, runArguments()...),
		hints:  hints{destructive: true, openWorld: true},
		always: true,
		large:  true,
		queues: true,
		handle: t.handleExecuteCode,
	}
}

// runArguments are those of each tool that runs code.
func runArguments() []argument {
	return []argument{
		{name: "wait_seconds", kind: "number", description: waitWords},
		{name: "timeout_seconds", kind: "number", description: timeoutWords},
		{name: "expect_generation", kind: "number", description: generationWords},
		{name: "max_output_chars", kind: "number", description: charactersWords},
	}
}

func (t *tools) handleExecuteCode(ctx context.Context, a *call) *mcp.CallToolResult {
	deadline := time.Now()
	code := a.String("code", arguments.Required, arguments.NonEmpty, arguments.MaxBytes(maxCode))
	code = strings.TrimPrefix(code, "\ufeff") // a byte order mark, which Python ignores in a file
	filename := a.String("filename")
	name := a.String("session")
	deadline = deadline.Add(waitSeconds(a))
	request := session.Request{By: conversation(ctx), Code: code, Timeout: timeout(a), Generation: generation(a), Policy: a.policy()}
	maxOutput(a)
	if err := a.Err(); err != nil {
		return errorResult(err.Error())
	}
	if e := t.resumed(a); e != nil { // a retry with an answer: the code runs already
		rpc.Queued(ctx)
		return t.finish(ctx, a, e, deadline, nil)
	}
	if err := t.sessions.Allows(request.Policy); err != nil { // before the code is stored
		return errorResult(explain(err))
	}
	s, err := t.sessions.OpenFor(conversation(ctx), name)
	if err != nil {
		return errorResult(explain(err))
	}
	var notes []string
	if a.Given("filename") {
		storage, err := t.sessions.Storage()
		if err != nil {
			return errorResult("the code was not run: " + explain(err))
		}
		file, err := storage.Create(filename, code, t.sessions.Shadows(ctx, conversation(ctx)))
		if err != nil {
			return errorResult("the code was not run: " + explain(err))
		}
		request.File = file.Path
		t.sessions.FileChanged(file.Path)
		if file.Renamed {
			notes = append(notes, fmt.Sprintf("the name %s was taken: the code is stored as %s", filename, file.Path))
		} else {
			notes = append(notes, "the code is stored as "+file.Path)
		}
	}
	e, err := s.Execute(request)
	rpc.Queued(ctx)
	if err != nil {
		return errorResult(explain(err))
	}
	return t.finish(ctx, a, e, deadline, notes)
}

// timeout decodes timeout_seconds.
func timeout(a *call) time.Duration {
	return time.Duration(a.Number("timeout_seconds", 0, arguments.Between(0, 1e7)) * float64(time.Second))
}

// generation decodes expect_generation.
func generation(a *call) int {
	return int(a.Integer("expect_generation", 0, arguments.Between(0, 1e9)))
}

// maxOutput decodes max_output_chars; 0 when it is not given.
func maxOutput(a *call) int {
	return int(a.Integer("max_output_chars", 0, arguments.Between(clients.MinCharacters, clients.MaxCharacters)))
}

// waitSeconds decodes wait_seconds.
func waitSeconds(a *call) time.Duration {
	return time.Duration(a.Number("wait_seconds", defaultWait, arguments.Between(0, maxWait)) * float64(time.Second))
}

// find returns an open session as the call means its name.
func (t *tools) find(ctx context.Context, name string) (*session.Session, error) {
	return t.sessions.Find(conversation(ctx).Name(name))
}

// execution returns a run. Whoever asks for it uses its session.
func (t *tools) execution(ctx context.Context, id string) (*session.Execution, error) {
	e, err := t.sessions.Execution(id)
	if err == nil {
		conversation(ctx).Name(e.Session().Name())
	}
	return e, err
}

// findRunning returns the execution to interrupt or to answer, nil when there is
// none.
func (t *tools) findRunning(ctx context.Context, id, name string) (*session.Execution, error) {
	if id != "" {
		return t.execution(ctx, id)
	}
	s, err := t.find(ctx, name)
	if err != nil {
		return nil, err
	}
	if e := s.Current(); e != nil {
		return e, nil
	}
	// An installation is under way beside the queue.
	if e := s.Latest(); e != nil && !e.Finished() {
		return e, nil
	}
	return nil, nil
}

// wait waits until the execution has ended, asks, the deadline is reached, or
// the client gives the call up.
func (t *tools) wait(ctx context.Context, e *session.Execution, deadline time.Time) {
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	if p := rpc.ProgressFrom(ctx); p != nil {
		go reportProgress(p, e, done)
	}
	e.Wait(waiting)
	t.givenUp(ctx, e)
}

// reportProgress tells once a second how far the run is.
func reportProgress(p *rpc.Progress, e *session.Execution, done <-chan struct{}) {
	tick := time.NewTicker(rpc.ProgressInterval + rpc.ProgressInterval/50) // exactly on it, every other report would be too early
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-e.Done():
			return
		case <-tick.C:
			at := e.Progress()
			p.Report(round2(at.Elapsed), progressWords(at))
		}
	}
}

// progressWords is elapsed time, what is being done or was printed last, memory.
func progressWords(p session.Progress) string {
	words := []string{seconds(p.Elapsed)}
	if name := notebook.CellName(p.Cell, p.Cells); name != "" {
		words = append(words, name)
	}
	switch {
	case p.LastLine != "":
		words = append(words, render.Text(p.LastLine, 160))
	case p.Activity != "":
		words = append(words, render.Text(p.Activity, 160))
	default:
		words = append(words, string(p.State))
	}
	if p.Memory > 0 {
		words = append(words, "memory "+render.ByteSize(p.Memory))
	}
	return strings.Join(words, " | ")
}
