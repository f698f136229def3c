package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// RingSize is how much of the end of a kernel's log is kept, in bytes.
const RingSize = 64 << 10

// Commands the server sends, one byte each.
const (
	cmdInterrupt = 'i'
	cmdTerminate = 't'
	cmdKill      = 'k'
	cmdBegun     = 'b' // code is about to be sent
	cmdMark      = 'm'
)

const (
	// helperFlag makes a guard for [Reaper.Run].
	helperFlag = "-helper"
	// progressFlag precedes the path of Spec.Progress.
	progressFlag = "-progress"
	// limitsFlag precedes Spec.Limits.
	limitsFlag = "-limits"
	// checkFlag precedes what is tried in a sandbox, as JSON.
	checkFlag = "-check"
	// planFlag precedes the number of an open file with a plan, as JSON, that the guard
	// is to keep itself.
	planFlag = "-plan"
	// tryFlag precedes what is tried in a sandbox by a process that does nothing else.
	tryFlag = "-try"
)

// task is what a guard is told to do.
type task struct {
	argv     []string
	helper   bool
	progress string
	held     limits.Held
	check    *confine.Check  // of the sandbox that this process is in; nil for none
	plan     *confine.Plan   // that this process is to keep; nil for none
	thread   *confine.Thread // that starts the program; nil for this one
}

// readTask reads a guard's arguments.
func readTask(args []string) (t task, ok bool) {
	for len(args) > 1 && args[0] != "--" {
		value := args[1]
		switch args[0] {
		case helperFlag:
			t.helper, args = true, args[1:]
			continue
		case progressFlag:
			t.progress = value
		case limitsFlag:
			var err error
			if t.held, err = limits.ParseHeld(value); err != nil {
				fmt.Fprintln(os.Stderr, "guard:", err)
				return t, false
			}
		case checkFlag:
			t.check = new(confine.Check)
			if json.Unmarshal([]byte(value), t.check) != nil {
				return t, false
			}
		case planFlag:
			var err error
			if t.plan, err = readPlan(value); err != nil {
				fmt.Fprintln(os.Stderr, "guard:", err)
				return t, false
			}
		default:
			return t, false
		}
		args = args[2:]
	}
	if len(args) < 2 {
		return t, false
	}
	t.argv = args[1:]
	return t, true
}

// readPlan reads a plan from the open file with this number, and closes it.
func readPlan(number string) (*confine.Plan, error) {
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("no plan of a sandbox: file %q", number)
	}
	f := os.NewFile(uintptr(fd), "plan")
	defer f.Close()
	plan := new(confine.Plan)
	if err := json.NewDecoder(f).Decode(plan); err != nil {
		return nil, fmt.Errorf("reading the plan of a sandbox: %w", err)
	}
	return plan, nil
}

// Main is the guard process: it runs the program after the "--" of args, and
// returns the guard's own exit code once that program and everything it started
// is gone. The program is a path; PATH is not searched. Main takes the process's
// files and signals for itself, so it must be all that its process does.
func Main(args []string) int {
	if len(args) == 2 && args[0] == tryFlag {
		return try(args[1])
	}
	t, ok := readTask(args)
	if !ok {
		fmt.Fprintln(os.Stderr, "guard: no program to run; the server starts this command, not a person")
		return 2
	}
	os.Unsetenv(guardEnv)
	return run(t)
}

// readCommands gives each byte of r, and is closed at its end.
func readCommands(r io.Reader) <-chan byte {
	commands := make(chan byte)
	go func() {
		defer close(commands)
		var b [1]byte
		for {
			if n, err := r.Read(b[:]); n == 1 {
				commands <- b[0]
			} else if err != nil {
				return
			}
		}
	}()
	return commands
}

// Kinds of report about output.
const (
	reportText = "text"
	reportRest = "rest"
	reportMark = "mark\n"
	// reportLimit begins a line, see limitLine.
	reportLimit = "limit "
)

// reports tells the server what happens. Errors are of no use here: a server that
// does not read is a server that is gone. Its methods are safe for concurrent use.
type reports struct {
	mu sync.Mutex // one report at a time
	w  io.Writer
}

// start says that the kernel runs, or why it does not.
func (r *reports) start(pid int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		fmt.Fprintf(r.w, "started %d\n", pid)
		return
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		errno = syscall.EINVAL
	}
	fmt.Fprintf(r.w, "failed %d\n", int(errno))
}

// text hands on what the kernel's stdout or stderr brought.
func (r *reports) text(kind string, stream int, text []byte) {
	if len(text) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.w, "%s %d %d\n", kind, stream, len(text))
	r.w.Write(text)
}

// mark says that all output read so far is handed on.
func (r *reports) mark() {
	r.mu.Lock()
	defer r.mu.Unlock()
	io.WriteString(r.w, reportMark)
}

// exit says how the kernel ended.
func (r *reports) exit(code int, sig syscall.Signal, tail []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.w, "exit %d %d %d\n", code, int(sig), len(tail))
	r.w.Write(tail)
}

// withEnv is env with each of the settings put in place of what it had.
func withEnv(env []string, settings ...string) []string {
	env = slices.Clone(env)
	for _, s := range settings {
		name, _, _ := strings.Cut(s, "=")
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		env = append(env, s)
	}
	return env
}

// ring keeps the last RingSize bytes of what it reads. Its methods are safe
// for concurrent use.
type ring struct {
	mu   sync.Mutex // protects the fields below
	buf  [RingSize]byte
	pos  int
	full bool
}

// fill does one read into the ring and returns its result. The lock is held
// while it reads, so a byte that left the pipe is in the ring.
func (r *ring) fill(read func([]byte) (int, error)) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := read(r.buf[r.pos:])
	if n > 0 {
		r.pos += n
	}
	if r.pos == len(r.buf) {
		r.pos, r.full = 0, true
	}
	return n, err
}

// bytes is a copy of what the ring holds, oldest first.
func (r *ring) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.full {
		return slices.Clone(r.buf[:r.pos])
	}
	return slices.Concat(r.buf[r.pos:], r.buf[:r.pos])
}
