package render

import (
	"bytes"
	"strings"
)

// faultFilter shortens what faulthandler writes, after a crash or when it is
// asked: the stack of each thread, the innermost frame first. It leaves out the
// frames below the user's code, which are the kernel's, and the threads that are
// nothing but the kernel's: without it they are some 60 of 70 lines.
type faultFilter struct {
	stack   bool   // within the stack of a thread
	held    []byte // what is shown of it, perhaps
	current bool   // it is not another thread's
	kernels bool   // a frame of the kernel's has come
	users   bool   // a frame that is neither a library's nor the kernel's
	skipped bool   // the stack before is not shown, nor the blank line after it
	inLine  bool   // the text before ended within a line
	buffer  []byte
}

// stackHeader ends the first line of each stack; Python's own tracebacks have
// "most recent call last".
const stackHeader = " (most recent call first):\n"

// filter returns text without what is not shown. The result is valid until the
// next call.
func (f *faultFilter) filter(text []byte) []byte {
	if !f.stack && !f.skipped && !bytes.Contains(text, []byte(stackHeader)) {
		f.inLine = len(text) > 0 && text[len(text)-1] != '\n'
		return text
	}
	f.buffer = f.buffer[:0]
	for line := range bytes.Lines(text) {
		whole := !f.inLine && line[len(line)-1] == '\n'
		f.inLine = line[len(line)-1] != '\n'
		switch {
		case whole && bytes.HasSuffix(line, []byte(stackHeader)):
			f.end()
			f.skipped = false
			f.stack, f.current = true, !bytes.HasPrefix(line, []byte("Thread "))
			f.held = append(f.held, line...)
			continue
		case whole && f.stack && bytes.HasPrefix(line, []byte("  ")):
			f.frame(line)
			continue
		}
		f.end()
		if f.skipped && whole && len(line) == 1 {
			f.skipped = false
			continue
		}
		f.skipped = false
		f.buffer = append(f.buffer, line...)
	}
	return f.buffer
}

// frame is a line of a stack. What is older than the kernel's first frame is the
// kernel's too.
func (f *faultFilter) frame(line []byte) {
	header := strings.TrimSpace(string(line))
	if f.kernels = f.kernels || hidden(header); f.kernels {
		return
	}
	f.users = f.users || !library(header)
	f.held = append(f.held, line...)
}

// end puts the stack, if it is to be shown, into the buffer.
func (f *faultFilter) end() {
	if !f.stack {
		return
	}
	if f.skipped = f.kernels && !f.users && !f.current; !f.skipped {
		f.buffer = append(f.buffer, f.held...)
	}
	f.stack, f.kernels, f.users, f.held = false, false, false, f.held[:0]
}

// rest returns what is held back, when nothing follows.
func (f *faultFilter) rest() []byte {
	f.buffer = f.buffer[:0]
	f.end()
	return f.buffer
}

// FaultDump returns what Python wrote when it died in text, from its first line
// on and without the kernel's own frames, and false if there is no such dump.
func FaultDump(text string) (string, bool) {
	at := strings.Index(text, "Fatal Python error: ")
	if at < 0 {
		return "", false
	}
	var f faultFilter
	shown := string(f.filter([]byte(text[at:])))
	return shown + string(f.rest()), true
}
