package guard

import "golang.org/x/sys/unix"

func becomeSubreaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// adopt takes over what a lost guard leaves. The kernel, kernelPid, is among
// the orphans.
func (r *Reaper) adopt(kernelPid int) { r.Sweep() }

// sweepOnce kills the children that are not known and reaps those that are
// dead, each by its own id: waiting for any would steal a child from the
// goroutine that waits for it. It returns how many may still be there.
func sweepOnce(known map[int]bool) (left int) {
	strangers := unknown(childPids(), known)
	if len(strangers) == 0 {
		// The quick list can miss one while others come and go: believe an
		// empty one only from the thorough one.
		strangers = unknown(scanChildPids(), known)
	}
	for _, pid := range strangers {
		if unix.Kill(pid, unix.SIGKILL) == unix.EPERM {
			continue // another user's; it will have to end by itself
		}
		left++ // even when dead: its children are looked for in the next round
		unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil)
	}
	return left
}

func unknown(pids []int, known map[int]bool) []int {
	var strangers []int
	for _, pid := range pids {
		if !known[pid] {
			strangers = append(strangers, pid)
		}
	}
	return strangers
}

// Collect reaps the dead children that were not started through r, and leaves
// the living alone. It is for process 1 of a container, to which the system
// gives every orphan there, such as what a person's `docker exec` leaves.
func (r *Reaper) Collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pid := range unknown(childPids(), r.children) {
		unix.Wait4(pid, nil, unix.WNOHANG|unix.WALL, nil)
	}
}
