package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/share"
)

// Host is what the kernels of one server share. Set the fields before the first
// Start; it is safe for concurrent use and must not be copied.
type Host struct {
	// RuntimePlaces are directories in which the private directory for sockets
	// may be made, best first; the system's follow.
	RuntimePlaces []string
	// RecordDir is where the kernels' records are made. "" keeps no history:
	// they are made in the private directory and removed with it.
	RecordDir string
	// BytecodeDir is where the launcher's bytecode is kept for the servers after this one:
	// its compilation is a tenth of a first start. "" keeps none.
	BytecodeDir string
	// RecordLimit is how much of one run's output a record keeps, in bytes; 0 is all.
	RecordLimit int64
	// Reaper owns the server's child processes.
	Reaper *guard.Reaper
	// Version is the server's version, noted in records.
	Version string
	// Log receives what a person debugging wants to know.
	Log *slog.Logger

	// PlainPython leaves out launch.py's prelude.
	PlainPython bool
	// Limits are of each kernel.
	Limits limits.Limits

	delegated delegated
	run       rundir.Dir
	scratch   rundir.Dir // of kernels in a sandbox
	sweep     sync.Once

	transport transport
}

// What is kept of earlier runs, by this server and others.
const (
	keptBytes = 4 << 30
	keptTime  = 30 * 24 * time.Hour
)

// sweepRecords removes old records once, beside the first kernel's start: it
// may take long where many lie, and nothing waits for it.
func (h *Host) sweepRecords() {
	if h.RecordDir == "" {
		return
	}
	h.sweep.Do(func() {
		go func() {
			removed, err := record.Sweep(h.RecordDir, record.Policy{MaxBytes: keptBytes, MaxAge: keptTime})
			if err != nil {
				h.Log.Warn("removing old records", "err", err)
			}
			for _, r := range removed {
				h.Log.Info("removed an old record", "dir", r.Dir, "bytes", r.Bytes, "used", r.LastUsed)
			}
		}()
	})
}

// newRecord makes the record of one kernel; private is the directory it is made in
// where no history is kept. A disk that does not take it stops no work: the record
// is kept in memory then, bounded, and says so.
func (h *Host) newRecord(private string, info record.Info) *record.Record {
	dir, options := h.RecordDir, record.Options{RunLimit: h.RecordLimit}
	if dir == "" {
		dir, options.Ephemeral = filepath.Join(private, "records"), true
	}
	r, err := record.Create(dir, info, options)
	h.sweepRecords() // its own record is locked by now
	if err != nil {
		h.Log.Warn("making a record", "err", err)
		return record.InMemory(info, err)
	}
	return r
}

// Close removes the private directory. Every kernel must be closed before.
func (h *Host) Close() error { return errors.Join(h.run.Remove(), h.scratch.Remove()) }

// Spec says how to start one kernel process.
type Spec struct {
	// Python is the environment's interpreter, an absolute path.
	Python string
	// Env is the complete environment, KEY=VALUE.
	Env []string
	// Dir is the working directory.
	Dir string
	// Code is a directory of the user's modules that is not Dir: it comes right
	// behind the working directory on sys.path. Usually empty.
	Code string
	// Sidecar is a directory appended to sys.path that holds ipykernel when
	// the environment has none; usually empty.
	Sidecar string

	// Command is a kernelspec's own command, instead of Python with our launcher;
	// [ConnectionFile] in it becomes the path. Such a kernel is left as it is.
	Command []string
	// InterruptByMessage sends an interrupt_request in place of SIGINT.
	InterruptByMessage bool
	// Plan is the sandbox in which it runs, which Start completes; nil is none.
	Plan *confine.Plan

	// Share offers the kernel to other clients, from when it has answered until it ends.
	// A spare is offered when it is handed over.
	Share share.Offer

	// Session, Generation and Environment are noted in the record.
	Session     string
	Generation  int
	Environment string

	// PlainPython is that of [Host], for this kernel.
	PlainPython bool

	// StartTimeout bounds the time from launch to the first proved answer;
	// 0 means 60 s, which a cold conda environment on a slow disk can need.
	StartTimeout time.Duration
}

// The policies of a kernel's life. Each is measured or argued where it is used.
const (
	defaultStartTimeout = 60 * time.Second

	// idleLead is how much earlier than the reply an execution's own idle can come:
	// it is sent after it, on another socket.
	idleLead = 50 * time.Millisecond
	// replyGrace is how long an idle without its execute_reply is waited for
	// before the kernel is asked whether it is there at all.
	replyGrace = 500 * time.Millisecond
	// iopubQuiet is how long iopub must be silent after a reply without idle.
	iopubQuiet = 300 * time.Millisecond
	// probePatience bounds a kernel_info_request to a kernel that should be idle.
	probePatience = 2 * time.Second
	// relayPatience is probePatience's part for a Jupyter server in between: it sends nothing
	// while it packs a message of hundreds of megabytes, with one thread for all.
	relayPatience = 20 * time.Second

	// interruptSecond and interruptLast are the rungs of the interrupt ladder.
	interruptSecond = 2 * time.Second
	interruptLast   = 3 * time.Second

	// exitPatience is how long a kernel that said it exits may take.
	exitPatience = 5 * time.Second
	// lostPatience is how long a process may live without one of its channels:
	// when it dies its connections can end before its end is known.
	lostPatience = 2 * time.Second
	// drainPatience is how long the channels of a dead kernel may take to
	// deliver what it had sent.
	drainPatience = 500 * time.Millisecond

	// promptQuiet is how long iopub must be silent before a question counts as
	// asked, at most maxPromptWaits quarters of it.
	promptQuiet    = 20 * time.Millisecond
	maxPromptWaits = 40

	// exitNews is how long the end of a process may take to be known.
	exitNews = time.Second

	// keptExecutions is how many finished executions can still receive late output.
	keptExecutions = 4096
)

// Errors of a kernel's life.
var (
	// ErrDead says that the kernel's process is gone.
	ErrDead = errors.New("kernel is dead")
	// ErrBusy says that another execution is in flight.
	ErrBusy = errors.New("kernel is busy")
	// ErrNotWaiting says that no execution waits for input.
	ErrNotWaiting = errors.New("kernel does not wait for input")
)

// StartError says why a kernel did not start.
type StartError struct {
	// Phase is what was being done: "launching", "connecting", "waiting for an answer".
	Phase string
	// Exit is how the process ended, nil when it was still running.
	Exit *Exit
	// Err is the cause when the process did not end by itself.
	Err error
}

func (e *StartError) Error() string {
	if e.Exit != nil {
		return fmt.Sprintf("starting kernel: %s: process ended: %s", e.Phase, e.Exit)
	}
	return fmt.Sprintf("starting kernel: %s: %v", e.Phase, e.Err)
}

func (e *StartError) Unwrap() error { return e.Err }
