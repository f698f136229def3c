package pyenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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

// output runs argv with vars in the empty directory and returns its stdout and
// the end of its stderr. The error of a program that failed is an
// *exec.ExitError, possibly wrapped.
func (f *Finder) output(ctx context.Context, vars []string, argv ...string) (stdout []byte, stderr string, err error) {
	out, tail := &tailBuffer{max: maxOutput}, &tailBuffer{max: maxTail}
	err = f.start(ctx, vars, out, tail, argv)
	return out.buf, tail.String(), err
}

// stream runs argv as output does, gives each line of its stdout and stderr to
// line (which may be nil) as it comes, and returns the end of both.
func (f *Finder) stream(ctx context.Context, vars []string, line func(string), argv ...string) (tail string, err error) {
	w := &lineWriter{line: line, tail: tailBuffer{max: maxTail}}
	// The same writer twice: exec then uses one pipe and one goroutine, so lines do not mix.
	err = f.start(ctx, vars, w, w, argv)
	w.flush()
	return w.tail.String(), err
}

func (f *Finder) start(ctx context.Context, vars []string, stdout, stderr interface{ Write([]byte) (int, error) }, argv []string) error {
	dir, err := f.workDir()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Dir: dir, Env: vars, Stdout: stdout, Stderr: stderr, WaitDelay: waitDelay}
	if !filepath.IsAbs(argv[0]) {
		return fmt.Errorf("starting %q: the path is not absolute", argv[0])
	}
	f.log().Debug("running a helper", "program", argv[0]) // arguments may hold an index's password
	runner := f.Runner
	if runner == nil {
		runner = directRunner{}
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

// directRunner is the Runner of a Finder that was given none.
type directRunner struct{}

// Run starts cmd in a process group of its own and kills the group when ctx is done.
func (directRunner) Run(ctx context.Context, cmd *exec.Cmd) error {
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
func (f *Finder) workDir() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.work != "" {
		if entries, err := os.ReadDir(f.work); err == nil && len(entries) == 0 {
			return f.work, nil
		}
		f.work = ""
	}
	if f.DataDir != "" {
		dir := filepath.Join(f.DataDir, "empty")
		if os.MkdirAll(dir, 0o700) == nil {
			if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
				f.work = dir
				return dir, nil
			}
		}
	}
	dir, err := os.MkdirTemp("", "mce-empty-")
	if err != nil {
		return "", fmt.Errorf("making a directory for helper programs: %w", err)
	}
	f.work = dir
	return dir, nil
}

// lookup returns the first executable of that name in dirs. Shims of pyenv are
// passed over: they fail for what is not in the selected version.
func lookup(name string, dirs []string) string {
	for _, dir := range dirs {
		if filepath.Base(dir) == "shims" || !filepath.IsAbs(dir) {
			continue
		}
		if path := filepath.Join(dir, name+exeSuffix); executable(path) {
			return path
		}
	}
	return ""
}

func (f *Finder) pathDirs() []string { return filepath.SplitList(f.getenv("PATH")) }

func (f *Finder) getenv(name string) string {
	if f.deny().match(name) {
		return ""
	}
	if f.Getenv != nil {
		return f.Getenv(name)
	}
	value, _ := varsOf(f.environ()).get(name)
	return value
}

func (f *Finder) environ() []string {
	if f.Environ == nil {
		return nil
	}
	return f.deny().filter(f.Environ())
}

func (f *Finder) log() *slog.Logger {
	if f.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return f.Logger
}

// sys is a path of the operating system, below another root in tests.
func (f *Finder) sys(path string) string { return filepath.Join(f.sysroot, path) }

func binDir(prefix string) string { return filepath.Join(prefix, binName) }

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// executable reports whether path is a file that somebody may execute.
func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode().Perm()&0o111 != 0)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
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

// lastLines returns the last n lines of text that hold anything.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
