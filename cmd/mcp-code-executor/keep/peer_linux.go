package keep

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// credentials tells who is at the other end of a socket.
func credentials(fd int) (uid, pid int, err error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, 0, err
	}
	return int(c.Uid), int(c.Pid), nil
}

// statFields are the fields of /proc/PID/stat behind the name, which may hold
// anything: the state, the parent, …
func statFields(pid int) []string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	text := string(stat)
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
}

// parent is the parent of a process, 0 when that is not known.
func parent(pid int) int {
	fields := statFields(pid)
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

// stopped reports whether a process was stopped by a signal, which time does not end.
func stopped(pid int) bool {
	fields := statFields(pid)
	return len(fields) > 0 && strings.ContainsAny(fields[0], "Tt")
}
