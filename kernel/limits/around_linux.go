package limits

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Around runs fork so that the process it starts is limited from its first moment,
// and this one is not afterwards. The caller's thread must be locked.
func Around(h Held, fork func() (pid int, err error)) (pid int, err error) {
	if !h.Any() {
		return fork()
	}
	undo := []func(){}
	defer func() {
		for _, u := range undo {
			u()
		}
	}()
	if h.Cgroup != "" {
		back, err := enter(h.Cgroup)
		if err != nil {
			return 0, err
		}
		undo = append(undo, back)
	}
	if h.CPU > 0 && h.Cgroup == "" {
		back, err := pin(h.Cores())
		if err != nil {
			return 0, err
		}
		undo = append(undo, back)
	}
	for resource, value := range h.resources() {
		back, err := lower(resource, value)
		if err != nil {
			return 0, err
		}
		undo = append(undo, back)
	}
	if pid, err = fork(); err != nil {
		return 0, err
	}
	return pid, h.fix(pid)
}

// resources are the limits of each process.
func (h Held) resources() map[int]uint64 {
	r := map[int]uint64{}
	if h.Memory > 0 {
		r[unix.RLIMIT_DATA] = uint64(h.Memory)
	}
	if h.FileSize > 0 {
		r[unix.RLIMIT_FSIZE] = uint64(h.FileSize)
	}
	return r
}

// lower lowers a limit of this process, which a child inherits, in a way that can be
// taken back.
func lower(resource int, value uint64) (back func(), err error) {
	var old unix.Rlimit
	if err := unix.Getrlimit(resource, &old); err != nil {
		return nil, fmt.Errorf("reading a resource limit: %w", err)
	}
	now := unix.Rlimit{Cur: min(value, old.Cur), Max: old.Max}
	if err := unix.Setrlimit(resource, &now); err != nil {
		return nil, fmt.Errorf("setting a resource limit: %w", err)
	}
	return func() { unix.Setrlimit(resource, &old) }, nil
}

// fix takes from the child what it could raise its limits again with; root's
// processes can all the same.
func (h Held) fix(pid int) error {
	for resource, value := range h.resources() {
		limit := unix.Rlimit{Cur: value, Max: value}
		var old unix.Rlimit
		if unix.Prlimit(pid, resource, nil, &old) == nil {
			limit = unix.Rlimit{Cur: min(value, old.Cur), Max: min(value, old.Max)}
		}
		if err := unix.Prlimit(pid, resource, &limit, nil); err != nil && err != unix.ESRCH {
			unix.Kill(pid, unix.SIGKILL) // not fully limited
			return fmt.Errorf("setting a resource limit: %w", err)
		}
	}
	return nil
}

// pin binds this thread, and so its children, to some of the cores it may use. Which
// ones differs by process, so that kernels do not share the first core.
func pin(cores int) (back func(), err error) {
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return nil, fmt.Errorf("reading the CPU affinity: %w", err)
	}
	few := choose(may, cores, os.Getpid())
	if err := unix.SchedSetaffinity(0, &few); err != nil {
		return nil, fmt.Errorf("setting the CPU affinity: %w", err)
	}
	return func() { unix.SchedSetaffinity(0, &may) }, nil
}

// choose takes n cores of may, the first of them by number.
func choose(may unix.CPUSet, n, number int) (few unix.CPUSet) {
	var all []int
	for cpu := range len(may) * 64 {
		if may.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	for i := range min(n, len(all)) {
		few.Set(all[(number+i)%len(all)])
	}
	return few
}

// enter moves this process into a cgroup; back moves it where it was.
func enter(dir string) (back func(), err error) {
	own := filepath.Join(filepath.Dir(dir), serverLeaf) // where [Delegated] has put the server
	if err := os.WriteFile(filepath.Join(dir, procsFile), []byte("0"), 0); err != nil {
		return nil, fmt.Errorf("entering a cgroup: %w", err)
	}
	return func() { os.WriteFile(filepath.Join(own, procsFile), []byte("0"), 0) }, nil
}

// Can reports whether a limit of this kind can be held on this system. Nobody can look
// at processes where /proc has other numbers than the system, as in some sandboxes.
func Can(k Kind) bool {
	self, err := os.Readlink("/proc/self")
	return k == FileSize || k == CPU || err == nil && self == strconv.Itoa(os.Getpid())
}
