package guard

import "golang.org/x/sys/unix"

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
