package settings

import (
	"math"
	"runtime"
	"strconv"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// Bounds of the limits: with less a kernel does not start.
const (
	minMemory   = 128 << 20
	minFileSize = 1 << 20
	minCPU      = 0.1
	maxCPU      = 4096
)

func limitRows() []Setting {
	size := "a size such as 512MiB or 8GiB, or none"
	return []Setting{
		{
			Name: "MEMORY_LIMIT", Rights: true, Default: "`none`", Values: size,
			Does: "how much memory the code of a session may take",
			Page: "how much memory the code of a session may take, with all processes that it starts (`8GiB`): [how limits work](#limits-that-you-set)",
			read: func(s *Settings, value string) *Problem {
				return readLimit(limits.Memory, value, func() *Problem { return readLimitSize("MEMORY_LIMIT", value, minMemory, &s.Limits.Memory) })
			},
		},
		{
			Name: "CPU_LIMIT", Rights: true, Default: "`none`", Values: "a number of cores such as 2 or 1.5, or none",
			Does: "how many processor cores the code of a session may use",
			Page: "how many processor cores the code of a session may use, as `docker --cpus` (`2`, `1.5`)",
			read: func(s *Settings, value string) *Problem {
				return readLimit(limits.CPU, value, func() *Problem { return readCores(s, value) })
			},
		},
		{
			Name: "PROCESS_LIMIT", Rights: true, Default: "`none`", Values: "a number of processes such as 50, or none",
			Does: "how many processes a session may have at a time",
			Page: "how many processes a session may have at a time, with the kernel, threads not counted (`50`)",
			read: func(s *Settings, value string) *Problem {
				return readLimit(limits.Processes, value, func() *Problem { return readProcesses(s, value) })
			},
		},
		{
			Name: "FILE_SIZE_LIMIT", Rights: true, Default: "`none`", Values: size,
			Does: "how large a file may become that the code of a session writes",
			Page: "how large a file may become that the code of a session writes (`2GiB`)",
			read: func(s *Settings, value string) *Problem {
				return readLimit(limits.FileSize, value, func() *Problem {
					return readLimitSize("FILE_SIZE_LIMIT", value, minFileSize, &s.Limits.FileSize)
				})
			},
		},
	}
}

// readLimit reads a limit that is not off. A limit that cannot be read, or not be held
// here, is not left out: nothing runs until it is right.
func readLimit(kind limits.Kind, value string, read func() *Problem) *Problem {
	if isOff(value) {
		return nil
	}
	p := read()
	if p == nil && !limits.Can(kind) {
		p = &Problem{Reason: "cannot be enforced on " + map[string]string{"darwin": "macOS", "windows": "Windows", "linux": "a system whose /proc does not show this server, as in some sandboxes"}[runtime.GOOS], Fix: "remove it"}
	}
	if p != nil {
		p.Effect, p.NoKernel = "no kernel is started", true
	}
	return p
}

func readLimitSize(name, value string, least int64, size *int64) *Problem {
	n, reason := readSize(value)
	fix := name + "=8GiB, 512MiB or none"
	switch {
	case reason != "" && strings.Trim(value, "0123456789") == "":
		return &Problem{Reason: reason, Fix: name + "=" + value + "MiB"}
	case reason != "":
		return &Problem{Reason: reason, Fix: fix}
	case n < least:
		return &Problem{Reason: "is less than " + strconv.FormatInt(least>>20, 10) + "MiB", Fix: fix}
	}
	*size = n
	return nil
}

func readCores(s *Settings, value string) *Problem {
	cores, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(cores) || cores < minCPU || cores > maxCPU {
		return &Problem{Reason: "is not a number of cores from 0.1 to 4096", Fix: "CPU_LIMIT=2, 1.5 or none"}
	}
	s.Limits.CPU = cores
	return nil
}

func readProcesses(s *Settings, value string) *Problem {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 1 {
		return &Problem{Reason: "is not a number of processes", Fix: "PROCESS_LIMIT=50 or none"}
	}
	s.Limits.Processes = int(n)
	return nil
}

// readSize reads a size, in bytes. Units are of 1024, whether they are written MB, MiB
// or M. The reason says why it is none.
func readSize(value string) (size int64, reason string) {
	text := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(value), "b"), "i")
	shift, ok := map[string]int{"k": 10, "m": 20, "g": 30, "t": 40}[text[max(0, len(text)-1):]]
	if !ok {
		if strings.Trim(value, "0123456789") == "" {
			return 0, "is a number without a unit"
		}
		return 0, "is not a size"
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text[:len(text)-1]), 10, 64)
	if err != nil || n <= 0 || n > 1<<20 {
		return 0, "is not a size"
	}
	return n << shift, ""
}
