package guard

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"
)

// childPids lists the children of this process, zombies included. The file
// per thread is quick but optional in a kernel's configuration.
func childPids() []int {
	pids, ok := childrenOf("self")
	if !ok {
		return scanChildPids()
	}
	return pids
}

// ownProc reports whether /proc has the numbers by which this process knows others. In
// a sandbox with processes of its own it may be the machine's: each number in it is
// somebody else's here.
func ownProc() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// childrenOf lists the children of a process. ok is false where the system does
// not tell them by thread.
func childrenOf(process string) (pids []int, ok bool) {
	if !ownProc() {
		return nil, true
	}
	dir := "/proc/" + process + "/task/"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return nil, true
	}
	for _, task := range tasks {
		list, err := os.ReadFile(dir + task.Name() + "/children")
		if os.IsNotExist(err) {
			if _, err := os.Stat(dir + task.Name()); err == nil {
				return nil, false
			}
		}
		for _, f := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids, true
}

// scanChildPids is childPids by looking at every process there is. It is slower,
// but it misses nothing when threads or other children come and go meanwhile
// (proc(5) on "children").
func scanChildPids() []int { return scanChildrenOf(os.Getpid()) }

// scanChildrenOf lists the children of a process.
func scanChildrenOf(parent int) (pids []int) {
	eachProcess(func(s procStat) bool {
		if s.ppid == parent {
			pids = append(pids, s.pid)
		}
		return true
	})
	return pids
}

// procStat is what we use of /proc/PID/stat.
type procStat struct {
	pid, ppid int
	group     int    // of processes
	dead      bool   // a zombie, all threads
	ticks     uint64 // of CPU, with those of its reaped children
	pages     uint64 // resident
}

// eachProcess calls visit for every process until it returns false.
func eachProcess(visit func(procStat) bool) {
	if !ownProc() {
		return
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			if name[0] < '1' || name[0] > '9' {
				continue
			}
			// One that is gone by now is no error.
			stat, err := os.ReadFile("/proc/" + name + "/stat")
			if err != nil {
				continue
			}
			if s, ok := parseStat(stat); ok && !visit(s) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// parseStat reads a line of /proc/PID/stat. The name in parentheses may hold
// anything, parentheses and newlines too.
func parseStat(line []byte) (procStat, bool) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return procStat{}, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:open])))
	f := strings.Fields(string(line[end+1:]))
	if err != nil || len(f) < 22 {
		return procStat{}, false
	}
	s := procStat{pid: pid}
	if s.ppid, err = strconv.Atoi(f[1]); err != nil {
		return procStat{}, false
	}
	s.group, _ = strconv.Atoi(f[2])
	// The state is the first thread's, which may end before others (pthread_exit).
	s.dead = f[0] == "X" || f[0] == "Z" && f[17] <= "1"
	for _, ticks := range f[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseUint(ticks, 10, 64)
		s.ticks += n
	}
	s.pages, _ = strconv.ParseUint(f[21], 10, 64)
	return s, true
}

// ticksPerSecond is USER_HZ, 100 on every architecture Go runs on.
const ticksPerSecond = 100

// treeBudget bounds the time spent on exact memory: the system walks the page
// tables of a process to answer.
const treeBudget = 50 * time.Millisecond

// Tree measures the processes of the tree below pid, pid included. Memory is
// the proportional share (PSS), so that pages shared by forked workers count
// once; processes for which that could not be read, or not within about 50 ms,
// count with their resident size. Processes that come or go meanwhile may be
// missed. It returns an error if there is no such process.
func Tree(pid int) (Usage, error) {
	children := map[int][]int{}
	stats := map[int]procStat{}
	eachProcess(func(s procStat) bool {
		stats[s.pid] = s
		children[s.ppid] = append(children[s.ppid], s.pid)
		return true
	})
	if _, ok := stats[pid]; !ok {
		return Usage{}, os.ErrProcessDone
	}
	var u Usage
	var ticks uint64
	deadline := time.Now().Add(treeBudget)
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		s := stats[todo[0]]
		u.Processes++
		ticks += s.ticks
		memory, ok := int64(0), false
		if time.Now().Before(deadline) {
			memory, ok = pss(s.pid)
		}
		if !ok {
			memory = int64(s.pages) * int64(os.Getpagesize())
		}
		u.Memory += memory
		todo = append(todo, children[s.pid]...)
	}
	u.CPU = time.Duration(ticks) * time.Second / ticksPerSecond
	return u, nil
}

// pss is the proportional share of memory of one process, in bytes.
func pss(pid int) (int64, bool) {
	rollup, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(rollup)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "Pss:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}
