package session

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestDefaultOfOne: the default session belongs to one conversation at a time; a new
// one gets the newest that nobody holds, else a new one. Named sessions are shared.
func TestDefaultOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		defer open()
		enter := func(label string) *Conversation {
			c := m.Join(Client{Keep: time.Hour})
			c.Label(label)
			return c
		}
		use := func(c *Conversation, given, want string) {
			t.Helper()
			s, err := m.OpenFor(c, given)
			if err != nil {
				t.Fatal(err)
			}
			if s.Name() != want {
				t.Errorf("%q is session %q, want %q", given, s.Name(), want)
			}
			execute(t, s, Request{Code: "1", By: c})
			time.Sleep(time.Minute)
		}
		a := enter("a")
		listing := enter("only lists tools, and holds nothing")
		use(a, "", "default")
		b := enter("b")
		use(b, "", "default-2")
		w := b.Welcome()
		if w.Default != "default-2" || w.Taken == nil || w.Taken.Client != "a" || w.Taken.Used != 2*time.Minute+restartTime {
			t.Errorf("the welcome of the second: %+v, %+v", w, w.Taken)
		}
		use(b, "default", "default") // by its name
		use(b, "work", "work")
		use(a, "work", "work")
		use(a, "", "default")
		a.Leave()
		a.Leave() // as often as one likes
		c := enter("c")
		use(c, "", "default")
		b.Leave()
		c.Leave()
		d := enter("d") // the newest of the two
		use(d, "", "default")
		d.Leave()
		e := enter("e")
		use(e, "default-2", "default-2") // named, so not held
		f := enter("f")
		use(f, "", "default-2")
		use(e, "", "default")
		use(enter("g"), "", "default-3")
		listing.Leave()
		if (*Conversation)(nil).Name("") != DefaultName || (*Conversation)(nil).Name("x") != "x" {
			t.Error("an only client shares everything")
		}
	})
}

// TestKeptSoLong: a session is kept from the moment at which the last conversation
// that had used it is gone and nothing runs in it.
func TestKeptSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		there := func(want ...string) {
			t.Helper()
			synctest.Wait()
			m.Expire(time.Now())
			synctest.Wait()
			var names []string
			for _, s := range m.Sessions() {
				names = append(names, s.Name())
			}
			if !slices.Equal(names, want) {
				t.Errorf("sessions %q, want %q", names, want)
			}
		}
		a, b := m.Join(Client{Keep: 10 * time.Minute}), m.Join(Client{Keep: 30 * time.Minute})
		for _, name := range []string{"both", "mine"} {
			s, _ := m.OpenFor(a, name)
			execute(t, s, Request{Code: "1", By: a})
		}
		m.OpenFor(a, "empty")
		m.OpenFor(b, "both")
		time.Sleep(24 * time.Hour)
		there("both", "empty", "mine") // used, and running
		a.Leave()
		there("both", "mine")
		time.Sleep(24 * time.Hour)
		there("both", "mine") // something runs
		open()
		time.Sleep(10*time.Minute - time.Second)
		there("both", "mine") // since the end of the run
		if next := m.Expire(time.Now()); time.Until(next) != time.Second {
			t.Errorf("the next is due in %s", time.Until(next))
		}
		time.Sleep(time.Second)
		there("both")
		b.Leave()
		time.Sleep(29 * time.Minute)
		there("both") // as long as the last one keeps it
		c := m.Join(Client{Keep: time.Minute})
		if s, err := m.OpenFor(c, "both"); err != nil {
			t.Error(err)
		} else if _, err := s.Execute(Request{Code: "1", By: c}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		there("both")
		if m.Idle() {
			t.Error("idle with a conversation")
		}
		c.Leave()
		time.Sleep(time.Minute)
		there()
		if !m.Idle() {
			t.Error("not idle")
		}
	})
}

// TestKeptOver: what is kept ends when its time is over, not before, each time anew,
// and nothing is left of it.
func TestKeptOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		open()
		for i := range 20 {
			keep := time.Duration(i+1) * time.Minute
			c := m.Join(Client{Keep: keep})
			for _, name := range []string{"", "work"} {
				s, err := m.OpenFor(c, name)
				if err != nil {
					t.Fatal(err)
				}
				execute(t, s, Request{Code: "1", By: c})
			}
			synctest.Wait()
			c.Leave()
			due := time.Now().Add(keep)
			if next := m.Expire(time.Now()); !next.Equal(due) {
				t.Errorf("%s: the next is due at %s, want %s", keep, next, due)
			}
			time.Sleep(keep - 1)
			if m.Expire(time.Now()); m.Idle() || len(m.Sessions()) != 2 {
				t.Errorf("%s: ended before its time", keep)
			}
			time.Sleep(time.Nanosecond)
			next := m.Expire(time.Now())
			synctest.Wait()
			if !m.Idle() || len(m.Kept()) != 0 || len(m.kept) != 0 || len(m.defaults) != 0 || !next.IsZero() {
				t.Errorf("%s: left: %+v, %v, %v, next %s", keep, m.Kept(), m.kept, m.defaults, next)
			}
		}
	})
}

// TestWelcome: what ended meanwhile is told with its id, and not what was told.
func TestWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		a := m.Join(Client{Keep: time.Hour, Variables: []string{"TOKEN=1", "SAME=x", "GONE=", "PWD=/a"}})
		if w := a.Welcome(); len(w.Back) != 0 || w.Taken != nil || w.Default != DefaultName {
			t.Errorf("the first of all: %+v", w)
		}
		s, _ := m.OpenFor(a, "")
		told, lost := execute(t, s, Request{Code: "1", By: a}), execute(t, s, Request{Code: "2", By: a})
		synctest.Wait()
		a.Leave()
		b := m.Join(Client{Keep: time.Hour})
		if w := b.Welcome(); len(w.Back) != 1 || w.Back[0].Running != told.ID() || len(w.Back[0].Finished) != 0 {
			t.Errorf("while it runs: %+v", w)
		}
		b.Leave()
		open()
		synctest.Wait()
		told.Report(-1).Delivered()
		c := m.Join(Client{Keep: time.Hour})
		w := c.Welcome()
		if len(w.Back) != 1 || w.Back[0].Name != DefaultName || !slices.Equal(w.Back[0].Finished, []Finished{{lost.ID(), OutcomeFailed}}) {
			t.Errorf("%+v", w)
		}
		d := m.Join(Client{})
		if w := d.Welcome(); w.Default != "default-2" || len(w.Back) != 0 {
			t.Errorf("another's default is told: %+v", w)
		}
	})
}

// TestRestart: a client that starts anew before the end of its old server is seen has
// its default session back.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		open()
		a := m.Join(Client{Keep: time.Hour})
		s, _ := m.OpenFor(a, "")
		execute(t, s, Request{Code: "1", By: a})
		synctest.Wait()
		time.AfterFunc(restartTime/2, a.Leave)
		b := m.Join(Client{Keep: time.Hour})
		begun := time.Now()
		if w := b.Welcome(); w.Default != DefaultName || w.Taken != nil || time.Since(begun) != restartTime/2 {
			t.Errorf("%+v after %s", w, time.Since(begun))
		}
	})
}

// TestKeptRuns: whoever would end the server is told of all that goes on in it: runs
// that have a kernel to themselves, and installations.
func TestKeptRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		defer open()
		s, _ := m.Open("")
		fresh, err := s.ExecuteFresh(Request{Code: "1"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		kept := m.Kept()
		if len(kept) != 2 || kept[0].Running != "" || kept[1].Running != fresh.ID() || kept[1].Name != "default (fresh kernel)" {
			t.Errorf("%+v", kept)
		}
		install := &Execution{session: s, kind: KindInstall, id: "abcd-1", state: StateInstalling}
		s.mu.Lock()
		s.latest, s.installing = install, install
		s.mu.Unlock()
		if sum := s.Summary(); sum.Running != "abcd-1" || sum.State != "installing" {
			t.Errorf("%+v", sum)
		}
		s.mu.Lock()
		s.installing = nil
		s.mu.Unlock()
	})
}

// TestReturn: a client that was taken to have left has its sessions again, but for a
// default session that another one has got meanwhile.
func TestReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		open()
		a := m.Join(Client{Keep: time.Hour})
		s, _ := m.OpenFor(a, "")
		execute(t, s, Request{Code: "1", By: a})
		synctest.Wait()
		a.Return() // it is there
		a.Leave()
		a.Return()
		if name := a.Name(""); name != DefaultName || a.Losses() != 0 {
			t.Errorf("%q, lost %d", name, a.Losses())
		}
		m.Expire(time.Now().Add(24 * time.Hour))
		if len(m.Sessions()) != 1 {
			t.Error("the session of a client that is there ended")
		}
		a.Leave()
		b := m.Join(Client{Keep: time.Hour})
		if name := b.Name(""); name != DefaultName {
			t.Errorf("%q", name)
		}
		a.Return()
		if w := a.Welcome(); w.Default != "default-2" || w.Taken == nil || a.Losses() != 1 {
			t.Errorf("%+v, lost %d", w, a.Losses())
		}
	})
}
