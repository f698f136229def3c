package limits

import (
	"slices"
	"time"
)

const (
	// fullLook is the time between two looks at the processes of a kernel.
	fullLook = 500 * time.Millisecond
	// quickLook is the time between two looks at the machine's number of tasks: a
	// fork bomb makes thousands in half a second.
	quickLook = 100 * time.Millisecond
	// After strikes too many processes within strikeTime the kernel is ended: it
	// goes on making them.
	strikes    = 3
	strikeTime = 10 * time.Second
)

// System is what a Watch sees of the machine, and does to processes. Actions on one
// that is not the kernel's any more do nothing.
type System interface {
	// Tree lists the kernel and all processes below its guard. Some that come or go
	// meanwhile may be missed.
	Tree() []int
	// Tasks counts the machine's, 0 when unknown.
	Tasks() int
	// Alive reports whether a process is there and no zombie, which takes nothing.
	Alive(pid int) bool
	// Parent is who started a process, or has it since its parent is gone; 0 when unknown.
	Parent(pid int) int
	// Memory is what a process alone takes, in bytes, at most; with exact, what it
	// shares is divided.
	Memory(pid int, exact bool) int64
	Name(pid int) string
	// Freeze stops all processes of the tree, so that none can start another while they
	// are ended, and lists those that live.
	Freeze(kernel int) []int
	Continue(pid int)
	Interrupt(pid int)
	Kill(pid int)
}

// Watch looks at the processes of one kernel and ends those that go over a limit.
// It belongs to the goroutine of Run.
type Watch struct {
	Held
	Kernel int // its process id
	System System
	// Hit is told what is about to be ended.
	Hit func(Hit)
	// Begun counts what was sent to the kernel to be run.
	Begun func() int64

	tasks int // of the machine at the last full look
	times []time.Time
}

// Run looks until done is closed.
func (w *Watch) Run(done <-chan struct{}) {
	every := fullLook
	if w.Processes > 0 {
		every = quickLook
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			if now.Sub(last) >= fullLook || w.bomb() {
				w.look()
				last = now
			}
		}
	}
}

// bomb reports whether the machine has so many new tasks that they may be too many
// of ours.
func (w *Watch) bomb() bool { return w.Processes > 0 && w.System.Tasks() > w.tasks+w.Processes }

func (w *Watch) look() {
	tree := w.System.Tree()
	w.tasks = w.System.Tasks()
	if w.Processes > 0 && len(tree) > w.Processes {
		if n := w.alive(tree); n > w.Processes {
			w.tooMany(n)
			return
		}
	}
	if w.watchesMemory() {
		w.weigh(tree)
	}
}

func (w *Watch) alive(tree []int) (n int) {
	for _, pid := range tree {
		if w.System.Alive(pid) {
			n++
		}
	}
	return n
}

// tooMany ends what the kernel has started. One that goes on starting processes is
// interrupted, and ended when that does not stop it. What goes on after an interrupt may be
// other code of the same run: it is told as well, and may start a few.
func (w *Watch) tooMany(count int) {
	hit := Hit{Kind: Processes, Bound: int64(w.Processes), Count: count}
	hit.Kernel = w.struck(time.Now())
	begun := w.Begun()
	var killed []int
	more := 0 // that the kernel has started since, and one that the first Freeze may have missed
	for round, anew := 0, true; ; round++ {
		stopped := w.System.Freeze(w.Kernel) // first: meanwhile they become more
		if anew {
			more = 0
		} else {
			more += w.started(stopped, killed)
		}
		killed = append(killed, stopped...)
		hit.Count = max(hit.Count, len(stopped))
		if hit.Kernel = hit.Kernel || round == subdueRounds; round != 1 || hit.Kernel {
			w.Hit(hit)
		}
		interrupted, few := more > 1, 0
		w.end(stopped, hit.Kernel, interrupted, begun)
		if interrupted || anew && round > 0 {
			few = w.Processes / 4
		}
		calm := w.quiet(killed, few)
		if hit.Kernel || calm >= quietTime || w.Begun() != begun { // what other code starts is for the next look
			break
		}
		anew = calm > heededTime
	}
	w.tasks = w.System.Tasks()
}

// An interrupt can be lost: Python drops an exception that is raised in what runs after a
// fork, which is nearly always in code that does nothing but fork.
const (
	subdueRounds = 10
	subduePause  = 25 * time.Millisecond
	quietTime    = 300 * time.Millisecond
	// heededTime is after how long without a new process code has ended or heeded an
	// interrupt: what comes then is other code's of the run, which was not interrupted yet.
	heededTime = 4 * subduePause
)

// end kills what is stopped. The kernel goes on, interrupted or not, or is killed too.
// begun is the code that an interrupt is for.
func (w *Watch) end(stopped []int, kernel, interrupt bool, begun int64) {
	for _, pid := range stopped {
		if pid != w.Kernel || kernel {
			w.System.Kill(pid)
		}
	}
	if kernel {
		return
	}
	w.System.Continue(w.Kernel)
	if interrupt {
		time.Sleep(subduePause) // out of a fork that it was stopped in
		if w.Begun() == begun {
			w.System.Interrupt(w.Kernel)
		}
	}
}

// started counts which of these the kernel has started, apart from those that were killed
// before. What came of them meanwhile has no living parent, and is not the kernel's.
func (w *Watch) started(all, killed []int) (n int) {
	for _, pid := range all {
		for pid != w.Kernel && !slices.Contains(killed, pid) && slices.Contains(all, pid) {
			if pid = w.System.Parent(pid); pid == w.Kernel {
				n++
			}
		}
	}
	return n
}

// quiet waits, for quietTime or until the kernel has started more than a few processes, and
// returns for how long it has waited. What was killed may take its time to die on a busy
// machine.
func (w *Watch) quiet(killed []int, few int) (calm time.Duration) {
	for begun := time.Now(); calm < quietTime; calm = time.Since(begun) {
		time.Sleep(subduePause)
		anew := slices.DeleteFunc(w.System.Tree(), func(pid int) bool { return pid == w.Kernel || slices.Contains(killed, pid) })
		if w.alive(anew) > few {
			return calm
		}
	}
	return calm
}

// struck notes that there were too many processes, and reports whether that was the
// last time.
func (w *Watch) struck(now time.Time) bool {
	for len(w.times) > 0 && now.Sub(w.times[0]) > strikeTime {
		w.times = w.times[1:]
	}
	w.times = append(w.times, now)
	return len(w.times) >= strikes
}

// weigh ends the largest process when all together take too much. It is the kernel
// only when that alone is too large, or has started none.
func (w *Watch) weigh(tree []int) {
	if _, total := w.measure(tree, false); total <= w.Memory {
		return
	}
	sizes, total := w.measure(tree, true)
	if total <= w.Memory {
		return
	}
	victim := w.Kernel
	if sizes[w.Kernel] <= w.Memory {
		most := int64(0)
		for pid, size := range sizes {
			if pid != w.Kernel && size > most {
				victim, most = pid, size
			}
		}
	}
	w.Hit(Hit{Kind: Memory, Bound: w.Memory, Kernel: victim == w.Kernel, PID: victim, Name: w.System.Name(victim), Memory: sizes[victim]})
	w.System.Kill(victim)
}

func (w *Watch) measure(tree []int, exact bool) (sizes map[int]int64, total int64) {
	sizes = map[int]int64{}
	for _, pid := range tree {
		size := w.System.Memory(pid, exact)
		sizes[pid] = size
		total += size
	}
	return sizes, total
}
