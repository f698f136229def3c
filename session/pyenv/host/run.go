package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxTail is how much of a helper's output is kept for an error: its end.
const maxTail = 64 << 10

// maxOutput bounds what is kept of an answer that is parsed.
const maxOutput = 16 << 20

// waitDelay is how long after a helper's end its pipes may stay open: a daemon it
// left behind must not hold us.
const waitDelay = 2 * time.Second

// Runner runs a helper program to its end, as exec.Cmd.Run does, and ends it
// with its children when ctx is done. The server has one, so that it owns each
// process it starts.
type Runner interface {
	Run(ctx context.Context, cmd *exec.Cmd) error
}

// Changed is a variable of programs that a Looker has started with other variables than it
// was given: the names of these, each followed by a comma.
const Changed = "MCE_CHANGED"

// Output runs argv, which changes nothing, with vars in the empty directory and returns its stdout and
// the end of its stderr. The error of a program that failed is an
// *exec.ExitError, possibly wrapped.
func (h *Host) Output(ctx context.Context, vars []string, argv ...string) (stdout []byte, stderr string, err error) {
	out, tail := &tailBuffer{max: maxOutput}, &tailBuffer{max: maxTail}
	err = h.start(ctx, cmp.Or(h.Looker, h.Runner), vars, out, tail, argv)
	return out.buf, tail.String(), err
}

// Stream runs argv, which may download and change, as Output does, gives each line of its stdout and stderr to
// line (which may be nil) as it comes, and returns the end of both.
func (h *Host) Stream(ctx context.Context, vars []string, line func(string), argv ...string) (tail string, err error) {
	w := &lineWriter{line: line, tail: tailBuffer{max: maxTail}}
	// The same writer twice: exec then uses one pipe and one goroutine, so lines do not mix.
	err = h.start(ctx, h.Runner, vars, w, w, argv)
	w.flush()
	return w.tail.String(), err
}

func (h *Host) start(ctx context.Context, runner Runner, vars []string, stdout, stderr interface{ Write([]byte) (int, error) }, argv []string) error {
	dir, err := h.workDir()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Dir: dir, Env: vars, Stdout: stdout, Stderr: stderr, WaitDelay: waitDelay}
	if !filepath.IsAbs(argv[0]) {
		return fmt.Errorf("starting %q: the path is not absolute", argv[0])
	}
	h.Log().Debug("running a helper", "program", argv[0]) // arguments may hold an index's password
	if runner == nil {
		runner = DirectRunner{}
	}
	err = runner.Run(ctx, cmd)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return cause
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it succeeded; something it left behind held the pipe
	}
	return err
}

// NotStarted reports whether err is a Runner's, which was not allowed to start what it
// was given: it says why, and no other program would do better.
func NotStarted(err error) bool {
	var refusal interface{ NotStarted() bool }
	return errors.As(err, &refusal) && refusal.NotStarted()
}

// DirectRunner is the Runner of a Finder that was given none.
type DirectRunner struct{}

// Run starts cmd in a process group of its own and kills the group when ctx is done.
func (DirectRunner) Run(ctx context.Context, cmd *exec.Cmd) error {
	setGroup(cmd)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { killGroup(cmd.Process) })
	defer stop()
	return cmd.Wait()
}

// workDir returns the empty private directory helpers run in.
func (h *Host) workDir() (string, error) {
	if h.parent != nil {
		return h.parent.workDir()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.work != "" {
		if entries, err := os.ReadDir(h.work); err == nil && len(entries) == 0 {
			return h.work, nil
		}
		h.work = ""
	}
	if h.DataDir != "" {
		dir := filepath.Join(h.DataDir, "empty")
		if os.MkdirAll(dir, 0o700) == nil {
			if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
				h.work = dir
				return dir, nil
			}
		}
	}
	dir, err := os.MkdirTemp("", "mce-empty-")
	for _, place := range []string{"/tmp", "/dev/shm"} { // a sandbox may name a TMPDIR that is not there
		if err == nil {
			break
		}
		if there, other := os.MkdirTemp(place, "mce-empty-"); other == nil {
			dir, err = there, nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("making a directory for helper programs: %w", err)
	}
	h.work, h.made = dir, append(h.made, dir)
	return dir, nil
}

// tailBuffer keeps the last max bytes written to it.
type tailBuffer struct {
	max int
	buf []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > t.max {
		p = p[len(p)-t.max:]
	}
	if over := len(t.buf) + len(p) - t.max; over > 0 {
		t.buf = t.buf[:copy(t.buf, t.buf[over:])]
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

func (t *tailBuffer) String() string { return strings.ToValidUTF8(string(t.buf), "\uFFFD") }

// lineWriter cuts what is written into lines; "\r" ends one too (progress bars).
type lineWriter struct {
	line func(string)
	tail tailBuffer
	part []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.tail.Write(p)
	if w.line == nil {
		return len(p), nil
	}
	w.part = append(w.part, p...)
	for {
		i := bytes.IndexAny(w.part, "\r\n")
		if i < 0 {
			break
		}
		w.emit(w.part[:i])
		w.part = w.part[i+1:]
	}
	if len(w.part) > maxTail {
		w.flush()
	}
	return len(p), nil
}

func (w *lineWriter) flush() {
	if w.line != nil {
		w.emit(w.part)
	}
	w.part = nil
}

func (w *lineWriter) emit(line []byte) {
	if text := strings.TrimSpace(strings.ToValidUTF8(string(line), "\uFFFD")); text != "" {
		w.line(text)
	}
}

// LastLines returns the last n lines of text that hold anything.
func LastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
