package render

import (
	"bytes"
	"fmt"
	"regexp"
)

// maxWarnings bounds how many different warnings are remembered.
const maxWarnings = 256

// warningFilter leaves out warnings that stderr has shown already: the same
// file, line, kind and message ("x.py:3: UserWarning: …", perhaps more lines of the
// message, the source line). A loop repeats them by the thousand. It leaves out the
// frames of IPython and the launcher too, where a traceback is written to stderr.
type warningFilter struct {
	seen     map[string][]string // first line → those below it, the source line last; none when not known
	repeated int
	first    string   // a new warning, whose other lines may come next
	below    []string // of it, so far
	source   string   // of a repeated warning of one line, left out if it comes next
	held     []string // of a repeated warning of more lines, as long as they are the same …
	expected []string // … and those that must follow
	own      kernelFrames
	inLine   bool // the text before ended within a line
	buffer   []byte
}

// filter returns text without repeated warnings. The result is valid until
// the next call.
func (f *warningFilter) filter(text []byte) []byte {
	idle := f.first == "" && f.source == "" && len(f.held) == 0 && f.own == (kernelFrames{})
	if idle && !bytes.Contains(text, []byte("Warning: ")) && !hasKernelFrame(text) {
		f.inLine = len(text) > 0 && text[len(text)-1] != '\n'
		return text
	}
	f.buffer = f.buffer[:0]
	for line := range bytes.Lines(text) {
		whole := !f.inLine && line[len(line)-1] == '\n'
		f.inLine = line[len(line)-1] != '\n'
		if whole && (f.own.leavesOut(line) || f.isKnown(line)) {
			continue
		}
		f.letGo()
		if whole && isWarning(line) {
			if !f.repeats(line) {
				f.buffer = append(f.buffer, line...)
			}
			continue
		}
		f.learn(line, whole)
		f.buffer = append(f.buffer, line...)
	}
	return f.buffer
}

// Bounds on a warning that is remembered: bytes of a line, and lines.
const (
	maxWarning      = 4096
	maxWarningLines = 16
)

// isKnown tells the lines below a repeated warning, which are left out.
func (f *warningFilter) isKnown(line []byte) bool {
	if f.source != "" && f.source == string(line) {
		f.source = ""
		return true
	}
	if len(f.expected) == 0 || f.expected[0] != string(line) {
		return false
	}
	f.held, f.expected = append(f.held, f.expected[0]), f.expected[1:]
	if len(f.expected) == 0 {
		f.repeated++
		f.held = nil
	}
	return true
}

// letGo shows what is held back: a warning whose message is another after all.
func (f *warningFilter) letGo() {
	for _, line := range f.held {
		f.buffer = append(f.buffer, line...)
	}
	f.source, f.held, f.expected = "", nil, nil
}

// rest returns what is held back, when nothing follows.
func (f *warningFilter) rest() []byte {
	f.buffer = f.buffer[:0]
	f.letGo()
	return f.buffer
}

// repeats notes a warning, and reports whether it was shown before.
func (f *warningFilter) repeats(line []byte) bool {
	f.first, f.below = "", nil
	below, found := f.seen[string(line)]
	switch {
	case found && len(below) > 1:
		f.held, f.expected = []string{string(line)}, below
		return true
	case found:
		f.repeated++
		if len(below) == 1 {
			f.source = below[0]
		}
		return true
	}
	if f.seen == nil {
		f.seen = map[string][]string{}
	}
	if len(f.seen) < maxWarnings && len(line) < maxWarning {
		f.seen[string(line)] = nil
		if line[0] != '<' { // <string>:1: has no source
			f.first = string(line)
		}
	}
	return false
}

// learn notes a line below a new warning. The source line ends it, which begins with
// two blanks; without one nothing tells where its message ends.
func (f *warningFilter) learn(line []byte, whole bool) {
	if f.first == "" {
		return
	}
	if !whole || len(line) >= maxWarning || len(f.below) >= maxWarningLines {
		f.first, f.below = "", nil
		return
	}
	f.below = append(f.below, string(line))
	if bytes.HasPrefix(line, []byte("  ")) && len(line) > 3 && line[2] != ' ' {
		f.seen[f.first] = f.below
		f.first, f.below = "", nil
	}
}

// kernelFrames finds the frames of IPython and the launcher in a traceback that Python
// itself wrote, as it does for an exception group or at exit.
type kernelFrames struct {
	margin string // before its source
	source bool   // which may come next
	marks  bool   // or the marks below it
}

// hasKernelFrame tells whether there may be such a frame in text.
func hasKernelFrame(text []byte) bool { return kernelFrame.Match(text) }

// leavesOut tells the lines of such a frame: the first, the source, the marks below
// it.
func (f *kernelFrames) leavesOut(line []byte) bool {
	if m := kernelFrame.FindSubmatch(line); m != nil {
		*f = kernelFrames{margin: string(m[1]) + "    ", source: true, marks: true}
		return true
	}
	was := *f
	*f = kernelFrames{}
	below, found := bytes.CutPrefix(line, []byte(was.margin))
	words := bytes.TrimSpace(below)
	if !was.marks || !found || len(words) == 0 {
		return false
	}
	if len(bytes.Trim(words, " ^~")) == 0 {
		return true
	}
	f.margin, f.marks = was.margin, was.source && below[0] != ' '
	return f.marks
}

var kernelFrame = regexp.MustCompile(`(?m)^([ |]*)  File "[^"\n]*(?:/(?:IPython/core|ipykernel|mce_launch)/[^"/\n]+|/launch/launch\.py)", line \d+`)

// isWarning tells the first line of what warnings.formatwarning writes:
// file:line: CategoryWarning: message.
func isWarning(line []byte) bool {
	before, _, found := bytes.Cut(line, []byte("Warning: "))
	if !found {
		return false
	}
	colon := bytes.LastIndex(before, []byte(": "))
	if colon < 1 || bytes.ContainsAny(before[colon+2:], " \t") {
		return false
	}
	return before[colon-1] >= '0' && before[colon-1] <= '9'
}

// summary is a line of ours about what was left out, or empty.
func (f *warningFilter) summary() string {
	if f.repeated == 0 {
		return ""
	}
	return fmt.Sprintf("[repeated warnings left out: %s; same file, line and message as shown]", grouped(int64(f.repeated)))
}
