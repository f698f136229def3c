package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Verdicts of a step.
const (
	VerdictOK   = "ok"
	VerdictWarn = "warn" // works, but not as the user may think
	VerdictFail = "fail"
	VerdictSkip = "skip" // could not be tried
)

// Finding is what one step of an examination found.
type Finding struct {
	Step    string `json:"step"`
	Verdict string `json:"verdict"`
	Found   string `json:"found,omitempty"` // of ok and skip
	Cause   string `json:"cause,omitempty"` // of warn and fail
	Fix     string `json:"fix,omitempty"`   // a command, or what to do
	Millis  int64  `json:"milliseconds"`
}

// Report is a whole examination.
type Report struct {
	Version string    `json:"version"`
	OK      bool      `json:"ok"`
	Seconds float64   `json:"seconds"`
	Steps   []Finding `json:"steps"`

	begun, last time.Time
	print       func(string) // nil prints nothing while it goes on
}

func (f *Report) begin() {
	f.last = f.begun
	if f.print != nil {
		f.print(f.Version + "\n")
	}
}

func (f *Report) ok(step, format string, args ...any) {
	f.add(Finding{Step: step, Verdict: VerdictOK, Found: fmt.Sprintf(format, args...)})
}

func (f *Report) skip(step, why string) {
	f.add(Finding{Step: step, Verdict: VerdictSkip, Found: why})
}

func (f *Report) warn(step, cause, fix string) {
	f.add(Finding{Step: step, Verdict: VerdictWarn, Cause: cause, Fix: fix})
}

// fail adds a failure; its words come from the error, and from m where the
// caller knows better.
func (f *Report) fail(step string, err error, m advice) {
	cause, command := explainFailure(err)
	if m.cause != "" {
		cause = m.cause
	}
	if m.command != "" {
		command = m.command
	}
	f.add(Finding{Step: step, Verdict: VerdictFail, Cause: cause, Fix: command})
}

func (f *Report) add(n Finding) {
	now := time.Now()
	n.Millis = now.Sub(f.last).Milliseconds()
	f.last = now
	f.Steps = append(f.Steps, n)
	if f.print != nil {
		f.print(n.text())
	}
}

// text is the finding as a person reads it.
func (n Finding) text() string {
	const indent = "\n                   "
	mark := n.Verdict
	if mark == VerdictFail {
		mark = "FAIL"
	}
	what := n.Found + n.Cause
	var b strings.Builder
	fmt.Fprintf(&b, "%-4s  %-11s  %s\n", mark, n.Step, strings.ReplaceAll(strings.TrimRight(what, "\n"), "\n", indent))
	if n.Fix != "" {
		fmt.Fprintf(&b, "%-4s  %-11s  fix: %s\n", "", "", strings.ReplaceAll(n.Fix, "\n", indent))
	}
	return b.String()
}

// end sums up and returns the exit status.
func (f *Report) end(asJSON bool, w io.Writer) int {
	count := map[string]int{}
	for _, n := range f.Steps {
		count[n.Verdict]++
	}
	f.OK = count[VerdictFail] == 0
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
			verdict = fmt.Sprintf("%d failed", count[VerdictFail])
		}
		warnings := fmt.Sprintf("%d warnings", count[VerdictWarn])
		if count[VerdictWarn] == 1 {
			warnings = "1 warning"
		}
		f.print(fmt.Sprintf("%s; %s, %.1f s\n", verdict, warnings, f.Seconds))
	}
	if !f.OK {
		return 1
	}
	return 0
}
