package limits

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	procsFile = "cgroup.procs"
	// serverLeaf is where the server itself stands: a cgroup that is divided can hold
	// no processes (cgroups(7), "no internal processes").
	serverLeaf = "mce-server"
	// spareTasks is by how much pids.max lies above PROCESS_LIMIT: it counts threads,
	// and only has to stop a fork bomb until the guard looks.
	spareTasks = 1024
	cpuPeriod  = 100_000 // in microseconds, the system's own
)

// Machine says where a machine keeps cgroups and processes.
type Machine struct {
	Cgroups string // "/sys/fs/cgroup"
	Proc    string // "/proc"
	Self    int    // the server's process id
}

// Delegated makes the server's cgroup one that can be divided among kernels, and
// returns its directory. That works where the server was started in a cgroup v2 of its
// own (`systemd-run --user --scope -p Delegate=yes`, a unit with Delegate=yes) that
// has what l needs; any other is left as it is, and the error says what is missing.
func (m Machine) Delegated(l Limits) (base string, err error) {
	own, err := m.own()
	if err != nil {
		return "", err
	}
	if filepath.Base(own) == serverLeaf {
		base = filepath.Dir(own)
		return base, has(filepath.Join(base, "cgroup.subtree_control"), l.controllers())
	}
	if err := has(filepath.Join(own, "cgroup.controllers"), l.controllers()); err != nil {
		return "", err
	}
	pids, err := readPids(filepath.Join(own, procsFile))
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(pids, func(pid int) bool { return !m.ours(pid) }); i >= 0 {
		return "", fmt.Errorf("the cgroup %s is not the server's alone: process %d is in it too", own, pids[i])
	}
	return own, divide(own, pids, l.controllers())
}

// ours reports whether a process is the server or descends from it.
func (m Machine) ours(pid int) bool {
	for pid > 1 && pid != m.Self {
		b, err := os.ReadFile(filepath.Join(m.Proc, strconv.Itoa(pid), "status"))
		if err != nil {
			return errors.Is(err, os.ErrNotExist) // it has ended
		}
		_, parent, _ := strings.Cut(string(b), "\nPPid:")
		parent, _, _ = strings.Cut(parent, "\n")
		if pid, err = strconv.Atoi(strings.TrimSpace(parent)); err != nil {
			return false
		}
	}
	return pid == m.Self
}

// own is the directory of this process's cgroup.
func (m Machine) own() (string, error) {
	b, err := os.ReadFile(filepath.Join(m.Proc, "self", "cgroup"))
	if err != nil {
		return "", err
	}
	path, found := "", false
	for line := range strings.Lines(string(b)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, where, _ := strings.Cut(rest, ":")
		if id == "0" && controllers == "" {
			path, found = where, true
		} else if strings.Contains(","+controllers+",", ",memory,") {
			return "", errors.New("memory is held by cgroups of version 1 here")
		}
	}
	if !found {
		return "", errors.New("there is no cgroup of version 2 here")
	}
	return filepath.Join(m.Cgroups, path), nil
}

// controllers are those that hold l.
func (l Limits) controllers() (names []string) {
	if l.Memory > 0 {
		names = append(names, "memory")
	}
	if l.CPU > 0 {
		names = append(names, "cpu")
	}
	if l.Processes > 0 {
		names = append(names, "pids")
	}
	return names
}

// has is an error unless a file lists all names.
func has(file string, names []string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	there := strings.Fields(string(b))
	for _, name := range names {
		if !slices.Contains(there, name) {
			return fmt.Errorf("%s does not have %s: it is not delegated", file, name)
		}
	}
	return nil
}

func readPids(file string) (pids []int, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for _, f := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// divide moves the processes of a cgroup into a leaf of it and hands its controllers
// on. What does not work is taken back.
func divide(dir string, pids []int, controllers []string) error {
	leaf := filepath.Join(dir, serverLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	err := move(pids, leaf)
	if err == nil {
		err = write(dir, "cgroup.subtree_control", "+"+strings.Join(controllers, " +"))
	}
	if err == nil { // the write can succeed without an effect
		err = has(filepath.Join(dir, "cgroup.subtree_control"), controllers)
	}
	if err != nil {
		return errors.Join(err, move(pids, dir), os.Remove(leaf))
	}
	return nil
}

// move puts processes into a cgroup; one that has ended is none.
func move(pids []int, dir string) error {
	for _, pid := range pids {
		if err := write(dir, procsFile, strconv.Itoa(pid)); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// write writes one of a cgroup's files, which must be there. What can be appended to
// is: that is the same to a cgroup.
func write(dir, file, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

// MakeCgroup makes a cgroup with limits below base, for one kernel.
func MakeCgroup(base, name string, l Limits) (dir string, err error) {
	dir = filepath.Join(base, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) { // left by a server that was killed
		return "", err
	}
	type setting struct{ file, value string }
	var all []setting
	if l.Memory > 0 {
		all = append(all, setting{"memory.max", strconv.FormatInt(l.Memory, 10)})
		if _, err := os.Stat(filepath.Join(dir, "memory.swap.max")); err == nil { // not where the system has no swap
			all = append(all, setting{"memory.swap.max", "0"})
		}
	}
	if l.CPU > 0 {
		all = append(all, setting{"cpu.max", fmt.Sprintf("%d %d", int64(l.CPU*cpuPeriod), cpuPeriod)})
	}
	if l.Processes > 0 {
		all = append(all, setting{"pids.max", strconv.Itoa(l.Processes + spareTasks)})
	}
	for _, s := range all {
		if err := write(dir, s.file, s.value); err != nil {
			os.Remove(dir)
			return "", fmt.Errorf("limiting a cgroup: %w", err)
		}
	}
	return dir, nil
}

// RemoveCgroup removes the cgroup of a kernel that has ended. Its last processes may
// take a moment to leave it.
func RemoveCgroup(dir string) error {
	err := os.Remove(dir)
	for i := 0; i < 20 && err != nil && !errors.Is(err, os.ErrNotExist); i++ {
		time.Sleep(5 * time.Millisecond)
		err = os.Remove(dir)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
