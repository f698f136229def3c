package mcp

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// TestRecordFaultWords: what keeps a kernel's runs from being recorded is told with what helps.
func TestRecordFaultWords(t *testing.T) {
	for _, c := range []struct {
		err        error
		want, miss string
	}{
		{fmt.Errorf("record is kept in memory: %w", session.ErrRecordRemoved), "has been removed from the disk (/state/records/x), and is not written any more", "written when there is some"},
		{fmt.Errorf("record is kept in memory: %w", syscall.ENOSPC), "written when there is some", "stop_session"},
		{errors.New("record is kept in memory: input/output error"), "When the cause is gone, stop_session with restart: true", "removed"},
	} {
		lines := strings.Join(stateLines(session.Report{State: session.StateFinished, RecordErr: c.err, RecordDir: "/state/records/x"}), "\n")
		if !strings.Contains(lines, c.want) || strings.Contains(lines, c.miss) || strings.Contains(lines, "this run") {
			t.Errorf("%q is missing, or %q is not, in\n%s", c.want, c.miss, lines)
		}
	}
	again := session.Report{State: session.StateFinished, RecordErr: syscall.ENOSPC, RecordErrTold: true}
	if lines := strings.Join(stateLines(again), "\n"); lines != "[warning: the record of this kernel's runs still cannot be written]" {
		t.Errorf("%s", lines)
	}
}

// TestOutOfReach: of a kernel that cannot be reached any more nothing is said to be lost.
func TestOutOfReach(t *testing.T) {
	exit := &session.Exit{Reason: "the connection is lost", MayRun: "1234"}
	for _, outcome := range []session.Outcome{session.OutcomeDied, session.OutcomeNotRun} {
		text := strings.Join(finishedLines(session.Report{Outcome: outcome, Exit: exit}), "\n")
		if !strings.Contains(text, "kernel_id=1234 goes back to the kernel, with its variables") || strings.Contains(text, "are gone") {
			t.Errorf("%s: %s", outcome, text)
		}
	}
}
