package guard

import (
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// waitAny lets wait4 also see children that were cloned without SIGCHLD.
const waitAny = unix.WALL

// oomPenalty makes the kernel the one the system kills when memory runs out,
// not the server and not the person's editor.
const oomPenalty = 500

// prepare makes the guard what its kernel is to inherit. What the system
// refuses here is not worth refusing a kernel for.
func prepare() {
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	os.WriteFile("/proc/self/comm", []byte("mce-guard"), 0)
	// A host may have started the server with signals blocked, or with files
	// of its own left open.
	unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
	unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	var core unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &core) == nil {
		core.Cur = 0 // a core file of a data process is gigabytes
		unix.Setrlimit(unix.RLIMIT_CORE, &core)
	}
}

// kernelAttr: Go's fork checks after PR_SET_PDEATHSIG that the guard still is
// the parent, so a guard killed in between takes the kernel along too.
func kernelAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
}

// penalized calls fork with the guard's oom_score_adj raised, for the child to
// inherit from its first moment, and puts it back: going back to where it was
// needs no privilege.
func penalized(fork func() (int, error)) (int, error) {
	file, err := os.OpenFile("/proc/self/oom_score_adj", os.O_RDWR, 0) // once: fork may seal this process
	if err != nil {
		return fork()
	}
	defer file.Close()
	var own [16]byte
	n, _ := file.ReadAt(own[:], 0)
	adj, _ := strconv.Atoi(strings.TrimSpace(string(own[:n])))
	file.WriteString(strconv.Itoa(min(adj+oomPenalty, 1000)))
	defer file.WriteString(strconv.Itoa(adj))
	return fork()
}

// killRound sends SIGKILL to the kernel's group and to every child of the
// guard, and returns how many of these will die of it. It touches no deeper
// descendant: those can be reaped by their own parents, and their numbers
// reused, between our look and our kill. They become our children when their
// parents die.
func (k *kernelProcess) killRound() (killed int) {
	if !k.exited || !ownProc() { // then its group is all that can be found
		unix.Kill(-k.pid, unix.SIGKILL)
	}
	for _, pid := range childPids() {
		if unix.Kill(pid, unix.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

// killRest kills the whole tree, generation by generation. It cannot miss one:
// a process is reparented before its parent can be reaped, so after each death
// the next look shows who was below.
func (k *kernelProcess) killRest() {
	for k.killRound() > 0 {
		k.reap(0)
	}
}
