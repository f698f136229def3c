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
	for _, c := range []struct {
		name       string
		report     session.Report
		want, miss string
	}{
		{"in the session", session.Report{Outcome: session.OutcomeInterrupted, Stops: limit}, "the session's variables are kept", "are gone"},
		{"fresh", session.Report{Outcome: session.OutcomeInterrupted, Stops: limit, Fresh: true}, "a kernel of its own (fresh)", "kept"},
		{"fresh, an error", session.Report{Outcome: session.OutcomeError, Stops: limit, Fresh: true}, "a kernel of its own (fresh)", "kept"},
		{"the kernel ended", session.Report{Outcome: session.OutcomeInterrupted, Stops: []session.Stop{{By: session.ByForce}}}, "the session's variables and imports are gone", "kept"},
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
	} {
		c.report.ID = "x-1"
		got := strings.Join(stateLines(c.report), "\n")
		if !strings.Contains(got, c.want) || strings.Contains(got, c.miss) {
			t.Errorf("%s: %q is missing, or %q is not, in\n%s", c.name, c.want, c.miss, got)
		}
	}
}

// TestProgressOfNotebook: progress names the cell before what it printed last.
func TestProgressOfNotebook(t *testing.T) {
	p := session.Progress{State: session.StateRunning, Elapsed: 2 * time.Second, LastLine: "epoch 3", Cell: 7, Cells: 31}
	if got := progressWords(p); got != "2.00 s | cell 7 of 31 | epoch 3" {
		t.Errorf("%q", got)
	}
}
