package spare

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
)

// Mode says whether there are spares.
type Mode int

// Modes.
const (
	Auto  Mode = iota // where the machine can afford it
	On                // unless memory is short
	Plain             // as Auto, and no libraries are imported ahead
	Off
)

// Options are what a Keeper needs.
type Options struct {
	Host *kernel.Host
	// LockDir is the directory of locks that all servers of the user share.
	LockDir string
	// UsageDir is where it is kept which large libraries an environment's sessions
	// import; "" keeps that in memory.
	UsageDir string
	Mode     Mode
	Log      *slog.Logger
	// Pause is how long after a start the next spare is started; 0 is 5 s.
	Pause time.Duration
}

// The policies, each a guess that has to be about right: a spare costs 50 MB.
const (
	startPause  = 5 * time.Second  // a new session runs its first code meanwhile
	nextPause   = time.Second      // after one was taken
	retryPause  = time.Second      // while something runs
	lookPause   = 10 * time.Second // between two looks at one that waits
	unusedLimit = 10 * time.Minute // without a session that could use it
	// mostLost is how many spares that nobody has taken may die, fail or become stale
	// until no more are started for their Spec.
	mostDeaths, mostStale = 2, 5
	// mostWasted is how many may make room for one of another Spec, which starts that
	// have a different variable each time ask for, until one is taken.
	mostWasted = 3
	// enoughStarts says that a server starts kernels more than once.
	enoughStarts = 2
)

// Keeper starts kernels, from a spare where there is one that fits. It is safe for concurrent use.
//
// Its goroutine is the loop, started by the first kernel's start, which starts spares,
// looks after the one that waits, and ends with Close.
type Keeper struct {
	options Options
	lower   func(pid int) (restore func()) // of a process that starts
	short   func(more int64) string        // of memory, if so many bytes more were used
	ctx     context.Context
	cancel  context.CancelFunc
	wake    chan struct{}  // buffered 1: something has changed
	wg      sync.WaitGroup // the loop, and spares being ended

	usageMu sync.Mutex // protects usage; taken after mu is released
	usage   usage

	mu      sync.Mutex // protects the fields below
	closed  bool
	looping bool
	starts  int            // of kernels
	first   *kernel.Kernel // until it, or another start, has had a spare wanted
	wanted  kernel.Spec    // the key of the newest
	due     time.Time      // when a spare of it is to be started; zero for none
	deaths  int            // of spares for wanted that nobody has taken
	stale   int
	wasted  int      // that made room for another Spec's
	plain   bool     // a spare for wanted could not import libraries ahead
	waits   *waiting // nil for none
	living  []living // kernels that were started, some of them dead
}

// waiting is a spare and what it was started with.
type waiting struct {
	*kernel.Spare
	key     kernel.Spec
	imports []string // libraries that it was to import
	restore func()   // its priority, once
	seen    stamps
	lock    *lock
	needs   time.Time // when a session with its key was last there
}

type living struct {
	kernel *kernel.Kernel
	key    kernel.Spec
}

// New returns a Keeper; nothing is started.
func New(o Options) *Keeper {
	if o.Pause == 0 {
		o.Pause = startPause
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Keeper{options: o, lower: lowerPriority, short: shortOfMemory, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1),
		usage: usage{dir: o.UsageDir, alive: map[string][][]string{}}}
}

// keyOf is what two starts must have in common for one to be as good as the other.
func keyOf(s kernel.Spec) kernel.Spec {
	s.Session, s.Generation, s.Environment, s.StartTimeout = "", 0, "", 0
	s.Share.Links = nil
	return s
}

// Start is [kernel.Start], by a spare where one fits. code returns what the kernel is
// to run first: a spare that has imported libraries does not fit all.
func (k *Keeper) Start(ctx context.Context, spec kernel.Spec, code func() string) (*kernel.Kernel, error) {
	if k.options.Mode == Off || spec.Command != nil { // a kernelspec's kernel tells not what it has read
		return kernel.Start(ctx, k.options.Host, spec)
	}
	key := keyOf(spec)
	started := k.fromSpare(ctx, spec, key, code)
	taken := started != nil
	if !taken {
		var err error
		if started, err = kernel.Start(ctx, k.options.Host, spec); err != nil {
			return nil, err
		}
	}
	k.note(started, key, taken)
	return started, nil
}

// fromSpare hands the spare over, or returns nil.
func (k *Keeper) fromSpare(ctx context.Context, spec, key kernel.Spec, code func() string) *kernel.Kernel {
	if w := k.current(); w != nil && len(w.imports) > 0 && couldTell(code()) {
		return nil
	}
	k.mu.Lock()
	w := k.waits
	if w == nil || !reflect.DeepEqual(w.key, key) {
		k.mu.Unlock()
		return nil
	}
	k.waits = nil
	k.mu.Unlock()
	w.lock.release()
	if changed := w.seen.changed(); changed != "" {
		k.discard(w, "stale", "changed", changed)
		return nil
	}
	w.restore()
	started, err := w.HandOver(ctx, spec)
	if err != nil {
		k.discard(w, "not handed over", "err", err)
		return nil
	}
	return started
}

// discard ends a spare that is in nobody's hands.
func (k *Keeper) discard(w *waiting, why string, about ...any) {
	k.options.Log.Info("spare kernel ended: "+why, append([]any{"pid", w.PID()}, about...)...)
	w.lock.release()
	k.mu.Lock()
	if closed := k.closed; !closed {
		k.wg.Go(w.Close)
		k.mu.Unlock()
		return
	}
	k.mu.Unlock()
	w.Close()
}

// note remembers a kernel that was started, and that a spare may be wanted.
func (k *Keeper) note(started *kernel.Kernel, key kernel.Spec, taken bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	k.living = append(k.living, living{started, key})
	k.starts++
	k.first = nil
	if taken {
		k.wasted = 0
	}
	if taken || !reflect.DeepEqual(k.wanted, key) {
		k.deaths, k.stale = 0, 0
	}
	if !reflect.DeepEqual(k.wanted, key) {
		k.plain = false
	}
	k.wanted = key
	switch {
	case taken:
		k.wantLocked(time.Now().Add(min(nextPause, k.options.Pause)))
	case k.starts >= enoughStarts:
		k.wantLocked(time.Now().Add(k.options.Pause))
	default:
		k.first = started
		k.loopLocked()
	}
}

// wantLocked has a spare started at that time, or when one was wanted already. The
// caller must hold k.mu.
func (k *Keeper) wantLocked(due time.Time) {
	if k.due.IsZero() {
		k.due = due
	}
	k.loopLocked()
	k.wakeUp()
}

func (k *Keeper) loopLocked() {
	if !k.looping && !k.closed {
		k.looping = true
		k.wg.Go(k.loop)
	}
}

func (k *Keeper) wakeUp() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (l living) dead() bool {
	select {
	case <-l.kernel.Done():
		return true
	default:
		return false
	}
}

// Close ends the spare. No kernel may be started afterwards.
func (k *Keeper) Close() {
	k.cancel()
	k.mu.Lock()
	k.closed = true
	w := k.waits
	k.waits = nil
	k.mu.Unlock()
	if w != nil {
		k.discard(w, "the server ends")
	}
	k.wg.Wait()
	k.forget(func(living) bool { return true })
}
