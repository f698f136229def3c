package session

// queue is the FIFO of a session: what waits, oldest first. It is plain data;
// the session's mutex protects it.
type queue struct {
	waiting []*Execution
}

// push appends e.
func (q *queue) push(e *Execution) { q.waiting = append(q.waiting, e) }

// pop removes the oldest, or returns nil.
func (q *queue) pop() *Execution {
	if len(q.waiting) == 0 {
		return nil
	}
	e := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return e
}

// remove takes e out and reports whether it was in.
func (q *queue) remove(e *Execution) bool {
	i := q.place(e)
	if i < 0 {
		return false
	}
	q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
	return true
}

// place returns how many wait before e, or -1.
func (q *queue) place(e *Execution) int {
	for i, w := range q.waiting {
		if w == e {
			return i
		}
	}
	return -1
}

// drain removes and returns all.
func (q *queue) drain() []*Execution {
	all := q.waiting
	q.waiting = nil
	return all
}

func (q *queue) len() int { return len(q.waiting) }
