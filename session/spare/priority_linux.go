package spare

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ioprio's classes, in its high bits.
const (
	ioprioProcess = 1 // IOPRIO_WHO_PROCESS
	ioprioIdle    = 3 << 13
)

// lowered is the nice of a spare that starts: a tenth of what others get, so that it
// comes to its end on a busy machine too.
const lowered = 10

// lowerPriority has a process that starts give way to others, as far as an ordinary
// user can take that back: its own nice only with RLIMIT_NICE. restore takes it back.
func lowerPriority(pid int) (restore func()) {
	before, err := unix.SchedGetAttr(pid, 0)
	if err != nil || before.Policy != unix.SCHED_NORMAL {
		return func() {} // as somebody has chosen
	}
	ioprio, _, failed := unix.RawSyscall(unix.SYS_IOPRIO_GET, ioprioProcess, uintptr(pid), 0)
	if failed != 0 {
		ioprio = 0
	}
	lower := *before
	if lower.Policy = unix.SCHED_BATCH; canLowerNice() {
		lower.Nice = max(lower.Nice, lowered)
	}
	ungroup := lowerGroup(pid)
	schedule(pid, &lower, ioprioIdle)
	return func() {
		ungroup()
		schedule(pid, before, ioprio)
	}
}

// lowerGroup does so for the session of processes that pid leads, which is how the
// system shares out processors where no cgroup does. Unlike a process's own nice, an
// ordinary user may lower a session's again.
func lowerGroup(pid int) (restore func()) {
	file := fmt.Sprintf("/proc/%d/autogroup", pid)
	text, _ := os.ReadFile(file) // "/autogroup-123 nice 0"
	_, before, _ := strings.Cut(strings.TrimSpace(string(text)), " nice ")
	if before == "" || os.WriteFile(file, []byte(strconv.Itoa(lowered)), 0) != nil {
		return func() {}
	}
	return func() {
		for range 5 { // an ordinary user has one change in a tenth of a second
			if !errors.Is(os.WriteFile(file, []byte(before), 0), unix.EAGAIN) {
				return
			}
			time.Sleep(110 * time.Millisecond)
		}
	}
}

// schedule sets the policy of all threads of a process, also of those that a thread
// which was not yet seen is starting.
func schedule(pid int, attr *unix.SchedAttr, ioprio uintptr) {
	done := map[int]bool{}
	for more := true; more; {
		more = false
		entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for _, entry := range entries {
			id, err := strconv.Atoi(entry.Name())
			if err != nil || done[id] {
				continue
			}
			done[id], more = true, true
			_ = unix.SchedSetAttr(id, attr, 0)
			_, _, _ = unix.RawSyscall(unix.SYS_IOPRIO_SET, ioprioProcess, uintptr(id), ioprio)
		}
	}
}

// canLowerNice tries to raise and lower it on a thread of its own, which ends.
func canLowerNice() bool {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread goes with the goroutine
		before, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			done <- false
			return
		}
		higher := *before
		higher.Nice = min(higher.Nice+1, 19)
		err = unix.SchedSetAttr(0, &higher, 0)
		if err == nil {
			err = unix.SchedSetAttr(0, before, 0)
		}
		done <- err == nil
	}()
	return <-done
}
