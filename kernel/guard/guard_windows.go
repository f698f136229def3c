package guard

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// On Windows the guard puts itself into a job object that ends with its last
// handle, which the guard alone holds: whatever it starts is in the job, and
// when the guard ends, however it ends, the system ends all of it. Interrupts
// go through an event ipykernel waits for (JPY_INTERRUPT_EVENT), and
// JPY_PARENT_PID is a handle, not an id, as ipykernel expects there. There is
// no SIGTERM; it ends the tree.
//
// A kernel's stdout and stderr are drained by the guard alone, into the ring: what
// children and native code write there is told when the kernel dies, not shown.
//
// Limit: this file is known to build; nobody has run it yet.

// Pipes is empty: a kernel gets no reading ends here.
const Pipes = ""

// run knows no helpers: Run starts them without a guard here.
func run(t task) int {
	reports := &reports{w: os.Stdout}
	out, w, err := os.Pipe()
	if err == nil {
		err = enterJob()
	}
	var interrupt windows.Handle
	var cmd *exec.Cmd
	if err == nil {
		interrupt, cmd, err = startKernel(t.argv, w)
	}
	if err != nil {
		reports.start(0, err)
		return 1
	}
	w.Close()
	reports.start(cmd.Process.Pid, nil)

	var tail ring
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for {
			if _, err := tail.fill(out.Read); err != nil {
				return
			}
		}
	}()
	go func() {
		for command := range readCommands(os.Stdin) {
			switch command {
			case cmdInterrupt:
				windows.SetEvent(interrupt)
			case cmdMark:
				reports.mark()
			case cmdBegun: // nobody looks at processes here
			default:
				cmd.Process.Kill()
			}
		}
		cmd.Process.Kill()
	}()
	cmd.Wait()
	out.Close() // children may hold the other end; the job ends them with us
	<-drained
	reports.exit(cmd.ProcessState.ExitCode(), 0, tail.bytes())
	return 0
}

// enterJob makes the job and puts this process into it. The handle is never
// closed.
func enterJob() error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return err
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		},
	}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		return err
	}
	return windows.AssignProcessToJobObject(job, windows.CurrentProcess())
}

// startKernel starts argv with its output into w, and returns the event that
// interrupts it.
func startKernel(argv []string, w *os.File) (interrupt windows.Handle, cmd *exec.Cmd, err error) {
	inherited := windows.SecurityAttributes{InheritHandle: 1}
	inherited.Length = uint32(unsafe.Sizeof(inherited))
	if interrupt, err = windows.CreateEvent(&inherited, 0, 0, nil); err != nil {
		return 0, nil, err
	}
	self := windows.CurrentProcess()
	var parent windows.Handle
	if err := windows.DuplicateHandle(self, self, self, &parent, 0, true, windows.DUPLICATE_SAME_ACCESS); err != nil {
		return 0, nil, err
	}
	cmd = exec.Command(argv[0], argv[1:]...)
	cmd.Env = withEnv(os.Environ(),
		fmt.Sprintf("JPY_PARENT_PID=%d", parent),
		fmt.Sprintf("JPY_INTERRUPT_EVENT=%d", interrupt))
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{
		CreationFlags:              windows.CREATE_NEW_PROCESS_GROUP,
		AdditionalInheritedHandles: []syscall.Handle{syscall.Handle(parent), syscall.Handle(interrupt)},
	}
	return interrupt, cmd, cmd.Start()
}

func guardAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

func signalName(syscall.Signal) string { return "" }

// Tree is not known on Windows: a zero Usage.
func Tree(int) (Usage, error) { return Usage{}, nil }

func becomeSubreaper() error { return nil }

// Run runs a helper program (a probe, an installer) to its end. When ctx ends
// first it is killed, and the error is the context's cause. On Windows a guard
// cannot be given a helper's files besides its own, so there is none: what the
// helper started is left to end by itself.
func (r *Reaper) Run(ctx context.Context, cmd *exec.Cmd) error {
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = time.Second
	}
	if err := r.Start(cmd); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	err := r.Wait(cmd)
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

// RunConfined refuses a plan: there is no sandbox for Windows.
func (r *Reaper) RunConfined(ctx context.Context, cmd *exec.Cmd, plan *confine.Plan) error {
	if plan != nil {
		return confine.Explain("this system is Windows", nil)
	}
	return r.Run(ctx, cmd)
}

// adopt has nothing to do: the job went with the guard.
func (r *Reaper) adopt(int) {}

func sweepOnce(map[int]bool) (left int) { return 0 }
