package spare

import (
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
)

// loop starts spares when they are due and looks after the one that waits.
func (k *Keeper) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		died, large := k.news()
		select {
		case <-k.ctx.Done():
			return
		case <-k.wake:
		case <-timer.C:
		case <-died:
		case <-large:
			k.importedLarge()
		}
		timer.Stop()
		if next := k.step(time.Now()); next > 0 {
			timer.Reset(next)
		}
	}
}

// news are the end of the spare that waits, and the first kernel's import of a large
// library: who waited for that once shall wait for less when it is done again.
func (k *Keeper) news() (died, large <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.waits != nil {
		died = k.waits.Done()
	}
	if k.first != nil {
		large = k.first.Large()
	}
	return died, large
}

func (k *Keeper) importedLarge() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.first = nil
	k.wantLocked(time.Now().Add(k.options.Pause))
}

func (k *Keeper) current() *waiting {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.waits
}

// step does what is due and returns when to look again, 0 for not before wake.
func (k *Keeper) step(now time.Time) time.Duration {
	k.forget(living.dead)
	if w := k.current(); w != nil {
		k.look(w, now)
	}
	if w := k.current(); w != nil {
		k.renew(w, now)
	}
	k.mu.Lock()
	key, due, waits := k.wanted, k.due, k.waits
	k.mu.Unlock()
	switch {
	case due.IsZero() && waits == nil:
		return 0
	case due.IsZero():
		return lookPause
	case waits != nil && reflect.DeepEqual(waits.key, key):
		k.settle(due)
		return lookPause
	case due.After(now):
		return due.Sub(now)
	case k.running():
		return retryPause // it holds back no run
	}
	if waits != nil && k.end(waits, "another one is wanted") {
		k.mu.Lock()
		k.wasted++
		k.mu.Unlock()
	}
	k.settle(due)
	k.start(key)
	return lookPause
}

// settle forgets a wish that was granted, or cannot be.
func (k *Keeper) settle(due time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.due.Equal(due) {
		k.due = time.Time{}
	}
}

// running reports whether any kernel that was started here runs code.
func (k *Keeper) running() bool {
	k.mu.Lock()
	all := slices.Clone(k.living)
	k.mu.Unlock()
	return slices.ContainsFunc(all, func(l living) bool { return !l.dead() && l.kernel.Current() != nil })
}

// look ends a spare that is of no use, and sees to another one where that makes sense.
func (k *Keeper) look(w *waiting, now time.Time) {
	select {
	case <-w.Done():
		if k.end(w, "it died") {
			k.lost(w, &k.deaths, mostDeaths, now)
		}
		return
	default:
	}
	if changed := w.seen.changed(); changed != "" {
		if k.end(w, "stale", "changed", changed) {
			k.lost(w, &k.stale, mostStale, now)
		}
		return
	}
	if why := k.short(0); why != "" {
		k.end(w, why)
		return
	}
	k.mu.Lock()
	if slices.ContainsFunc(k.living, func(l living) bool { return !l.dead() && reflect.DeepEqual(l.key, w.key) }) {
		w.needs = now
	}
	unused := now.Sub(w.needs)
	k.mu.Unlock()
	if unused >= unusedLimit {
		k.end(w, "no session has been there for it")
	}
}

// end ends the spare that waits. It reports false when a session has taken it meanwhile.
func (k *Keeper) end(w *waiting, why string, about ...any) bool {
	k.mu.Lock()
	ours := k.waits == w
	if ours {
		k.waits = nil
	}
	k.mu.Unlock()
	if ours {
		k.discard(w, why, about...)
	}
	return ours
}

// lost counts a spare that was lost and has another one started, but not for ever.
func (k *Keeper) lost(w *waiting, count *int, most int, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !reflect.DeepEqual(k.wanted, w.key) {
		return
	}
	if *count++; *count < most {
		k.wantLocked(now.Add(k.options.Pause))
	}
}

// start starts a spare, where the machine can afford it and no other server of the
// user holds one.
func (k *Keeper) start(key kernel.Spec) {
	k.mu.Lock()
	hopeless := k.deaths >= mostDeaths || k.stale >= mostStale || k.wasted >= mostWasted
	k.mu.Unlock()
	if hopeless {
		return
	}
	if why := k.cannotAfford(); why != "" {
		k.options.Log.Debug("no spare kernel: " + why)
		return
	}
	lock, err := tryLock(k.options.LockDir, key)
	if err != nil || lock == nil {
		k.options.Log.Debug("no spare kernel: another server has one, or no lock can be made", "err", err)
		return
	}
	w, err := k.prepareAhead(key)
	if err != nil {
		lock.release()
		k.failed(key, err)
		return
	}
	w.lock = lock
	if changed := w.seen.changed(); changed != "" { // while the start read it
		k.discard(w, "stale", "changed", changed)
		k.lost(w, &k.stale, mostStale, time.Now())
		return
	}
	k.mu.Lock()
	wanted := !k.closed && k.waits == nil && reflect.DeepEqual(k.wanted, key)
	if wanted {
		k.waits = w
	}
	k.mu.Unlock()
	w.restore() // now: who sees that it no longer gives way to others can have it
	if !wanted {
		k.discard(w, "it is wanted no more")
	}
}

// failed notes a spare that did not start.
func (k *Keeper) failed(key kernel.Spec, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !reflect.DeepEqual(k.wanted, key) {
		return
	}
	if k.deaths++; errors.Is(err, kernel.ErrOwnCode) {
		k.deaths = mostDeaths
	}
	if k.ctx.Err() == nil {
		k.options.Log.Info("spare kernel not started", "err", err)
	}
}

// prepare starts a spare and notes what its start has read.
func (k *Keeper) prepare(key kernel.Spec, imports []string) (*waiting, error) {
	began := time.Now()
	dir, err := identify(key.Dir)
	if err != nil {
		return nil, err
	}
	restore := func() {}
	spec := key
	if len(imports) > 0 {
		spec.StartTimeout = importsPatience
	}
	started, err := kernel.StartSpare(k.ctx, k.options.Host, spec, kernel.Ahead{Imports: imports, Begun: func(pid int) { restore = k.lower(pid) }})
	if err != nil {
		return nil, err
	}
	w := &waiting{Spare: started, key: key, imports: imports, restore: sync.OnceFunc(restore), needs: time.Now()}
	w.seen = observe(started.Sources(), began)
	w.seen.dir, w.seen.path = dir, key.Dir
	k.options.Log.Info("spare kernel ready", "pid", w.PID(), "imported", imports, "took", time.Since(began))
	return w, nil
}
