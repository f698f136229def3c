package limits

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Limits are of one kernel and everything it starts. 0 is no limit.
type Limits struct {
	// Memory is in bytes: of each process, and of all of them together.
	Memory int64
	// CPU is in cores, of all processes together.
	CPU float64
	// Processes counts them, the kernel included, threads not.
	Processes int
	// FileSize is the most that a file may grow to, in bytes.
	FileSize int64
}

// Any reports whether there is a limit.
func (l Limits) Any() bool { return l != Limits{} }

// Cores is CPU as a number of whole cores.
func (l Limits) Cores() int { return int(math.Ceil(l.CPU)) }

// Kind is what a limit is of.
type Kind string

// Kinds of limits.
const (
	Memory    Kind = "memory"
	CPU       Kind = "cpu"
	Processes Kind = "processes"
	FileSize  Kind = "file size"
)

// Set lists the kinds of which there is a limit.
func (l Limits) Set() (kinds []Kind) {
	for _, k := range []struct {
		kind Kind
		set  bool
	}{{Memory, l.Memory > 0}, {CPU, l.CPU > 0}, {Processes, l.Processes > 0}, {FileSize, l.FileSize > 0}} {
		if k.set {
			kinds = append(kinds, k.kind)
		}
	}
	return kinds
}

// Bound is a limit's value, in bytes or processes; 0 of CPU.
func (l Limits) Bound(k Kind) int64 {
	return map[Kind]int64{Memory: l.Memory, Processes: int64(l.Processes), FileSize: l.FileSize}[k]
}

// Hit is a limit that a kernel's processes ran into.
type Hit struct {
	Kind  Kind
	Bound int64 // the limit, in bytes or processes
	At    time.Time

	// Refused says that the system refused what was asked for, and nothing was
	// ended: Python raised an exception.
	Refused bool
	// Earlier says that it was before the run with which it is told.
	Earlier bool
	// Kernel says that the kernel itself was ended.
	Kernel bool
	// PID, Name and Memory are of the process that was ended for memory; not of one
	// that the system ended by its cgroup.
	PID    int
	Name   string
	Memory int64 // in bytes
	// Count is how many processes there were, of Processes.
	Count int
}

// Held is how a kernel's limits are held.
type Held struct {
	Limits
	// Cgroup is the directory of the kernel's own cgroup, "" where there is none.
	Cgroup string
}

// Arg writes h as one argument of a command line, which [ParseHeld] reads.
func (h Held) Arg() string {
	return fmt.Sprintf("%d,%g,%d,%d,%s", h.Memory, h.CPU, h.Processes, h.FileSize, h.Cgroup)
}

// ParseHeld reads what [Held.Arg] wrote.
func ParseHeld(arg string) (h Held, err error) {
	f := strings.SplitN(arg, ",", 5)
	if len(f) != 5 {
		return Held{}, fmt.Errorf("limits %q: not five fields", arg)
	}
	var errs [4]error
	h.Memory, errs[0] = strconv.ParseInt(f[0], 10, 64)
	h.CPU, errs[1] = strconv.ParseFloat(f[1], 64)
	h.Processes, errs[2] = strconv.Atoi(f[2])
	h.FileSize, errs[3] = strconv.ParseInt(f[3], 10, 64)
	for _, err := range errs {
		if err != nil {
			return Held{}, fmt.Errorf("limits %q: %w", arg, err)
		}
	}
	h.Cgroup = f[4]
	return h, nil
}

// Watched reports whether somebody must look at the processes: their number, and
// without a cgroup their memory, is nothing that the system bounds.
func (h Held) Watched() bool { return h.Processes > 0 || h.watchesMemory() }

func (h Held) watchesMemory() bool { return h.Memory > 0 && h.Cgroup == "" }

// Means says by what each limit is held, for a person.
func (h Held) Means() map[Kind]string {
	look := fmt.Sprintf("a look every %g s", fullLook.Seconds())
	means := map[Kind]string{
		Memory:    "in each process by RLIMIT_DATA, in all together by " + look,
		CPU:       fmt.Sprintf("by CPU affinity (%s)", plural(h.Cores())),
		Processes: "by " + look,
		FileSize:  "by RLIMIT_FSIZE",
	}
	if h.Cgroup != "" {
		means[Memory] = "in each process by RLIMIT_DATA, in all together by cgroup (memory.max)"
		means[CPU] = "by cgroup (cpu.max)"
		means[Processes] += fmt.Sprintf(", and cgroup (pids.max) %d tasks above it", spareTasks)
	}
	return means
}

func plural(cores int) string {
	if cores == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d cores", cores)
}
