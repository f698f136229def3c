package kernel

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// oomCounter reads how often the kernel's memory cgroup has killed a process. It
// is the only proof that a SIGKILL came for lack of memory.
type oomCounter struct {
	file string
	key  string
	seen atomic.Int64
}

// newOOMCounter finds the counter of a process's cgroup and notes its value. It
// counts nothing where there are no cgroups.
func newOOMCounter(pid int) *oomCounter {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return &oomCounter{}
	}
	for line := range strings.Lines(string(b)) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		var c *oomCounter
		switch {
		case id == "0" && controllers == "":
			c = firstCounter("oom_kill", filepath.Join("/sys/fs/cgroup", path, "memory.events"), "/sys/fs/cgroup/memory.events")
		case strings.Contains(","+controllers+",", ",memory,"):
			c = firstCounter("oom_kill", filepath.Join("/sys/fs/cgroup/memory", path, "memory.oom_control"), "/sys/fs/cgroup/memory/memory.oom_control")
		}
		if c != nil {
			return c
		}
	}
	return &oomCounter{}
}

// firstCounter takes the first file that has the key: inside a container the
// path of /proc is not the one that is mounted.
func firstCounter(key string, files ...string) *oomCounter {
	for _, file := range files {
		c := &oomCounter{file: file, key: key}
		if n, ok := c.read(); ok {
			c.seen.Store(n)
			return c
		}
	}
	return nil
}

// rose reports whether the cgroup has killed a process since the counter was made.
func (c *oomCounter) rose() bool {
	n, ok := c.read()
	return ok && n > c.seen.Load()
}

// again counts from now on: what the cgroup killed before is not this kernel's.
func (c *oomCounter) again() {
	if n, ok := c.read(); ok {
		c.seen.Store(n)
	}
}

func (c *oomCounter) read() (int64, bool) {
	if c.file == "" {
		return 0, false
	}
	b, err := os.ReadFile(c.file)
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(b) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if key == c.key {
			n, err := strconv.ParseInt(value, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
