package mcp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// maxErrorCharacters bounds an error's text: one host cuts those above 11,000
// to their first and last 5,000.
const maxErrorCharacters = 10_000

// errorResult is a tool result that says what went wrong. It is for the model:
// a protocol error would not be shown to it.
func errorResult(text string) *mcp.CallToolResult {
	text = render.CutMiddle(text, maxErrorCharacters)
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}, IsError: true}
}

// errEnvironmentNotReady is the cause of a look at an environment that took too
// long, which only one that is still being made does.
var errEnvironmentNotReady = errors.New("the environment is not ready yet; call again in a minute")

// explain words an error for a model: what happened, what state is left, what
// to do next. It is the only place that does.
func explain(err error) string {
	var (
		config      *host.ConfigError
		notFound    *pyenv.NotFoundError
		missing     *provision.KernelMissingError
		start       *session.StartError
		unknownExec *session.UnknownExecutionError
		unknownSess *session.UnknownSessionError
		tooMany     *session.TooManySessionsError
		full        *session.QueueFullError
		storage     *codefile.StorageError
		work        *session.WorkDirError
		busy        *session.BusyError
		generation  *session.GenerationError
		restarts    *session.RestartsError
		nothingRan  *session.NothingRanError
		setting     *session.SettingError
		sandbox     *session.SandboxError
		notReady    *session.NotReadyError
		tighter     *session.TighterError
	)
	switch {
	case errors.As(err, &setting):
		return "nothing was run: " + setting.Error() + ", and no kernel is started until it is corrected. Set " + setting.Fix + " in the client's configuration of this server, which only the person can, and restart it"
	case errors.As(err, &sandbox):
		return "nothing was run: " + sandbox.Error() + ". Only the person who configures this server can change that; the code cannot"
	case errors.As(err, &tighter):
		return "nothing was run: " + tighter.Error() + fmt.Sprintf(". The kernel and its variables are as they were. stop_session with session=%q and restart: true ends it, and the next call gets one under the new policy; or use another session", tighter.Session)
	case errors.As(err, &config):
		return err.Error() + ". Settings are environment variables in the client's configuration of this server (restart it after a change); configure_environment sets them for now."
	case errors.As(err, &missing):
		return err.Error()
	case errors.As(err, &notFound):
		return err.Error() + ". get_environment_config with list: true shows what is on this machine, configure_environment chooses from it"
	case errors.As(err, &start):
		return explainStart(start, err)
	case errors.As(err, &unknownExec):
		return explainUnknownExecution(unknownExec)
	case errors.As(err, &unknownSess):
		if len(unknownSess.Known) == 0 {
			return fmt.Sprintf("there is no session %q: no session is open yet; execute_code opens one", unknownSess.Name)
		}
		return fmt.Sprintf("there is no session %q; open sessions: %s. execute_code with session=%q opens it", unknownSess.Name, strings.Join(unknownSess.Known, ", "), unknownSess.Name)
	case errors.As(err, &tooMany):
		if len(tooMany.Idle) == 0 {
			return fmt.Sprintf("%d sessions are open, which is the limit, and all are busy. Use one of them, wait, or end one with stop_session", tooMany.Limit)
		}
		return fmt.Sprintf("%d sessions are open, which is the limit. Use one of them, or end one that is not needed with stop_session. Idle: %s", tooMany.Limit, strings.Join(tooMany.Idle, ", "))
	case errors.As(err, &full):
		return fmt.Sprintf("session %q is busy: %s has been running for %s (%q) and %d calls wait behind it; that is the limit. Nothing was queued. Wait with get_execution id=%s, or stop it with interrupt_execution id=%s", full.Session, full.Running, seconds(full.Since), full.Line, full.Limit, full.Running, full.Running)
	case errors.As(err, &generation):
		alive := fmt.Sprintf("its kernel is of generation %d", generation.Actual)
		switch {
		case generation.Actual == 0:
			alive = "it has had no kernel yet"
		case !generation.Alive:
			alive = fmt.Sprintf("its kernel of generation %d is gone", generation.Actual)
		}
		return fmt.Sprintf("nothing was run: the code counts on generation %d of session %q, and %s. Set up what it needs first, without expect_generation or with the new number", generation.Expected, generation.Session, alive)
	case errors.As(err, &restarts):
		return fmt.Sprintf("nothing was run: the kernel of session %q has died %d times without one run that finished. The code, or the environment, kills it. Call stop_session with restart: true to start another one, and run less in it", restarts.Session, restarts.Deaths)
	case errors.As(err, &nothingRan):
		return explainNothingRan(nothingRan)
	case errors.As(err, &storage):
		return "code storage: " + err.Error() + ". CODE_STORAGE_DIR says where code files are kept"
	case errors.As(err, &work):
		return "nothing was run: " + work.Error() + "." + makeWords(work) + " in the client's configuration of this server and restart it"
	case errors.As(err, &busy):
		return fmt.Sprintf("the environment was not changed: session %q has been running %s for %s (%q). Wait for it, interrupt it with interrupt_execution id=%s, or send force: true, which ends it", busy.Session, busy.Running, seconds(busy.Since), busy.Line, busy.Running)
	case errors.As(err, &notReady) && errors.Is(err, errEnvironmentNotReady):
		return "not ready yet: " + notReadyWords(notReady)
	case errors.Is(err, errEnvironmentNotReady):
		return errEnvironmentNotReady.Error()
	case errors.Is(err, session.ErrClosed):
		return "the server is ending; start it again"
	case errors.Is(err, context.DeadlineExceeded):
		return "it took too long: " + err.Error()
	}
	return err.Error()
}

// explainStart words the start of a kernel that failed; err is what e is in.
func explainStart(e *session.StartError, err error) string {
	var b strings.Builder
	if e.Exit == nil {
		fmt.Fprintf(&b, "the kernel did not start: %s: %v", e.Phase, e.Err)
	} else {
		fmt.Fprintf(&b, "the kernel's process ended while starting (%s)", e.Exit)
		if e.Exit.Limit.Kind != "" {
			b.WriteString(", " + endedByLimit(e.Exit.Limit))
		}
		if tail := lastLines(string(e.Exit.Tail), maxTailLines); tail != "" {
			fmt.Fprintf(&b, ". Its last lines:\n%s", tail)
		}
	}
	with, _ := errors.AsType[*session.StartVariablesError](err)
	if with != nil && len(with.Named()) > 0 {
		fmt.Fprintf(&b, "\nThe code was not run. The cause is %s: correct it or take it out, in the client's configuration of this server or in the environment it was started from. The Python environment can be left as it is", variableWords(with.Named()))
		return b.String()
	}
	check := "check the environment in a terminal with `python -m ipykernel_launcher --version`"
	if command, ok := errors.AsType[*session.CommandError](err); ok {
		check = "try in a terminal what its kernelspec starts: " + host.CommandLine(command.Command...)
	}
	b.WriteString("\nThe code was not run. The next call tries again; if it fails the same way, " + check)
	if with != nil { // easily put right
		b.WriteString("\nThese variables change how Python starts; try without them first: " + variableWords(with.Variables))
	}
	return b.String()
}

func variableWords(variables []string) string {
	return render.CutMiddle(strings.Join(variables, ", "), 500)
}

// notReadyWords says what is being done to an environment, and that it goes on.
func notReadyWords(e *session.NotReadyError) string {
	words := fmt.Sprintf("%s, for %s so far", e.Step, seconds(e.For))
	if detail := render.Text(e.Detail, 160); detail != "" && e.Detail != e.Step {
		words += " (now: " + detail + ")"
	}
	return words + ". It goes on by itself: call again in a minute"
}

func explainUnknownExecution(e *session.UnknownExecutionError) string {
	if e.Elsewhere {
		return fmt.Sprintf("there is no execution %q in this server: it ran before this server was started, or in one beside it, and there is no record of it for this code storage and working directory. Run what you need again", e.ID)
	}
	if e.Latest == "" {
		return fmt.Sprintf("there is no execution %q: nothing has been run since the server started", e.ID)
	}
	return fmt.Sprintf("there is no execution %q in this server; the newest is %s. Leave id out for the session's newest one", e.ID, e.Latest)
}

// makeWords is the next step when the working directory that was set cannot be used.
func makeWords(e *session.WorkDirError) string {
	if errors.Is(e, fs.ErrNotExist) && !e.Unfilled() {
		return " Make that directory, or set WORK_DIR to another one"
	}
	return " Set WORK_DIR to a directory of the project's"
}
