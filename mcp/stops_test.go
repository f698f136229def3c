package mcp

import (
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// TestKeptAfterStop: what a stopped run leaves behind is told as it is.
func TestKeptAfterStop(t *testing.T) {
	limit := []session.Stop{{By: session.ByLimit, Limit: time.Second, After: time.Second}}
	inQueue := []session.Stop{{By: session.ByCall, After: time.Second, Waiting: true}}
	missed := []session.Stop{{By: session.ByCall, After: time.Second, Waiting: true, Missed: true}}
	left := []session.Stop{{By: session.BySession, After: time.Second}}
	leftInQueue := []session.Stop{{By: session.BySession, After: time.Second, Waiting: true}}
	for _, c := range []struct {
		name       string
		report     session.Report
		want, miss string
	}{
		{"in the session", session.Report{Outcome: session.OutcomeInterrupted, Stops: limit}, "the session's variables are kept", "are gone"},
		{"fresh", session.Report{Outcome: session.OutcomeInterrupted, Stops: limit, Fresh: true}, "a kernel of its own (fresh)", "kept"},
		{"fresh, an error", session.Report{Outcome: session.OutcomeError, Stops: limit, Fresh: true}, "a kernel of its own (fresh)", "kept"},
		{"the kernel ended", session.Report{Outcome: session.OutcomeInterrupted, Stops: []session.Stop{{By: session.ByForce}}}, "the session's variables and imports are gone", "kept"},
		{"of a queue", session.Report{Outcome: session.OutcomeInterrupted, Stops: inQueue}, "so its work may be done, or done in part; the session's variables are kept", "ignored"},
		{"missed", session.Report{Outcome: session.OutcomeOK, Stops: missed}, "[note: NOT interrupted: interrupt_execution came after 1.00 s, before the code had begun, which then ended", "[interrupted"},
		{"missed, an error", session.Report{Outcome: session.OutcomeError, Stops: missed}, "[note: NOT interrupted", "may come from that"},
		{"left", session.Report{Outcome: session.OutcomeDied, Joined: true, Stops: left}, "goes on with its variables. This code was sent an interrupt; whether it has ended is not known", "gone"},
		{"left in its queue", session.Report{Outcome: session.OutcomeDied, Joined: true, Stops: leftInQueue}, "so it runs after that, and nobody is told", "gone"},
		{"left, told", session.Report{Outcome: session.OutcomeDied, Joined: true, Stops: left}, "[note: stop_session left its kernel after 1.00 s]", "ended its kernel"},
		{"died", session.Report{Outcome: session.OutcomeDied}, "the next execute_code starts a new kernel", "fresh"},
		{"fresh, died", session.Report{Outcome: session.OutcomeDied, Fresh: true}, "not the session's", "starts a new kernel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.report.State = session.StateFinished
			got := strings.Join(finishedLines(c.report), "\n")
			if !strings.Contains(got, c.want) || strings.Contains(got, c.miss) {
				t.Errorf("%q is missing, or %q is not, in\n%s", c.want, c.miss, got)
			}
		})
	}
}

// TestFreshRunning: what is said of a run with a kernel of its own is true of it: it
// is reached by its id alone, and the session loses nothing with it.
func TestFreshRunning(t *testing.T) {
	limit := []session.Stop{{By: session.ByLimit, Limit: time.Second, After: time.Second}}
	for _, c := range []struct {
		name       string
		report     session.Report
		want, miss string
	}{
		{"running", session.Report{State: session.StateRunning}, "interrupt_execution stops it", "interrupt_execution id="},
		{"fresh, running", session.Report{State: session.StateRunning, Fresh: true}, "interrupt_execution id=x-1 stops it", "interrupt_execution stops"},
		{"struck", session.Report{State: session.StateRunning, Stops: limit}, "the session's variables are lost", "fresh"},
		{"fresh, struck", session.Report{State: session.StateRunning, Stops: limit, Fresh: true}, "this run's own (fresh): the session is not touched", "variables"},
		{"asks", session.Report{State: session.StateWaiting, Prompt: "name?"}, "interrupt_execution gives up", "interrupt_execution id="},
		{"fresh, asks", session.Report{State: session.StateWaiting, Prompt: "name?", Fresh: true}, "interrupt_execution id=x-1 gives up", "interrupt_execution gives up"},
		{"fresh, asks for a password", session.Report{State: session.StateWaiting, Password: true, Fresh: true}, "interrupt_execution id=x-1 gives up", "interrupt_execution gives up"},
		{"queued, and next", session.Report{State: session.StateQueued}, "[queued: this code is next, and runs by itself: do not send it again; get_execution id=x-1 shows it", "behind"},
	} {
		c.report.ID = "x-1"
		got := strings.Join(stateLines(c.report), "\n")
		if !strings.Contains(got, c.want) || strings.Contains(got, c.miss) {
			t.Errorf("%s: %q is missing, or %q is not, in\n%s", c.name, c.want, c.miss, got)
		}
	}
}

// TestInterruptsTold: that an interrupt worked is said only of a run that it has ended,
// and many of them take no more words than two.
func TestInterruptsTold(t *testing.T) {
	once := session.Stop{By: session.ByCall, After: 2 * time.Second}
	often := session.Stop{By: session.ByCall, After: 2 * time.Second, Again: 7, Last: 343 * time.Second}
	waiting := session.Stop{By: session.ByCall, After: 2 * time.Second, Waiting: true}
	running, queued := session.Report{State: session.StateRunning}, session.Report{State: session.StateQueued}
	interrupted := session.Report{State: session.StateFinished, Outcome: session.OutcomeInterrupted}
	died := session.Report{State: session.StateFinished, Outcome: session.OutcomeDied}
	cancelled := session.Report{State: session.StateFinished, Outcome: session.OutcomeCancelled}
	for _, c := range []struct {
		report session.Report
		stop   session.Stop
		want   string
	}{
		{running, once, "interrupt_execution sent it an interrupt after 2.00 s"},
		{running, often, "interrupt_execution sent it an interrupt 8 times, first after 2.00 s, last after 343.0 s"},
		{running, session.Stop{By: session.ByCancel, After: time.Second}, "the client cancelled its call after 1.00 s, which sent it an interrupt"},
		{running, session.Stop{By: session.ByRefusal, After: time.Second}, "its question was declined after 1.00 s, which sent it an interrupt"},
		{running, session.Stop{By: session.ByCancel, After: time.Second, Called: 4 * time.Second}, "the client cancelled its call after 4.00 s, which sent it an interrupt"},
		{cancelled, once, "interrupt_execution took it out of the queue after 2.00 s"},
		{cancelled, session.Stop{By: session.ByCancel, After: time.Second}, "the client cancelled its call after 1.00 s, which took it out of the queue"},
		{interrupted, once, "interrupt_execution interrupted it after 2.00 s"},
		{interrupted, often, "interrupt_execution interrupted it after 343.0 s, the last of 8 times"},
		{queued, waiting, "interrupt_execution came after 2.00 s, and the code is interrupted when it begins"},
		{queued, session.Stop{By: session.ByCancel, Called: time.Second, Reason: "stop", Waiting: true}, `the client cancelled its call after 1.00 s ("stop"), and the code is interrupted when it begins`},
		{queued, session.Stop{By: session.ByLimit, Limit: time.Second, Waiting: true}, "its limit timeout_seconds=1 struck, and the code is interrupted when it begins"},
		{interrupted, waiting, "interrupt_execution came after 2.00 s, before the code had begun, so it was interrupted when it began"},
		{died, waiting, "interrupt_execution came after 2.00 s, before the code had begun"},
		{died, once, "interrupt_execution sent it an interrupt after 2.00 s"},
	} {
		c.report.Stops = []session.Stop{c.stop}
		if got := struckWords(c.report); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.report.State, c.report.Outcome, got, c.want)
		}
	}
}

// TestClockTold: the client's own limit is told as long as its call took, with what to do
// while there is something to do.
func TestClockTold(t *testing.T) {
	stop := session.Stop{By: session.ByClock, After: time.Second, Called: 5 * time.Second, Guessed: true}
	r := session.Report{State: session.StateRunning, Stops: []session.Stop{stop}}
	const words = "the client stopped waiting for it after 5.00 s, which did not interrupt it; that was taken for the client's own time limit"
	if got := clockWords(r); got != words+": if a person wanted it stopped, call interrupt_execution" {
		t.Errorf("%q", got)
	}
	r.State, r.Outcome = session.StateFinished, session.OutcomeOK
	if got := clockWords(r); got != words {
		t.Errorf("ended: %q", got)
	}
}

// TestProgressOfNotebook: progress names the cell before what it printed last.
func TestProgressOfNotebook(t *testing.T) {
	p := session.Progress{State: session.StateRunning, Elapsed: 2 * time.Second, LastLine: "epoch 3", Cell: 7, Cells: 31}
	if got := progressWords(p); got != "2.00 s | cell 7 of 31 | epoch 3" {
		t.Errorf("%q", got)
	}
}
