package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// How long Close waits: for an orderly end, then for a guard it had to kill.
const (
	closeGrace = 2 * time.Second
	killGrace  = time.Second
	// markPatience bounds AwaitOutput.
	markPatience = time.Second
)

// guardEnv marks a guard's environment; Main takes it out again. It ends the
// endless recursion of a binary that does not call Main: a test binary asked to
// be a guard would run its tests, and start itself, again.
const guardEnv = "MCE_GUARD"

var errNoGuard = errors.New("this binary was started as a guard but does not call guard.Main")

// ErrExited is returned by methods that need a running kernel.
var ErrExited = errors.New("kernel process has ended")

// Spec says what to run.
type Spec struct {
	// Argv is the kernel's command line; Argv[0] is a path, not looked up.
	Argv []string
	// Env is the kernel's whole environment; JPY_PARENT_PID is put into it.
	Env []string
	// Dir is the kernel's working directory; empty means the server's.
	Dir string
	// Progress is a file whose first eight bytes, and those at 64 KiB, change when
	// the kernel reads its own output or prints. Empty for a kernel that does not
	// read it.
	Progress string
	// Output is given what the kernel's stdout (1) or stderr (2) brought and the
	// kernel did not read: after its end, before Done is closed, or while it stood
	// still. The calls come one after the other; the text is the callee's. Nil
	// discards it.
	Output func(stream int, text []byte, dead bool)
	// Limits are what the kernel and all it starts may take. Limited is told what
	// was ended by them; it must not block, and may be nil.
	Limits  limits.Held
	Limited func(limits.Hit)
	// Stderr gets what the Go runtime prints if the guard itself crashes,
	// never the kernel's output. Nil discards it.
	Stderr *os.File
	// Plan is the sandbox in which guard and kernel run; nil is none. The guard tries
	// it before it starts the kernel. One that cannot be made, or does not hold, is a
	// *[confine.Refused].
	Plan *confine.Plan
}

// Exit says how a kernel ended.
type Exit struct {
	// Code is the exit code, -1 if a signal ended it or if it is not known.
	Code int
	// Signal is the signal that ended it, or 0.
	Signal syscall.Signal
	// Killed tells that we ended it: Kill or Close came first.
	Killed bool
	// GuardLost tells that the guard died before it could report; Code, Signal
	// and Tail are not known then. The kernel is dead in that case too.
	GuardLost bool
	// Tail is the end of the kernel's log (on Windows of all that it and its
	// children wrote), at most [RingSize] bytes, cut anywhere.
	Tail []byte
}

// String is "exit code 3", "signal 11 (SIGSEGV)" or "guard process lost".
func (e Exit) String() string {
	if e.GuardLost {
		return "guard process lost"
	}
	if e.Signal == 0 {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	if name := signalName(e.Signal); name != "" {
		return fmt.Sprintf("signal %d (%s)", int(e.Signal), name)
	}
	return fmt.Sprintf("signal %d", int(e.Signal))
}

// Process is a kernel process under its guard. Its methods are safe for
// concurrent use.
//
// Goroutines: (1) watch reads the guard's reports and reaps it; it ends when
// the guard is gone, which Close enforces.
type Process struct {
	pid      int
	guardPid int
	cmd      *exec.Cmd
	reaper   *Reaper
	started  chan error    // one value: the kernel runs, or why not
	done     chan struct{} // closed when exit is known
	gone     chan struct{} // closed when the guard is reaped
	waitErr  error         // of the guard; set before gone is closed
	output   func(stream int, text []byte, dead bool)
	limited  func(limits.Hit)
	marks    chan struct{} // a value for each mark; buffered 1
	sandbox  *sandbox      // nil for none

	mu       sync.Mutex // protects the fields below
	commands *os.File   // nil when closed
	killed   bool
	exit     Exit
}

func newProcess(reaper *Reaper) *Process {
	return &Process{
		reaper:  reaper,
		started: make(chan error, 1),
		done:    make(chan struct{}),
		gone:    make(chan struct{}),
		output:  func(int, []byte, bool) {},
		limited: func(limits.Hit) {},
		marks:   make(chan struct{}, 1),
	}
}

// Start starts a kernel under a guard of its own and returns when the kernel
// process exists. ctx bounds only that; it does not end the kernel. The caller
// must Close the Process. An executable that cannot be run is a [*os.PathError]
// that names it.
func Start(ctx context.Context, spec Spec, reaper *Reaper) (*Process, error) {
	if len(spec.Argv) == 0 {
		return nil, errors.New("starting guard: no program to run")
	}
	p := newProcess(reaper)
	if err := p.startKernel(spec); err != nil {
		return nil, fmt.Errorf("starting guard: %w", err)
	}
	if err := p.awaitStart(ctx, spec.Argv[0]); err != nil {
		return nil, err
	}
	return p, nil
}

// startKernel starts a guard that talks to us through its stdin and stdout.
func (p *Process) startKernel(spec Spec) error {
	stdin, stdout, reports, err := p.pipes()
	if err != nil {
		return err
	}
	defer stdin.Close()
	defer stdout.Close()
	if spec.Output != nil {
		p.output = spec.Output
	}
	var args []string
	if spec.Progress != "" {
		args = []string{progressFlag, spec.Progress}
	}
	if spec.Limits.Any() {
		args = append(args, limitsFlag, spec.Limits.Arg())
	}
	if spec.Limited != nil {
		p.limited = spec.Limited
	}
	p.cmd = guardCommand(slices.Concat(args, []string{"--"}, spec.Argv), spec.Env)
	p.cmd.Dir = spec.Dir
	p.cmd.Stdin, p.cmd.Stdout = stdin, stdout
	if spec.Stderr != nil {
		p.cmd.Stderr = spec.Stderr
	}
	if spec.Plan != nil {
		return p.startConfined(*spec.Plan, reports)
	}
	return p.start(reports)
}

// guardCommand is a guard, but for the path of the program.
func guardCommand(args, env []string) *exec.Cmd {
	return &exec.Cmd{
		Args:        append([]string{os.Args[0], "guard"}, args...),
		Env:         withEnv(env, guardEnv+"=1"),
		SysProcAttr: guardAttr(),
	}
}

// pipes makes the two pipes; commandsEnd and reportsEnd are the guard's.
func (p *Process) pipes() (commandsEnd, reportsEnd, reports *os.File, err error) {
	commandsEnd, commands, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	reports, reportsEnd, err = os.Pipe()
	if err != nil {
		commandsEnd.Close()
		commands.Close()
		return nil, nil, nil, err
	}
	p.commands = commands
	return commandsEnd, reportsEnd, reports, nil
}

// start starts the guard and its watch.
func (p *Process) start(reports *os.File) error {
	err := errNoGuard
	switch {
	case os.Getenv(guardEnv) != "":
	case p.cmd.Path != "": // of bubblewrap, which starts the guard
		err = p.reaper.Start(p.cmd)
	default:
		err = p.reaper.startGuard(p.cmd)
	}
	if err != nil {
		p.commands.Close()
		reports.Close()
		return err
	}
	p.guardPid = p.cmd.Process.Pid
	go p.watch(reports)
	return nil
}

// awaitStart waits until the program at path runs. If it does not, nothing is
// left.
func (p *Process) awaitStart(ctx context.Context, path string) error {
	var err error
	select {
	case err = <-p.started:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	p.Close()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		err = &os.PathError{Op: "exec", Path: path, Err: errno}
	}
	return fmt.Errorf("starting process: %w", err)
}

// Pid is the kernel's process id, for showing to a person. Signals go through
// the methods here, which know whether the id is still the kernel's.
func (p *Process) Pid() int { return p.pid }

// GuardPid is the guard's process id.
func (p *Process) GuardPid() int { return p.guardPid }

// Interrupt sends SIGINT to the kernel's process group. It says that the
// signal is on its way, not that the kernel obeyed. It returns [ErrExited]
// when there is no kernel any more.
func (p *Process) Interrupt() error { return p.send(cmdInterrupt) }

// Begun tells the guard that code is about to be sent: what is interrupted for too many
// processes is not the code after it.
func (p *Process) Begun() error { return p.send(cmdBegun) }

// Terminate sends SIGTERM to the kernel's process group.
func (p *Process) Terminate() error { return p.send(cmdTerminate) }

// Kill ends the kernel and everything it started. It does not wait; Done does.
func (p *Process) Kill() error { return p.send(cmdKill) }

// AwaitOutput returns when Spec.Output has been given all that the guard had read
// when it was called, or after a second. Not for concurrent use.
func (p *Process) AwaitOutput() {
	select {
	case <-p.marks: // of a call that has given up
	default:
	}
	if p.send(cmdMark) != nil {
		return
	}
	t := time.NewTimer(markPatience)
	defer t.Stop()
	select {
	case <-p.marks:
	case <-p.done:
	case <-t.C:
	}
}

func (p *Process) send(command byte) error {
	select {
	case <-p.done:
		return ErrExited
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.commands == nil {
		return ErrExited
	}
	if command == cmdKill {
		p.killed = true
	}
	// One byte into an empty pipe does not block.
	if _, err := p.commands.Write([]byte{command}); err != nil {
		return fmt.Errorf("signalling kernel: %w", err)
	}
	return nil
}

// Done is closed when the kernel has ended and Exit is known.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit is how the kernel ended; the zero Exit before Done is closed.
func (p *Process) Exit() Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// Close kills what still runs and waits until the guard and its tree are gone,
// at most about three seconds. Closing again waits for the same and is
// harmless. An error means that something could not be killed.
func (p *Process) Close() error {
	p.mu.Lock()
	if p.commands != nil {
		p.killed = true
	}
	p.closeCommandsLocked() // end of file: the guard kills its tree
	p.mu.Unlock()
	if p.waitGone(closeGrace) {
		return nil
	}
	p.sandbox.kill()
	p.cmd.Process.Kill() // a stopped guard, say; its tree comes to the reaper
	if p.waitGone(killGrace) {
		return nil
	}
	return fmt.Errorf("closing kernel process: its guard, process %d, does not end", p.guardPid)
}

func (p *Process) closeCommandsLocked() {
	if p.commands != nil {
		p.commands.Close()
		p.commands = nil
	}
}

func (p *Process) waitGone(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.gone:
		return true
	case <-t.C:
		return false
	}
}
