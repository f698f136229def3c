package guard

import "time"

// Usage is what a tree of processes takes.
type Usage struct {
	// Processes counts them; 0 where the system does not tell.
	Processes int
	// Memory is in bytes; see [Tree] for what is counted.
	Memory int64
	// CPU is the processor time used so far, user and system, with that of
	// ended children.
	CPU time.Duration
}

// Usage measures the kernel and everything below its guard, daemons included.
// It is meant for a person's list of sessions: some milliseconds, no more than
// about 100.
func (p *Process) Usage() (Usage, error) { return Tree(p.guardPid) }
