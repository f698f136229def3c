package spare

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// What must be left of memory, and how much of the last ten seconds some process may
// have waited for it.
const (
	leastFree   = 512 << 20
	leastPart   = 0.10
	mostWaiting = 5.0 // percent
)

// shortOfMemory says whether a spare would be in the way of what is used, if so many
// bytes more were.
func shortOfMemory(more int64) string {
	total, free := meminfo(readFile("/proc/meminfo"))
	free -= more
	if total > 0 && (free < leastFree || float64(free) < leastPart*float64(total)) {
		return "memory is short"
	}
	if pressure(readFile("/proc/pressure/memory")) > mostWaiting {
		return "processes wait for memory"
	}
	for _, dir := range cgroups(readFile("/proc/self/cgroup")) {
		limit, used := number(dir, "memory.max", "memory.limit_in_bytes"), number(dir, "memory.current", "memory.usage_in_bytes")
		used -= inactive(readFile(filepath.Join(dir, "memory.stat"))) // given back when it is needed
		if limit > 0 && (total == 0 || limit < total) && limit-used-more < min(leastFree, limit/4) {
			return "the memory of this control group is short"
		}
	}
	return ""
}

// readFile is "" where there is no such file.
func readFile(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// meminfo reads /proc/meminfo, in bytes.
func meminfo(text string) (total, available int64) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "MemTotal:":
			total = n << 10
		case "MemAvailable:":
			available = n << 10
		}
	}
	return total, available
}

// pressure reads the part of the last ten seconds in which some process waited.
func pressure(text string) float64 {
	_, rest, _ := strings.Cut(text, "some avg10=")
	value, _, _ := strings.Cut(rest, " ")
	n, _ := strconv.ParseFloat(value, 64)
	return n
}

// cgroups are the directories of this process's memory cgroup, as far as they are
// mounted where they usually are; inside a container the path is the root's.
func cgroups(text string) (dirs []string) {
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		root := "/sys/fs/cgroup"
		if parts[1] != "" {
			root = "/sys/fs/cgroup/memory"
		}
		if parts[1] == "" || strings.Contains(","+parts[1]+",", ",memory,") {
			dirs = append(dirs, filepath.Join(root, parts[2]), root)
		}
	}
	return dirs
}

// number reads the first of two files that has a number: of the two kinds of cgroups.
func number(dir string, names ...string) int64 {
	for _, name := range names {
		if n, err := strconv.ParseInt(strings.TrimSpace(readFile(filepath.Join(dir, name))), 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// inactive is what a cgroup's cache of files holds and has not used of late.
func inactive(text string) int64 {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "inactive_file" || name == "total_inactive_file" {
			n, _ := strconv.ParseInt(value, 10, 64)
			return n
		}
	}
	return 0
}

const supplies = "/sys/class/power_supply"

// onBattery says whether a battery is being emptied.
func onBattery() string { return batteryIn(supplies) }

func batteryIn(dir string) string {
	all, _ := filepath.Glob(filepath.Join(dir, "*"))
	empties := false
	for _, supply := range all {
		kind := strings.TrimSpace(readFile(filepath.Join(supply, "type")))
		scope := strings.TrimSpace(readFile(filepath.Join(supply, "scope")))
		switch {
		case scope == "Device": // a mouse's
		case kind == "Battery" && strings.TrimSpace(readFile(filepath.Join(supply, "status"))) == "Discharging":
			empties = true
		case kind != "Battery" && strings.TrimSpace(readFile(filepath.Join(supply, "online"))) == "1":
			return ""
		}
	}
	if empties {
		return "on battery"
	}
	return ""
}
