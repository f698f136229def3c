package limits

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a machine of a few processes. 1 is the kernel.
type fake struct {
	sizes   map[int]int64 // by process, those that live
	zombies []int
	shared  int64 // that a quick measure counts too often, in each
	forks   int   // how many processes the kernel still starts, whenever it goes on
	stopped bool
	heeds   bool  // an interrupt ends its forking
	orphans int   // how many turn up, when the kernel goes on, that what was killed has started
	begun   int64 // how much code was sent
	sent    int64 // how much is after the interrupt
	later   int   // how many processes other code starts after the interrupt
	rests   int   // for how many looks it waits
	lingers int   // for how many looks what was killed is still there
	dying   map[int]int
	struck  int // interrupts
	next    int
	hits    []Hit
}

// orphan is a process whose parent is gone.
const orphan = 50

func (f *fake) Tree() []int {
	for pid := range f.dying {
		if f.dying[pid]--; f.dying[pid] < 0 {
			delete(f.dying, pid)
			f.die(pid)
		}
	}
	if f.struck > 0 && f.rests > 0 {
		f.rests--
		return slices.Sorted(maps.Keys(f.sizes))
	}
	for f.forks > 0 && !f.stopped {
		f.next++
		f.sizes[f.next] = 1
		if f.forks--; f.next%10 == 0 {
			break
		}
	}
	return append(slices.Sorted(maps.Keys(f.sizes)), f.zombies...)
}
func (f *fake) Tasks() int         { return len(f.sizes) }
func (f *fake) Alive(pid int) bool { _, ok := f.sizes[pid]; return ok }
func (f *fake) Parent(pid int) int {
	if pid == orphan {
		return 0
	}
	return 1
}
func (f *fake) Name(int) string { return "python" }
func (f *fake) Memory(pid int, exact bool) int64 {
	if exact {
		return f.sizes[pid]
	}
	return f.sizes[pid] + f.shared
}
func (f *fake) Freeze(int) []int {
	f.stopped = true
	return slices.Sorted(maps.Keys(f.sizes))
}
func (f *fake) Continue(pid int) {
	if f.stopped = f.stopped && pid != 1; f.orphans > 0 {
		f.orphans--
		f.sizes[orphan] = 1
	}
}
func (f *fake) Interrupt(int) {
	f.struck++
	if f.heeds {
		f.forks, f.later = f.later, 0
		f.begun += f.sent
	}
}
func (f *fake) Kill(pid int) {
	if f.lingers > 0 {
		f.dying[pid] = f.lingers
		return
	}
	f.die(pid)
}
func (f *fake) die(pid int) {
	if _, ok := f.sizes[pid]; ok {
		f.zombies = append(f.zombies, pid)
	}
	delete(f.sizes, pid)
}

// watch lets a watch look at f for a while, and returns what it did.
func watch(t *testing.T, held Held, f *fake, d time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f.next = 100
		w := &Watch{Held: held, Kernel: 1, System: f, Hit: func(h Hit) { f.hits = append(f.hits, h) }, Begun: func() int64 { return f.begun }}
		done := make(chan struct{})
		go w.Run(done)
		time.Sleep(d) // of the bubble's clock
		close(done)
		synctest.Wait()
	})
}

// TestWatchMemory: the largest child goes before the kernel, unless the kernel alone
// is too large; what is shared counts once.
func TestWatchMemory(t *testing.T) {
	for _, test := range []struct {
		name   string
		held   Held
		sizes  map[int]int64
		shared int64
		ended  []int // in order
	}{
		{"within", Held{Limits: Limits{Memory: 100}}, map[int]int64{1: 50, 2: 50}, 0, nil},
		{"within, shared", Held{Limits: Limits{Memory: 100}}, map[int]int64{1: 30, 2: 30, 3: 30}, 60, nil},
		{"children", Held{Limits: Limits{Memory: 100}}, map[int]int64{1: 80, 2: 30, 3: 40}, 0, []int{3, 2}},
		{"kernel alone too large", Held{Limits: Limits{Memory: 100}}, map[int]int64{1: 101, 2: 30}, 0, []int{1}},
		{"a cgroup has it", Held{Limits: Limits{Memory: 100}, Cgroup: "/x"}, map[int]int64{1: 500}, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fake{sizes: maps.Clone(test.sizes), shared: test.shared}
			watch(t, test.held, f, 3*time.Second)
			var ended []int
			for _, h := range f.hits {
				ended = append(ended, h.PID)
				if h.Kind != Memory || h.Kernel != (h.PID == 1) || h.Memory != test.sizes[h.PID] || h.Name != "python" || h.Bound != 100 {
					t.Errorf("%+v", h)
				}
			}
			if !slices.Equal(ended, test.ended) || len(f.zombies) != len(ended) {
				t.Errorf("ended %v, want %v", ended, test.ended)
			}
		})
	}
}

// TestWatchProcesses: too many are ended, and the kernel lives if it heeds the interrupt.
// What other code starts then is told if it is ended. Zombies do not count.
func TestWatchProcesses(t *testing.T) {
	held := Held{Limits: Limits{Processes: 20}}
	for _, test := range []struct {
		name  string
		fake  *fake
		hits  int
		lives bool
		left  int // that nothing has ended
		most  int // interrupts
	}{
		{"few", &fake{sizes: map[int]int64{1: 1}, forks: 10}, 0, true, 10, 0},
		{"many zombies", &fake{sizes: map[int]int64{1: 1}, zombies: make([]int, 100)}, 0, true, 0, 0},
		{"many that die slowly", &fake{sizes: map[int]int64{1: 1}, forks: 20, lingers: 8, dying: map[int]int{}}, 1, true, 0, 0},
		{"a child's bomb", &fake{sizes: map[int]int64{1: 1}, forks: 20, orphans: 1}, 1, true, 0, 0},
		{"a bomb that heeds", &fake{sizes: map[int]int64{1: 1}, forks: 1000, heeds: true}, 1, true, 0, 1},
		{"a bomb, then other code that starts a few", &fake{sizes: map[int]int64{1: 1}, forks: 1000, heeds: true, later: 3}, 1, true, 3, 1},
		{"a bomb, then code that is sent", &fake{sizes: map[int]int64{1: 1}, forks: 1000, heeds: true, later: 12, sent: 1}, 1, true, 12, 1},
		{"a bomb, later a child's", &fake{sizes: map[int]int64{1: 1}, forks: 1000, heeds: true, later: 10, rests: 8}, 2, true, 0, 1},
		{"a bomb, then another", &fake{sizes: map[int]int64{1: 1}, forks: 1000, heeds: true, later: 900}, 2, true, 0, 2},
		{"a bomb that heeds nothing", &fake{sizes: map[int]int64{1: 1}, forks: 1_000_000}, 10, false, 0, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			watch(t, held, test.fake, 10*time.Second)
			_, lives := test.fake.sizes[1]
			if len(test.fake.hits) != test.hits || lives != test.lives || lives && test.fake.stopped {
				t.Errorf("%+v, lives: %t, stopped: %t", test.fake.hits, lives, test.fake.stopped)
			}
			for i, h := range test.fake.hits {
				if h.Kind != Processes || h.Bound != 20 || h.Count <= 20 || h.Kernel != (!lives && i == test.hits-1) {
					t.Errorf("%+v", h)
				}
			}
			if test.fake.struck > test.most {
				t.Errorf("%d interrupts", test.fake.struck)
			}
			if lives && len(test.fake.sizes) != 1+test.left {
				t.Errorf("%d processes are left", len(test.fake.sizes)-1)
			}
		})
	}
}
