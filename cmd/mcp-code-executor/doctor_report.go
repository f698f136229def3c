package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Verdicts of a step.
const (
	stepOK   = "ok"
	stepWarn = "warn" // works, but not as the user may think
	stepFail = "fail"
	stepSkip = "skip" // could not be tried
)

// finding is what one step of an examination found.
type finding struct {
	Step    string `json:"step"`
	Verdict string `json:"verdict"`
	Found   string `json:"found,omitempty"` // of ok and skip
	Cause   string `json:"cause,omitempty"` // of warn and fail
	Mend    string `json:"mend,omitempty"`  // a command, or what to do
	Millis  int64  `json:"milliseconds"`
}

// findings are a whole examination.
type findings struct {
	Version string    `json:"version"`
	OK      bool      `json:"ok"`
	Seconds float64   `json:"seconds"`
	Steps   []finding `json:"steps"`

	begun, last time.Time
	print       func(string) // nil prints nothing while it goes on
}

func (f *findings) begin() {
	f.last = f.begun
	if f.print != nil {
		f.print(f.Version + "\n")
	}
}

func (f *findings) ok(step, format string, args ...any) {
	f.add(finding{Step: step, Verdict: stepOK, Found: fmt.Sprintf(format, args...)})
}

func (f *findings) skip(step, why string) {
	f.add(finding{Step: step, Verdict: stepSkip, Found: why})
}

func (f *findings) warn(step, cause, mend string) {
	f.add(finding{Step: step, Verdict: stepWarn, Cause: cause, Mend: mend})
}

// fail adds a failure; its words come from the error, and from m where the
// caller knows better.
func (f *findings) fail(step string, err error, m mend) {
	cause, command := explainFailure(err)
	if m.cause != "" {
		cause = m.cause
	}
	if m.command != "" {
		command = m.command
	}
	f.add(finding{Step: step, Verdict: stepFail, Cause: cause, Mend: command})
}

func (f *findings) add(n finding) {
	now := time.Now()
	n.Millis = now.Sub(f.last).Milliseconds()
	f.last = now
	f.Steps = append(f.Steps, n)
	if f.print != nil {
		f.print(n.text())
	}
}

// text is the finding as a person reads it.
func (n finding) text() string {
	const indent = "\n                   "
	mark := n.Verdict
	if mark == stepFail {
		mark = "FAIL"
	}
	what := n.Found + n.Cause
	var b strings.Builder
	fmt.Fprintf(&b, "%-4s  %-11s  %s\n", mark, n.Step, strings.ReplaceAll(strings.TrimRight(what, "\n"), "\n", indent))
	if n.Mend != "" {
		fmt.Fprintf(&b, "%-4s  %-11s  mend: %s\n", "", "", strings.ReplaceAll(n.Mend, "\n", indent))
	}
	return b.String()
}

// end sums up and returns the exit status.
func (f *findings) end(asJSON bool, w io.Writer) int {
	count := map[string]int{}
	for _, n := range f.Steps {
		count[n.Verdict]++
	}
	f.OK = count[stepFail] == 0
	f.Seconds = float64(time.Since(f.begun).Milliseconds()) / 1000
	switch {
	case asJSON:
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		encoder.Encode(f) // a closed stdout has no reader to tell
	case f.print != nil:
		verdict := "all works"
		if !f.OK {
			verdict = fmt.Sprintf("%d failed", count[stepFail])
		}
		f.print(fmt.Sprintf("%s; %d warnings, %.1f s\n", verdict, count[stepWarn], f.Seconds))
	}
	if !f.OK {
		return 1
	}
	return 0
}
