//go:build linux || darwin

package guard

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// kernelProcess is the guard's one kernel. Only the goroutine of run touches
// it: what signals and what reaps is the same goroutine, so no signal goes to
// a number that was reaped and given to somebody else.
type kernelProcess struct {
	pid    int
	exited bool // reaped; pid is no longer ours
	status syscall.WaitStatus

	held    limits.Held
	begun   atomic.Int64 // how much code was sent
	outputs []*output    // its stdout and stderr; none of a helper
	log     *os.File     // reading end; nil for a helper
	tail    ring         // of its log
}

func run(t task) int {
	// PR_SET_PDEATHSIG follows the thread that forked, not the process
	// (golang.org/issue/27505): this one lives as long as the guard.
	runtime.LockOSThread()
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(20)

	// Caught and dropped rather than ignored: the kernel would inherit
	// "ignored", and a Python that starts so never raises KeyboardInterrupt.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE,
		unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGTSTP)
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)

	prepare()
	k := &kernelProcess{held: t.held}
	in, reports := os.Stdin, &reports{w: os.Stdout}
	err := t.confine()
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // without a report: the server takes this for the reason
		return 1
	}
	if t.helper {
		in, reports.w = inherited(3), inherited(4)
		k.pid, err = t.start(os.Environ(), []uintptr{0, 1, 2})
	} else {
		k.pid, err = k.startKernel(t, reports, openProgress(t.progress))
	}
	reports.start(k.pid, err)
	if err != nil {
		return 1
	}
	if !t.helper {
		for _, o := range k.outputs {
			go o.watch()
		}
		debug.FreeOSMemory() // what the server's packages allocated on their way here
		defer k.watchLimits(reports)()
	}

	commands := readCommands(in)
	for !k.exited {
		select {
		case c, ok := <-commands:
			if !ok {
				c, commands = cmdKill, nil
			}
			if c == cmdMark {
				go k.mark(reports) // not here: a server that does not read must not hold up a kill
				continue
			}
			k.obey(c)
		case <-children:
			k.reap(unix.WNOHANG)
		}
	}
	return k.finish(reports)
}

// inherited is a file the server passed beyond the first three.
func inherited(fd int) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "pipe")
}

// finish reports how the kernel ended and kills what it left. It returns the
// kernel's exit code, as a shell would give it.
func (k *kernelProcess) finish(reports *reports) int {
	code, sig := k.status.ExitStatus(), syscall.Signal(0)
	if k.status.Signaled() {
		sig = k.status.Signal()
	}
	sent := make(chan struct{})
	go func() { // a server that does not read must not keep the rest alive
		defer close(sent)
		for _, o := range k.outputs {
			o.rest()
		}
		drainRest(k.log, &k.tail)
		reports.exit(code, sig, k.tail.bytes())
	}()
	k.killRest()
	select {
	case <-sent:
	case <-time.After(time.Second):
	}
	if sig != 0 {
		return 128 + int(sig)
	}
	return code
}

// mark tells the server that what was read of the kernel's output is handed on.
func (k *kernelProcess) mark(reports *reports) {
	for _, o := range k.outputs {
		o.over() // waits for what it is handing on
	}
	reports.mark()
}

func (k *kernelProcess) obey(command byte) {
	switch command {
	case cmdInterrupt:
		unix.Kill(-k.pid, unix.SIGINT)
	case cmdTerminate:
		unix.Kill(-k.pid, unix.SIGTERM)
	case cmdKill:
		k.killRound()
	case cmdBegun:
		k.begun.Add(1)
	}
}

// reap collects children that ended, the kernel and what was adopted. Without
// WNOHANG in options it waits for the first.
func (k *kernelProcess) reap(options int) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, options|waitAny, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if pid == k.pid {
			k.exited, k.status = true, status
		}
		options |= unix.WNOHANG
	}
}

// startKernel starts the program as a kernel, with the reading ends of its own output and
// a log that goes to the ring.
func (k *kernelProcess) startKernel(t task, reports *reports, progress *progress) (pid int, err error) {
	devNull, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer devNull.Close()
	log, logEnd, err := kernelPipe()
	if err != nil {
		return 0, err
	}
	defer logEnd.Close()
	k.log = log
	files := []uintptr{devNull.Fd()}
	for number := 1; number <= 2; number++ {
		o, err := newOutput(number, reports, progress)
		if err != nil {
			return 0, err
		}
		k.outputs = append(k.outputs, o)
		files = append(files, o.w.Fd())
	}
	for _, o := range k.outputs {
		files = append(files, descriptor(o.r))
	}
	files = append(files, logEnd.Fd())
	env := withEnv(os.Environ(), fmt.Sprintf("JPY_PARENT_PID=%d", os.Getpid()))
	pid, err = penalized(func() (int, error) {
		return limits.Around(k.held, func() (int, error) { return t.start(env, files) })
	})
	if err != nil {
		return 0, err
	}
	os.Chdir("/") // hold no directory of the user's
	go drain(log, &k.tail)
	return pid, nil
}

// confine makes the sandbox that is left to this process, or completes the one it is in.
func (t *task) confine() error {
	if t.plan != nil {
		exe, err := os.Executable()
		if err == nil {
			t.thread, err = t.plan.Confine([]string{exe, "guard", tryFlag})
		}
		return err
	}
	if t.check != nil {
		return confine.Enter(*t.check)
	}
	return nil
}

// start is fork on the thread that is confined.
func (t task) start(env []string, files []uintptr) (pid int, err error) {
	t.thread.Do(func() { pid, err = t.fork(env, files) })
	return pid, err
}

// fork starts the program in a session and process group of its own. In a sandbox
// this process is sealed first, which exec undoes for the program; one that is bound to
// some processors stays so.
func (t task) fork(env []string, files []uintptr) (pid int, err error) {
	if t.check != nil || t.plan != nil {
		if err := confine.Seal(); err != nil {
			return 0, err
		}
		if t.held.CPU > 0 {
			if err := confine.KeepProcessors(); err != nil {
				return 0, err
			}
		}
	}
	argv := t.thread.Command(t.argv)
	return syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: env, Files: files, Sys: kernelAttr()})
}

// drain reads out into tail until every writer has closed it: a pipe nobody
// drains stops the kernel at 64 KiB.
func drain(out *os.File, tail *ring) {
	conn, err := out.SyscallConn()
	if err != nil {
		return
	}
	for {
		var n int
		var readErr error
		err := conn.Read(func(fd uintptr) bool {
			n, readErr = tail.fill(func(b []byte) (int, error) { return syscall.Read(int(fd), b) })
			return readErr != syscall.EAGAIN
		})
		if err != nil || n == 0 || (readErr != nil && readErr != syscall.EINTR) {
			return
		}
	}
}

// drainRest takes what a dead kernel left in the pipe, without waiting for
// those that may still hold it open, and no more than a pipe can hold: a child
// may be filling it as fast as we read.
func drainRest(out *os.File, tail *ring) {
	if out == nil {
		return
	}
	conn, err := out.SyscallConn()
	if err != nil {
		return
	}
	conn.Control(func(fd uintptr) {
		for taken := 0; taken < largestPipe; {
			n, err := tail.fill(func(b []byte) (int, error) { return syscall.Read(int(fd), b) })
			if n <= 0 || err != nil {
				return
			}
			taken += n
		}
	})
}

func guardAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// signalName is "SIGSEGV", or "" for a signal without a name.
func signalName(s syscall.Signal) string { return unix.SignalName(s) }
