package mcp

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// statusLine is the first line of every answer about an execution. It comes first
// because hosts cut the end and the middle of long answers, never the head. Some
// hosts show a person little more than its beginning, and a model pays for it in
// each answer: so the outcome leads, and what goes without saying is left out.
// The cursor is for those who read on: in a run that goes on, or what was cut.
func statusLine(r session.Report, cut bool) string {
	fields := []string{outcomeWords(r), seconds(r.Elapsed)}
	if r.Count > 0 {
		fields = append(fields, fmt.Sprintf("In[%d]", r.Count))
	}
	if r.Cells != nil {
		fields = append(fields, cellsWords(r))
	}
	fields = append(fields, "id="+r.ID)
	if r.Session != session.DefaultName {
		fields = append(fields, "session="+r.Session)
	}
	if r.Environment != "" && r.NewKernel {
		env := "env=" + r.Environment
		if r.Python != "" {
			env += " (Python " + r.Python + ")"
		}
		fields = append(fields, env)
	}
	if dir := cmp.Or(r.Directory, r.WorkDir); dir != "" {
		fields = append(fields, "dir="+fileName(dir))
	}
	if r.Generation > 1 {
		fields = append(fields, fmt.Sprintf("generation=%d", r.Generation))
	}
	if cut || r.State != session.StateFinished && r.To > 0 {
		fields = append(fields, fmt.Sprintf("cursor=%d", r.To))
	}
	return "[" + strings.Join(fields, " | ") + "]"
}

// outcomeWords is the first field of the status line.
func outcomeWords(r session.Report) string {
	switch r.State {
	case session.StateFinished:
		if r.Outcome == session.OutcomeError && r.ErrorName != "" {
			return "error " + r.ErrorName
		}
		return string(r.Outcome)
	case session.StateWaiting:
		return "waiting for input"
	default:
		return string(r.State)
	}
}

// stateLines says what the status means for the state and what to do next; it stands
// right below the status. It is empty when there is nothing to add.
func stateLines(r session.Report) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, "["+fmt.Sprintf(format, args...)+"]") }
	switch r.State {
	case session.StateQueued:
		lines = append(lines, queuedLines(r)...)
	case session.StatePreparing:
		what := r.Activity
		if what == "" {
			what = "getting ready"
		}
		add("preparing: %s. The code will run by itself after that: do not send the code again; get_execution id=%s shows it", what, r.ID)
	case session.StateRunning:
		if struck := struckWords(r); struck != "" {
			add("interrupting: %s; the code has not ended so far, and may not heed it. get_execution id=%s shows what is new; %s", struck, r.ID, forceWords(r.ID, r.Fresh, r.Joined))
		}
		if line := clockLine(r); line != "" {
			lines = append(lines, line)
		}
		if words := replacedWords(r.Replaced); words != "" {
			add("note: when this run began, %s", words)
		}
		if struckWords(r) == "" {
			add("running, not failed: do not send the code again; get_execution id=%s shows what is new, interrupt_execution%s stops it", r.ID, idOfFresh(r))
		}
	case session.StateWaiting:
		if words := strings.Join(nonEmptyOf(struckWords(r), clockWords(r)), "; "); words != "" && !r.Told {
			add("note: %s; the code still asks", words)
		}
		lines = append(lines, questionLine(r))
	case session.StateFinished:
		lines = append(lines, finishedLines(r)...)
	}
	lines = append(lines, limitLines(r)...)
	lines = append(lines, cellsLines(r)...)
	for _, n := range r.Notices {
		add("note: %s", n)
	}
	if line := filesLine(r); line != "" {
		lines = append(lines, line)
	}
	if r.RecordErr != nil {
		add("warning: %s", recordFaultWords(r))
	}
	return lines
}

// recordFaultWords says why a session is not recorded, and the first time what that means
// and what helps. It names no run: a record is of all that its kernel runs.
func recordFaultWords(r session.Report) string {
	if r.RecordErrTold {
		return "the record of this kernel's runs still cannot be written"
	}
	const again = "stop_session with restart: true starts a kernel with a new record; variables are lost"
	switch err := r.RecordErr; {
	case errors.Is(err, session.ErrRecordRemoved):
		return "the record of this kernel's runs has been removed from the disk (" + fileName(r.RecordDir) + "), and is not written any more: the kernel goes on, and what it runs from now on is in memory only. " + again
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("the record of this kernel's runs cannot be written for want of space (%v). What comes meanwhile is written when there is some", err)
	default:
		return fmt.Sprintf("the record of this kernel's runs cannot be written (%v): the kernel goes on, and what it runs from now on is in memory only. When the cause is gone, %s", err, again)
	}
}

// goneWords is what the end of a kernel means.
const goneWords = "Its variables and imports are gone; the next execute_code starts a new kernel"

// lostWords says what is lost with the kernel of a run.
func lostWords(r session.Report) string {
	if r.Fresh {
		return "It was a kernel for this run alone (fresh), not the session's"
	}
	return leavesWords(r.Exit)
}

// leavesWords says what the end of the session's kernel leaves.
func leavesWords(e *session.Exit) string {
	if e != nil && e.MayRun != "" {
		return "When that server can be reached again, configure_environment with type=jupyter, its server and kernel_id=" + e.MayRun +
			" goes back to the kernel, with its variables; otherwise the next execute_code starts a new one"
	}
	return goneWords
}

// forceWords says what force does to code that cannot be interrupted, and what is lost then.
func forceWords(id string, fresh, joined bool) string {
	if joined {
		return "force does not end this kernel, which somebody else has started: only they can restart it"
	}
	words := "interrupt_execution id=" + id + " with force: true kills the kernel, "
	if fresh {
		return words + "which is this run's own (fresh): the session is not touched"
	}
	return words + "and the session's variables are lost"
}

// idOfFresh is the id that a call needs to reach a run with a kernel of its own: a
// session's name means what runs in the session.
func idOfFresh(r session.Report) string {
	if !r.Fresh {
		return ""
	}
	return " id=" + r.ID
}

func finishedLines(r session.Report) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, "["+fmt.Sprintf(format, args...)+"]") }
	if line := exitLine(r); line != "" {
		lines = append(lines, line)
	}
	switch r.Outcome {
	case session.OutcomeOK:
		if r.WentOn {
			add("note: an error was shown, but the code went on to its end")
		}
	case session.OutcomeDied:
		if left := leftKernelWords(r); left != "" {
			add("died: %s", left)
			break
		}
		add("died: the kernel ended during this run: %s. %s", exitWords(r.Exit), lostWords(r))
	case session.OutcomeExited:
		add("state lost: the code ended the kernel (%s). %s", exitWords(r.Exit), lostWords(r))
	case session.OutcomeNotRun:
		if r.Idle > 0 {
			add("state lost, this code was NOT run: the session had been idle for %s, its limit (SESSION_IDLE_LIMIT), so its kernel was ended. %s: send the code again with whatever must be set up first", r.Idle, goneWords)
			break
		}
		add("state lost, this code was NOT run: the session's kernel had died before (%s). %s: send the code again with whatever must be set up first", exitWords(r.Exit), leavesWords(r.Exit))
	case session.OutcomeCancelled:
		add("cancelled before it ran: nothing of this code was executed")
	}
	if words := lostNames(r); words != "" {
		add("%s", words)
	}
	if line := stopLine(r); line != "" {
		lines = append(lines, line)
	}
	lines = append(lines, leftoverLines(r)...)
	if tail := exitTail(r); tail != "" {
		lines = append(lines, "[output: last lines the kernel's process wrote]", tail)
	}
	switch {
	case r.Outcome == session.OutcomeDied:
	case r.Unheard:
		add("warning: the connection to the kernel broke when this code was sent, and nothing came back of it: it is not known whether it ran. Look whether it has done what it should (inspect_variables shows the variables); if it has not, send it again")
	case r.NoReply:
		add("warning: the kernel ended this run without saying how; if that repeats, restart the session")
	}
	if r.OutputLost {
		add("warning: the end of the output may be missing: the kernel did not confirm that it had sent all")
	}
	return lines
}

// exitLine tells the exit status of a run that ended as a process ends, or is "".
func exitLine(r session.Report) string {
	switch {
	case r.ExitStatus == nil || !r.Outcome.Ran():
		return ""
	case r.Fresh:
		return fmt.Sprintf("[exit status %d]", *r.ExitStatus)
	case r.Outcome == session.OutcomeOK:
		return "[exit status 0: the code ended with SystemExit, a normal end; the session's variables are kept]"
	case r.Outcome == session.OutcomeError && r.ErrorName == "SystemExit":
		return fmt.Sprintf("[exit status %d: the code ended with SystemExit; the session's variables are kept]", *r.ExitStatus)
	}
	return ""
}

// questionLine says what the code asks and how to answer.
func questionLine(r session.Report) string {
	if r.Password {
		return fmt.Sprintf("[waiting for input: the code asks for a password: %q. A person should set it outside the conversation: an environment variable in this server's configuration, or the keyring package. send_input id=%s would pass it through the conversation; interrupt_execution%s gives up]", r.Prompt, r.ID, idOfFresh(r))
	}
	return fmt.Sprintf("[waiting for input: %q. send_input id=%s answers, interrupt_execution%s gives up]", r.Prompt, r.ID, idOfFresh(r))
}

// exitWords says how a kernel's process ended.
func exitWords(e *session.Exit) string {
	switch {
	case e == nil:
		return "its process is gone"
	case e.Limit.Kind != "":
		return endedByLimit(e.Limit)
	case e.OutOfMemory:
		return "out of memory: its memory limit (cgroup) killed it"
	case e.GuardLost:
		return "its supervisor was killed, and the kernel with it"
	case e.Killed:
		return "it was killed by this server"
	case e.Signal == 9:
		return e.String() + ": killed (by itself, a person, a resource limit or for lack of memory)"
	case e.Signal == 11 || e.Signal == 6 || e.Signal == 7 || e.Signal == 4:
		return e.String() + ": native code crashed"
	}
	return e.String()
}

// maxTailLines bounds how much of a dead process's stderr is shown.
const maxTailLines = 20

// exitTail returns the last lines the dead kernel's process wrote outside of a
// run, for deaths that they may explain; of a dump of Python's the first, which
// name the place.
func exitTail(r session.Report) string {
	if r.Exit == nil || r.Exit.Killed || r.Outcome == session.OutcomeExited {
		return ""
	}
	if dump, ok := render.FaultDump(string(r.Exit.Tail)); ok {
		return firstLines(dump, maxTailLines)
	}
	return lastLines(string(r.Exit.Tail), maxTailLines)
}
