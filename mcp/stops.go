package mcp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/clients"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// stopWords says what one attempt to end a run was, and when it came. That it worked
// is said only where it is known to have: of a run that has ended by an interrupt, or
// was taken out of the queue.
func stopWords(s session.Stop, r session.Report) string {
	after, ended := seconds(s.After), r.State == session.StateFinished
	if s.Called > 0 {
		after = seconds(s.Called) // the client's limit is one for calls, not for runs
	}
	worked := ended && r.Outcome == session.OutcomeInterrupted
	if s.AtBegin() {
		return waitingStopWords(s, ended, worked)
	}
	interrupted := "sent it an interrupt"
	switch {
	case worked:
		interrupted = "interrupted it"
	case ended && r.Outcome == session.OutcomeCancelled:
		interrupted = "took it out of the queue"
	}
	switch s.By {
	case session.ByLimit:
		return fmt.Sprintf("its limit timeout_seconds=%s struck after %s", plainSeconds(s.Limit), after)
	case session.ByCall:
		return "interrupt_execution " + interrupted + calledWhen(s, worked)
	case session.ByCancel:
		words := fmt.Sprintf("the client cancelled its call after %s%s, which %s", after, reasonWords(s), interrupted)
		if s.Guessed {
			words += "; that was taken for a person's stop: if it was the client's own time limit, run the code again with wait_seconds below that limit"
		}
		return words
	case session.ByRefusal:
		return fmt.Sprintf("its question was declined after %s, which %s", after, interrupted)
	case session.ByForce:
		return "interrupt_execution with force killed its kernel after " + after
	case session.BySession:
		return "stop_session " + endedOrLeft(r) + " its kernel after " + after
	case session.ByEnvironment:
		return "configure_environment " + endedOrLeft(r) + " its kernel after " + after
	case session.ByServer:
		return fmt.Sprintf("the server ended its kernel after %s because it is shutting down", after)
	case session.ByClock:
		words := fmt.Sprintf("the client stopped waiting for it after %s%s, which did not interrupt it", after, reasonWords(s))
		if s.Guessed {
			words += "; that was taken for the client's own time limit"
		}
		if s.Guessed && !ended {
			words += ": if a person wanted it stopped, call interrupt_execution"
		}
		return words
	}
	return fmt.Sprintf("%s stopped it after %s", s.By, after)
}

// endedOrLeft is what the end of a session does to its kernel.
func endedOrLeft(r session.Report) string {
	if r.Joined {
		return "left"
	}
	return "ended"
}

// waitingStopWords is stopWords for code in the queue of a kernel that others use too:
// nothing takes it out of there.
func waitingStopWords(s session.Stop, ended, worked bool) string {
	who := "interrupt_execution came after " + seconds(s.After)
	switch s.By {
	case session.ByCancel:
		who = fmt.Sprintf("the client cancelled its call after %s%s", seconds(s.Called), reasonWords(s))
	case session.ByLimit:
		who = fmt.Sprintf("its limit timeout_seconds=%s struck", plainSeconds(s.Limit))
	}
	switch {
	case s.Missed:
		return who + ", before the code had begun, which then ended before it could be interrupted"
	case worked:
		return who + ", before the code had begun, so it was interrupted when it began"
	case ended:
		return who + ", before the code had begun"
	}
	return who + ", and the code is interrupted when it begins"
}

// leftKernelWords says what became of code whose session has left a kernel that goes on, "" for
// any other end.
func leftKernelWords(r session.Report) string {
	for _, s := range r.Stops {
		if !r.Joined || !s.By.EndsKernel() {
			continue
		}
		if s.Waiting {
			return "the session has left the kernel, which somebody else has started and which goes on with its variables. This code was in its queue behind another client's: nothing takes it out of there, so it runs after that, and nobody is told"
		}
		return "the session has left the kernel, which somebody else has started and which goes on with its variables. This code was sent an interrupt; whether it has ended is not known"
	}
	return ""
}

// calledWhen says when calls have interrupted a run, and how often.
func calledWhen(s session.Stop, worked bool) string {
	switch {
	case s.Again == 0:
		return " after " + seconds(s.After)
	case worked:
		return fmt.Sprintf(" after %s, the last of %d times", seconds(s.Last), s.Again+1)
	}
	return fmt.Sprintf(" %d times, first after %s, last after %s", s.Again+1, seconds(s.After), seconds(s.Last))
}

// reasonWords is the reason a client gave, on one line.
func reasonWords(s session.Stop) string {
	if s.Reason == "" {
		return ""
	}
	return fmt.Sprintf(" (%q)", render.FirstRunes(s.Reason, 100))
}

// plainSeconds is a duration as timeout_seconds has it.
func plainSeconds(d time.Duration) string { return fmt.Sprintf("%g", d.Seconds()) }

// struckWords says all that has tried to end a run, "" for nothing; what only
// ended the waiting is not among it.
func struckWords(r session.Report) string {
	var words []string
	for _, s := range r.Stops {
		if s.By != session.ByClock {
			words = append(words, stopWords(s, r))
		}
	}
	return strings.Join(words, "; ")
}

// because is struckWords for the middle of a sentence.
func because(r session.Report) string {
	struck := struckWords(r)
	if struck == "" {
		struck = clockWords(r)
	}
	if struck == "" {
		return ""
	}
	return " (" + struck + ")"
}

// stopLine says what tried to end a finished run, and what the code made of it. It
// is empty when nothing did.
func stopLine(r session.Report) string {
	struck := struckWords(r)
	kept := "the session's variables are kept"
	for _, s := range r.Stops {
		if s.By.EndsKernel() && !r.Joined {
			kept = "the session's variables and imports are gone"
		}
	}
	if r.Fresh {
		kept = "its variables are gone, as it had a kernel of its own (fresh)"
	}
	switch {
	case r.Outcome == session.OutcomeInterrupted && slices.ContainsFunc(r.Stops, session.Stop.AtBegin):
		return fmt.Sprintf("[interrupted: %s. What takes only a moment has run before that, so its work may be done, or done in part; %s]", struck, kept)
	case r.Outcome == session.OutcomeInterrupted && r.Caught:
		return fmt.Sprintf("[interrupted: %s. The code caught or ignored the interrupt and ended without an error, so its work may be incomplete; %s]", orUnknown(struck), kept)
	case r.Outcome == session.OutcomeInterrupted:
		return fmt.Sprintf("[interrupted: %s; %s]", orUnknown(struck), kept)
	case struck == "":
		return clockLine(r)
	case slices.ContainsFunc(r.Stops, func(s session.Stop) bool { return s.Missed }):
		return "[note: NOT interrupted: " + struck + "]"
	case r.Outcome == session.OutcomeError:
		return fmt.Sprintf("[interrupted: %s; the error may come from that; %s]", struck, kept)
	case leftKernelWords(r) != "":
		return fmt.Sprintf("[note: %s]", struck)
	case r.Outcome == session.OutcomeDied || r.Outcome == session.OutcomeExited:
		return fmt.Sprintf("[note: before its kernel ended, %s]", struck)
	case r.Outcome == session.OutcomeCancelled:
		return fmt.Sprintf("[cancelled because: %s]", struck)
	}
	return fmt.Sprintf("[note: %s]", struck)
}

func orUnknown(struck string) string {
	if struck == "" {
		return "the kernel was told to end"
	}
	return struck
}

// clockLine says that the client's own clock ended the waiting only.
func clockLine(r session.Report) string {
	if words := clockWords(r); words != "" && !r.Told {
		return "[note: " + words + "]"
	}
	return ""
}

// clockWords says that the client's own clock ended the waiting, "" if it did not.
func clockWords(r session.Report) string {
	for _, s := range r.Stops {
		if s.By == session.ByClock {
			return stopWords(s, r)
		}
	}
	return ""
}

// queuedLines says what a queued run waits for, and how to go on: with what runs,
// with its question, or without this run.
func queuedLines(r session.Report) []string {
	a := r.Ahead
	if a == nil {
		return []string{nextLine(r)}
	}
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, "["+fmt.Sprintf(format, args...)+"]") }
	if a.State == session.StateWaiting {
		asks := fmt.Sprintf("asks %q", render.FirstRunes(a.Prompt, 200))
		if a.Password {
			asks = fmt.Sprintf("asks for a password: %q", render.FirstRunes(a.Prompt, 200))
		}
		add("session waiting for input: %s %s. This code has NOT run and waits behind it: answer with send_input id=%s, or give it up with interrupt_execution id=%s; then this code runs by itself. interrupt_execution id=%s takes this code out of the queue", a.ID, asks, a.ID, a.ID, r.ID)
	} else {
		more := ""
		if r.Place > 0 {
			more = fmt.Sprintf("; then %d more before this code", r.Place)
		}
		add("queued behind %s: %s, %s for %s so far%s. It will run by itself: do not send it again; get_execution id=%s shows it. interrupt_execution id=%s stops what runs, id=%s takes this code out of the queue", a.ID, codeWords(a.Line), a.State, seconds(a.For), more, r.ID, a.ID, r.ID)
	}
	if a.Same != "" {
		add("note: this is the same code as that of %s, which has not ended: if it was sent again by mistake, interrupt_execution id=%s takes this one out, and get_execution id=%s follows the other", a.Same, r.ID, a.Same)
	}
	return lines
}

// nextLine is queuedLines for code that nothing of its session is before: it is next, or
// waits for another client of the kernel, here or in the kernel's own queue.
func nextLine(r session.Report) string {
	before, stop := "this code is next, and runs", ", interrupt_execution id="+r.ID+" takes it out of the queue"
	if r.Activity != "" {
		before = r.Activity + " in this kernel, and this code after it,"
	}
	if r.Sent {
		stop = struckWords(r)
		if stop == "" {
			stop = "interrupt_execution id=" + r.ID + " interrupts it when it begins"
		}
		stop = ". It is in the kernel's own queue, out of which nothing takes it: " + stop
	}
	return fmt.Sprintf("[queued: %s by itself: do not send it again; get_execution id=%s shows it%s]", before, r.ID, stop)
}

// waitsWords is why code in that queue was not interrupted.
func waitsWords(force, joined bool) string {
	words := "NOT interrupted so far: the code has not begun. It is interrupted when it begins; what takes only a moment has run by then"
	if force {
		words += ". Force was not used: it would have ended the other client's code"
		if !joined {
			words += "; stop_session ends the kernel, with that code and all variables"
		}
	}
	return words
}

func codeWords(line string) string {
	if line == "" {
		return "code without a statement"
	}
	return fmt.Sprintf("%q", line)
}

// givenUp does what the cancel of the call that waited for e means, if there was
// one: the client's clock ends only the waiting, a person's stop interrupts.
func (t *tools) givenUp(ctx context.Context, e *session.Execution) {
	cancel := rpc.CancelOf(ctx)
	if cancel == nil || e.Finished() {
		return
	}
	clock, guessed := clients.Of(ctx).ByClock(cancel)
	stop := session.Stop{By: session.ByCancel, Reason: cancel.Reason, Guessed: guessed, Called: cancel.After}
	if clock {
		stop.By = session.ByClock
		e.GivenUp(stop)
		return
	}
	t.log.Info("interrupting: the client cancelled", "id", e.ID(), "reason", cancel.Reason, "after", cancel.After)
	if _, err := e.Session().Interrupt(context.WithoutCancel(ctx), e, stop); err != nil {
		t.log.Warn("interrupting", "id", e.ID(), "err", err)
	}
}

// limitName is the variable that sets a limit.
func limitName(k session.LimitKind) string {
	return map[session.LimitKind]string{session.LimitMemory: "MEMORY_LIMIT", session.LimitCPU: "CPU_LIMIT",
		session.LimitProcesses: "PROCESS_LIMIT", session.LimitFileSize: "FILE_SIZE_LIMIT"}[k]
}

// limitWords is a limit as it is set: "MEMORY_LIMIT=512MiB".
func limitWords(k session.LimitKind, bound int64) string {
	if k == session.LimitProcesses {
		return fmt.Sprintf("%s=%d", limitName(k), bound)
	}
	unit, in := int64(1<<20), "MiB"
	if bound >= 1<<30 && bound%(1<<30) == 0 {
		unit, in = 1<<30, "GiB"
	}
	return fmt.Sprintf("%s=%d%s", limitName(k), bound/unit, in)
}

// whoRaises is the next step after a limit: the model cannot change it.
func whoRaises(k session.LimitKind) string {
	return fmt.Sprintf("only the person can raise %s, in the client's configuration of this server", limitName(k))
}

// limitLines say which limits the session's processes ran into.
func limitLines(r session.Report) []string {
	var lines []string
	for _, h := range r.Limits {
		when := ""
		if h.Earlier {
			when = "before this run, "
		}
		lines = append(lines, "[note: "+when+hitWords(h)+"; "+whoRaises(h.Kind)+"]")
	}
	return lines
}

func hitWords(h session.LimitHit) string {
	limit := limitWords(h.Kind, h.Bound)
	switch {
	case h.Kind == session.LimitMemory && h.Refused:
		return "the code asked for more memory than the limit allows (" + limit + "), so Python raised this error. The session's variables are kept: free some, or work on smaller parts"
	case h.Kind == session.LimitMemory && h.PID == 0:
		return "the session's processes took more memory than the limit allows (" + limit + "), so the system ended one of them. The kernel and its variables are kept"
	case h.Kind == session.LimitMemory:
		return fmt.Sprintf("the session's processes took more memory than the limit allows (%s), so the server ended the process %d (%s), which had %s. The kernel and its variables are kept", limit, h.PID, h.Name, render.ByteSize(h.Memory))
	case h.Kind == session.LimitProcesses && h.Refused:
		return "the code asked for more processes than the limit allows (" + limit + "), so Python raised this error. The session's variables are kept"
	case h.Kind == session.LimitProcesses:
		return fmt.Sprintf("the session had %d processes, more than the limit allows (%s), so the server ended all but the kernel, and interrupts code that goes on starting processes. The session's variables are kept", h.Count, limit)
	}
	return "the code wrote more to one file than the limit allows (" + limit + "). What fit is in the file"
}

// endedByLimit says how a limit ended a kernel.
func endedByLimit(h session.LimitHit) string {
	limit := limitWords(h.Kind, h.Bound)
	switch {
	case h.Refused:
		return fmt.Sprintf("out of memory: it asked for more than its limit allows (%s), and could not go on without; %s", limit, whoRaises(h.Kind))
	case h.Kind == session.LimitProcesses:
		return fmt.Sprintf("too many processes: the session went on starting processes, %d at last, and the limit is %s, so the server ended it; %s", h.Count, limit, whoRaises(h.Kind))
	}
	return fmt.Sprintf("out of memory: its memory limit (%s) ended it; %s", limit, whoRaises(h.Kind))
}

// limitsInForce says which limits are set, and by what they are held.
func (t *tools) limitsInForce() object {
	held := t.sessions.Held()
	words, means := object{}, held.Means()
	for _, k := range held.Set() {
		switch k {
		case session.LimitCPU:
			words[limitName(k)] = fmt.Sprintf("%g, held %s", held.CPU, means[k])
		default:
			_, value, _ := strings.Cut(limitWords(k, held.Bound(k)), "=")
			words[limitName(k)] = value + ", held " + means[k]
		}
	}
	return words
}
