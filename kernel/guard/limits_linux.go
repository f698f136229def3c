package guard

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// watchLimits looks after the limits that the system does not hold, until stop is
// called.
func (k *kernelProcess) watchLimits(reports *reports) (stop func()) {
	if !k.held.Watched() {
		return func() {}
	}
	done := make(chan struct{})
	w := &limits.Watch{Held: k.held, Kernel: k.pid, System: machine{}, Hit: reports.limit, Begun: k.begun.Load}
	go w.Run(done)
	return func() { close(done) }
}

// machine is the part of the machine below this process, which is a guard.
type machine struct{}

// Tree lists all that is below the guard.
func (machine) Tree() []int {
	if pids, ok := below("self"); ok {
		return pids
	}
	var pids []int
	for _, s := range thorough() {
		pids = append(pids, s.pid)
	}
	return pids
}

// thorough is Tree by looking at every process there is.
func thorough() []procStat {
	children := map[int][]procStat{}
	eachProcess(func(s procStat) bool {
		children[s.ppid] = append(children[s.ppid], s)
		return true
	})
	all := append([]procStat(nil), children[os.Getpid()]...)
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all
}

// maxRounds bounds Freeze. Each round finds fewer that are new.
const maxRounds = 100

// Freeze stops whole groups of processes: the system does that at one instant, in which
// none of them can start another. Those of the kernel's session belong to its tree, as
// do those of sessions that were made in it.
func (machine) Freeze(kernel int) (stopped []int) {
	known := map[int]bool{}
	if isBelow(kernel) {
		unix.Kill(-kernel, unix.SIGSTOP) // its own group, where nearly all are
	}
	for round, quiet := 0, 0; round < maxRounds && quiet < 2; round++ {
		quiet++
		for _, s := range thorough() {
			if known[s.pid] || s.dead {
				continue
			}
			known[s.pid], quiet = true, 0
			stopped = append(stopped, s.pid)
			if s.group > 1 && s.group != kernel && s.group != unix.Getpgrp() {
				unix.Kill(-s.group, unix.SIGSTOP)
			}
		}
	}
	return stopped
}

// below lists the descendants of a process, as far as they stay what they are.
func below(process string) (pids []int, ok bool) {
	if pids, ok = childrenOf(process); !ok {
		return nil, false
	}
	for i := 0; i < len(pids); i++ {
		more, ok := childrenOf(strconv.Itoa(pids[i]))
		if !ok {
			return nil, false
		}
		pids = append(pids, more...)
	}
	return pids, true
}

// Tasks is the second number of "1/234" in /proc/loadavg.
func (machine) Tasks() int {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	if f := strings.Fields(string(b)); len(f) > 3 {
		_, total, _ := strings.Cut(f[3], "/")
		n, _ := strconv.Atoi(total)
		return n
	}
	return 0
}

func (machine) Alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	s, ok := parseStat(b)
	return err == nil && ok && !s.dead
}

// Memory is what a process wrote or shares without a file: the system can take
// pages of files back.
func (machine) Memory(pid int, exact bool) int64 {
	dir := "/proc/" + strconv.Itoa(pid)
	if exact {
		if sum, ok := sumKB(dir+"/smaps_rollup", "Pss_Anon:", "Pss_Shmem:", "SwapPss:"); ok {
			return sum
		}
	}
	resident := []string{"RssAnon:", "RssShmem:", "VmSwap:"}
	sum, ok := sumKB(dir+"/status", resident...)
	if !ok { // where its first thread has ended, the others have the memory
		threads, _ := filepath.Glob(dir + "/task/*/status")
		for i := 0; i < len(threads) && !ok; i++ {
			sum, ok = sumKB(threads[i], resident...)
		}
	}
	return sum
}

// sumKB adds lines "Name:  12 kB" of a file, in bytes. ok is false when the first is
// not there.
func sumKB(file string, names ...string) (sum int64, ok bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for i, name := range names {
		_, rest, found := bytes.Cut(b, []byte("\n"+name))
		if !found {
			if i == 0 {
				return 0, false
			}
			continue
		}
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(line)), " kB"), 10, 64)
		sum += kb << 10
	}
	return sum, true
}

func (machine) Name(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return strings.TrimSpace(string(b))
}

func (machine) Continue(pid int) { signalBelow(pid, unix.SIGCONT) }
func (machine) Parent(pid int) int {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	s, _ := parseStat(b)
	return s.ppid
}

func (machine) Interrupt(pid int) { signalBelow(pid, unix.SIGINT) }
func (machine) Kill(pid int)      { signalBelow(pid, unix.SIGKILL) }

// signalBelow sends a signal to a process below the guard. Its number may be
// another's by now: a handle is held while it is asked whose child it is.
func signalBelow(pid int, sig unix.Signal) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ENOSYS { // Linux before 5.3
		unix.Kill(pid, sig)
		return
	}
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if isBelow(pid) {
		unix.PidfdSendSignal(fd, sig, nil, 0)
	}
}

// isBelow reports whether a process descends from the guard.
func isBelow(pid int) bool {
	for guard := os.Getpid(); pid > 1; {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return false
		}
		s, ok := parseStat(b)
		if !ok {
			return false
		}
		if s.ppid == guard {
			return true
		}
		pid = s.ppid
	}
	return false
}
