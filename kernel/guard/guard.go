// Package guard runs a kernel under a small process of its own, the guard,
// which owns the kernel's whole process tree and outlives nothing.
//
// The guard is the server's binary executed again as
//
//	<exe> guard -- <python> <launch.py> args…
//
// from /proc/self/exe, or from the file as it was when the server started: an
// update must not give a running server a guard of another version. [Main] is that
// program. It starts the kernel, makes the pipes of its stdout and
// stderr and hands on what the kernel itself cannot read of them, drains its log
// into a ring of 64 KiB, passes on signals, reaps what the tree leaves behind,
// and reports how the kernel ended. It parses nothing the kernel says, so nothing
// the kernel says can break it. [Start] is the server's side: it runs a guard and
// gives a [Process].
//
// # Output
//
// The kernel inherits the reading ends of its own stdout and stderr ([Pipes]),
// reads them and shows what comes with its prints, in order. The guard holds the
// same ends and reads when the kernel cannot: what is left after its death, and
// while a pipe has been full for half a second and the kernel does not move. That
// is native code which prints more than a pipe holds while no other Python code
// may run: without a reader it would wait for ever. On Windows the guard alone
// reads, into the ring.
//
// Who dies, and what goes with it:
//
//   - The server, however it goes: the guard reads end of file on its command
//     pipe and kills every descendant until there is none.
//   - The guard: the kernel gets SIGKILL from the operating system
//     (PR_SET_PDEATHSIG); everything else is adopted by the server, which is a
//     subreaper, and killed by [Reaper.Sweep].
//   - The kernel: the guard reports how, and kills what the kernel left running.
//
// On Linux this holds for daemons that forked twice and for children in
// sessions of their own. Two limits: if server and guard are killed in the same
// instant the kernel dies and daemons it started survive, and a process of
// another user (sudo) cannot be killed by us. macOS has neither subreapers nor
// parent-death signals: a child that made its own session can survive its
// kernel there. Windows uses a job object that takes everything with it.
//
// # Wire
//
// The server writes single bytes to the guard's stdin: 'i' SIGINT and 't'
// SIGTERM to the kernel's process group, 'k' SIGKILL to the whole tree, 'm' asks
// for "mark", a line that follows all output that the guard has read; end of file means the same as 'k'. The guard writes lines to its stdout: first
// "started PID" or "failed ERRNO", last "exit CODE SIGNAL N" followed by the N
// bytes of the ring. Both ends are always the same binary, so there is no
// version to negotiate. A helper program ([Reaper.Run]) gets the guard's own
// first three files instead of a ring; its guard is told "-helper" before the
// "--", uses files 3 and 4 as its pipes, and ends with the helper's exit code.
package guard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// RingSize is how much of the end of a kernel's log is kept, in bytes.
const RingSize = 64 << 10

// Commands the server sends, one byte each.
const (
	cmdInterrupt = 'i'
	cmdTerminate = 't'
	cmdKill      = 'k'
	cmdMark      = 'm'
)

const (
	// helperFlag makes a guard for [Reaper.Run].
	helperFlag = "-helper"
	// progressFlag precedes the path of Spec.Progress.
	progressFlag = "-progress"
)

// Main is the guard process: it runs the program after the "--" of args, and
// returns the guard's own exit code once that program and everything it started
// is gone. The program is a path; PATH is not searched. Main takes the process's
// files and signals for itself, so it must be all that its process does.
func Main(args []string) int {
	helper := len(args) > 0 && args[0] == helperFlag
	if helper {
		args = args[1:]
	}
	progress := ""
	if len(args) > 1 && args[0] == progressFlag {
		progress, args = args[1], args[2:]
	}
	if len(args) < 2 || args[0] != "--" {
		fmt.Fprintln(os.Stderr, "guard: no program to run; the server starts this command, not a person")
		return 2
	}
	os.Unsetenv(guardEnv)
	return run(args[1:], helper, progress)
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
