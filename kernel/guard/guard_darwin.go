package guard

import (
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// macOS has no subreapers and no parent-death signals. What is left: the guard
// kills the kernel's process group and what it finds below itself by parent id.
// Limits: a process that left the group and whose parent died first belongs to
// launchd and is not found; a kernel whose guard is killed is killed by the
// server, and if both are killed ends by its own watch of JPY_PARENT_PID.

const waitAny = 0

func prepare() {
	var core unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &core) == nil {
		core.Cur = 0
		unix.Setrlimit(unix.RLIMIT_CORE, &core)
	}
}

func kernelAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func penalized(fork func() (int, error)) (int, error) { return fork() }

// killRound sends SIGKILL to the kernel's group and to everything below the
// guard, and returns how many it found.
func (k *kernelProcess) killRound() (killed int) {
	// Walk first: when a parent is dead its children are launchd's.
	below := descendants(os.Getpid())
	if unix.Kill(-k.pid, unix.SIGKILL) == nil {
		killed++
	}
	for _, pid := range below {
		if unix.Kill(pid, unix.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

// killRest kills what the kernel left, as far as it can be found. It is
// bounded: what is not our child can stay a zombie of somebody else's.
func (k *kernelProcess) killRest() {
	for range 50 {
		if k.killRound() == 0 {
			return
		}
		k.reap(unix.WNOHANG)
		time.Sleep(2 * time.Millisecond)
	}
}

// descendants lists the processes below root, parents before children.
func descendants(root int) []int {
	procs, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for i := range procs {
		parent := int(procs[i].Eproc.Ppid)
		children[parent] = append(children[parent], int(procs[i].Proc.P_pid))
	}
	found := append([]int(nil), children[root]...)
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

// Tree counts the processes of the tree below pid, pid included. Memory and
// processor time of other processes are not to be had without cgo: zero.
func Tree(pid int) (Usage, error) {
	if unix.Kill(pid, 0) == unix.ESRCH {
		return Usage{}, os.ErrProcessDone
	}
	return Usage{Processes: 1 + len(descendants(pid))}, nil
}

func becomeSubreaper() error { return nil }

// adopt kills the kernel a lost guard left: the system does not, and its
// number was the guard's to keep. A kernel that ended in the same moment makes
// this a signal to nobody; that the number is somebody else's by now would
// take tens of thousands of forks in between.
func (r *Reaper) adopt(kernelPid int) {
	if kernelPid <= 0 {
		return
	}
	below := descendants(kernelPid)
	unix.Kill(-kernelPid, unix.SIGKILL)
	for _, pid := range below {
		unix.Kill(pid, unix.SIGKILL)
	}
}

func sweepOnce(map[int]bool) (left int) { return 0 }

// watchLimits has nothing to do: the limits that need somebody to look are not to be
// had here.
func (k *kernelProcess) watchLimits(*reports) (stop func()) { return func() {} }

// startConfined starts the guard that p.cmd describes, which starts the kernel in a
// sandbox of macOS's.
func (p *Process) startConfined(plan confine.Plan, reports *os.File) error {
	return p.startInside(plan, reports)
}

// memoryFile is an open file, whose place on the disk is gone already, that holds text.
func memoryFile(name, text string) (*os.File, error) {
	file, err := os.CreateTemp("", "mce-"+name+"-") // 0600
	if err != nil {
		return nil, err
	}
	os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (s *sandbox) outside(top, inside int) (guard, kernel int) { return top, inside }

func (s *sandbox) kill() {}

// Collect does nothing: only Linux's containers make a server process 1.
func (r *Reaper) Collect() {}
