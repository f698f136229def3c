package render

import (
	"bytes"
	"fmt"
)

// maxWarnings bounds how many different warnings are remembered.
const maxWarnings = 256

// warningFilter leaves out warnings that stderr has shown already: the same
// file, line, kind and message ("x.py:3: UserWarning: …" and the source line
// after it). A loop repeats them by the thousand. It leaves out IPython's own
// frame too, where a traceback is written to stderr.
type warningFilter struct {
	seen     map[string]string // warning → the source line below it, "" for none
	repeated int
	first    string // a new warning, whose source line may come next
	source   string // of a repeated warning, left out if it comes next
	inFrame  bool   // the lines after a frame of IPython's are its source
	inLine   bool   // the text before ended within a line
	buffer   []byte
}

// filter returns text without repeated warnings. The result is valid until
// the next call.
func (f *warningFilter) filter(text []byte) []byte {
	if f.first == "" && f.source == "" && !f.inFrame && !bytes.Contains(text, []byte("Warning: ")) && !bytes.Contains(text, []byte(ownFrame)) {
		f.inLine = len(text) > 0 && text[len(text)-1] != '\n'
		return text
	}
	f.buffer = f.buffer[:0]
	for line := range bytes.Lines(text) {
		whole := !f.inLine && line[len(line)-1] == '\n'
		f.inLine = line[len(line)-1] != '\n'
		switch {
		case whole && bytes.Contains(line, []byte(ownFrame)):
			f.inFrame = true
			continue
		case whole && f.inFrame && ownSource(line):
			continue
		case whole && f.source != "" && f.source == string(line):
			f.source = ""
			continue
		case whole && f.first != "" && bytes.HasPrefix(line, []byte("  ")) && len(line) < maxWarning:
			f.seen[f.first] = string(line)
		case whole && isWarning(line):
			if f.repeats(line) {
				continue
			}
			f.inFrame = false
			f.buffer = append(f.buffer, line...)
			continue
		}
		f.first, f.source, f.inFrame = "", "", false
		f.buffer = append(f.buffer, line...)
	}
	return f.buffer
}

// maxWarning bounds the lines of a warning that is remembered, in bytes.
const maxWarning = 4096

// repeats notes a warning, and reports whether it was shown before.
func (f *warningFilter) repeats(line []byte) bool {
	f.first, f.source = "", ""
	source, found := f.seen[string(line)]
	if found {
		f.repeated++
		f.source = source
		return true
	}
	if f.seen == nil {
		f.seen = map[string]string{}
	}
	if len(f.seen) < maxWarnings && len(line) < maxWarning {
		f.seen[string(line)] = ""
		if line[0] != '<' { // <string>:1: has no source
			f.first = string(line)
		}
	}
	return false
}

// ownFrame is in the first line of IPython's frame in a traceback that Python
// itself wrote, as it does for an exception group.
const ownFrame = `/IPython/core/interactiveshell.py", line `

// ownSource tells the source line of that frame and the marks below it.
func ownSource(line []byte) bool {
	line = bytes.Trim(line, " |\n")
	return bytes.Contains(line, []byte("(code_obj, self.user_global_ns")) || len(line) > 0 && len(bytes.Trim(line, "^~")) == 0
}

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
