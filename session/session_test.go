package session

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
)

var errNoStorage = errors.New("no storage in this test")

// gated makes a manager whose sessions prepare until open is called, and whose
// executions fail then: what a session does without any kernel.
func gated(t *testing.T) (m *Manager, open func()) {
	t.Helper()
	gate := make(chan struct{})
	m = NewManager(Config{
		Host:     &kernel.Host{},
		StateDir: t.TempDir(),
		Log:      slog.New(slog.DiscardHandler),
		Storage: func() (*codefile.Store, error) {
			<-gate
			return nil, errNoStorage
		},
	})
	return m, func() { close(gate) }
}

func execute(t *testing.T, s *Session, r Request) *Execution {
	t.Helper()
	e, err := s.Execute(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestFIFO: one prepares, the others wait in order, up to the limit; one that is
// taken out never runs.
func TestFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		s, err := m.Open("")
		if err != nil {
			t.Fatal(err)
		}
		first := execute(t, s, Request{Code: "first"})
		synctest.Wait()
		if r := first.Report(-1); r.State != StatePreparing || s.Current() != first {
			t.Errorf("the first: %s", r.State)
		}
		var waiting []*Execution
		for range maxQueue {
			waiting = append(waiting, execute(t, s, Request{Code: "1"}))
		}
		for i, e := range waiting {
			if r := e.Report(-1); r.State != StateQueued || r.Place != i || r.Ahead == nil || r.Ahead.ID != first.ID() || r.Ahead.Line != "first" {
				t.Errorf("%d: %s, place %d behind %+v", i, r.State, r.Place, r.Ahead)
			}
		}
		var full *QueueFullError
		if _, err := s.Execute(Request{Code: "1"}); !errors.As(err, &full) || full.Running != first.ID() || full.Limit != maxQueue || full.Session != DefaultName {
			t.Errorf("above the limit: %v", err)
		}
		begun := time.Now()
		if stopped, err := s.Interrupt(t.Context(), waiting[5], Stop{By: ByCall}); !stopped || err != nil || time.Since(begun) > 0 {
			t.Errorf("taken out: %t, %v", stopped, err)
		}
		if r := waiting[5].Report(-1); r.Outcome != OutcomeCancelled || r.Outcome.Ran() || r.Outcome.Failed() {
			t.Errorf("taken out: %s", r.Outcome)
		}
		if r := waiting[6].Report(-1); r.Place != 5 {
			t.Errorf("behind it: place %d", r.Place)
		}
		again := execute(t, s, Request{Code: "1"}) // there is room again
		open()
		again.Wait(t.Context())
		var last time.Time
		for i, e := range slices.Concat([]*Execution{first}, waiting, []*Execution{again}) {
			if i == 6 {
				continue
			}
			if r := e.Report(-1); r.Outcome != OutcomeFailed || !errors.Is(r.Err, errNoStorage) || e.ended.Before(last) {
				t.Errorf("%d: %s, %v", i, r.Outcome, r.Err)
			}
			last = e.ended
		}
	})
}

// TestWaitEnds: what ends a wait ends no execution.
func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		s, _ := m.Open("a")
		e := execute(t, s, Request{Code: "1"})
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		begun := time.Now()
		e.Wait(ctx)
		if took := time.Since(begun); took != 45*time.Second || e.Finished() {
			t.Errorf("waited %s, finished %t", took, e.Finished())
		}
		open()
		e.Wait(t.Context())
		if !e.Finished() {
			t.Error("not finished")
		}
	})
}

// TestInterruptPreparing: one that prepares is cancelled; when what it does ends
// late, the interrupt says after 5 s that it has not, and it never runs.
func TestInterruptPreparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		s, _ := m.Open("a")
		e := execute(t, s, Request{Code: "1"})
		synctest.Wait()
		begun := time.Now()
		stopped, err := s.Interrupt(context.WithoutCancel(t.Context()), e, Stop{By: ByCall})
		if took := time.Since(begun); stopped || err != nil || took != cancelTime {
			t.Errorf("after %s: %t, %v", took, stopped, err)
		}
		open()
		e.Wait(t.Context())
		if r := e.Report(-1); r.Outcome != OutcomeCancelled {
			t.Errorf("%s: %v", r.Outcome, r.Err)
		}
		if stopped, err := s.Interrupt(t.Context(), e, Stop{By: ByCall}); !stopped || err != nil {
			t.Errorf("when it has ended: %t, %v", stopped, err)
		}
	})
}

// TestStopAndClose: what waits in a session that is stopped or closed never runs.
func TestStopAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		s, _ := m.Open("a")
		current, waiting := execute(t, s, Request{Code: "1"}), execute(t, s, Request{Code: "2"})
		synctest.Wait()
		if had, err := m.Stop(t.Context(), "a", true); had || err != nil {
			t.Errorf("%t, %v", had, err)
		}
		if r := waiting.Report(-1); r.Outcome != OutcomeCancelled || !errors.Is(r.Err, errStopped) {
			t.Errorf("what waited: %s, %v", r.Outcome, r.Err)
		}
		open()
		current.Wait(t.Context())
		if r := current.Report(-1); r.Outcome != OutcomeCancelled {
			t.Errorf("what prepared: %s, %v", r.Outcome, r.Err)
		}
		m.Close(t.Context())
		m.Close(t.Context())
		if _, err := s.Execute(Request{Code: "3"}); !errors.Is(err, ErrClosed) {
			t.Errorf("after the close: %v", err)
		}
		if _, err := m.Open("b"); !errors.Is(err, ErrClosed) {
			t.Errorf("a new session: %v", err)
		}
	})
}

// TestGeneration: code that counts on a kernel that is not there is not queued.
func TestGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		defer open()
		s, _ := m.Open("a")
		e := execute(t, s, Request{Code: "1", Generation: 3})
		var generation *GenerationError
		if r := e.Report(-1); r.Outcome != OutcomeFailed || !errors.As(r.Err, &generation) || generation.Expected != 3 || generation.Actual != 0 || generation.Alive {
			t.Errorf("%s: %v", r.Outcome, r.Err)
		}
		s.generation = 2
		e = execute(t, s, Request{Code: "1", Generation: 2}) // its kernel is gone
		if r := e.Report(-1); !errors.As(r.Err, &generation) || generation.Actual != 2 || generation.Alive {
			t.Errorf("%s: %v", r.Outcome, r.Err)
		}
	})
}

// TestTold: an end is told once: by its own answer, or named by another's.
func TestTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		open()
		s, _ := m.Open("a")
		a, b, c := execute(t, s, Request{Code: "a"}), execute(t, s, Request{Code: "b"}), execute(t, s, Request{Code: "c"})
		c.Wait(t.Context())
		a.Report(-1).Delivered()
		names := func() string {
			var ids []string
			for _, r := range s.Others(c) {
				ids = append(ids, r.ID)
			}
			return strings.Join(ids, " ")
		}
		if got := names(); got != b.ID() {
			t.Errorf("untold beside c: %q, want %s", got, b.ID())
		}
		for _, r := range s.Others(c) {
			r.Mentioned()
		}
		if got := names(); got != "" {
			t.Errorf("told twice: %q", got)
		}
		if s.Latest() != c || s.Current() != nil {
			t.Error("latest or current is another one")
		}
	})
}

// TestNames: what a session may be called, and what is said of an unknown one.
func TestNames(t *testing.T) {
	m, open := gated(t)
	defer m.Close(t.Context())
	defer open()
	for _, name := range []string{"a", "Analyse 1", "日本", "x_y.z-1", strings.Repeat("n", 64), "_"} {
		if _, err := m.Open(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{" a", "../x", "a/b", "a\nb", strings.Repeat("n", 65), "-a", "a\x00", "a|b", "[a]", "\xff"} {
		var bad *NameError
		if _, err := m.Open(name); !errors.As(err, &bad) || bad.Name != name {
			t.Errorf("%q: %v", name, err)
		}
	}
	var unknown *UnknownSessionError
	if _, err := m.Find("nobody"); !errors.As(err, &unknown) || len(unknown.Known) != 6 || !slices.IsSorted(unknown.Known) {
		t.Errorf("%v", err)
	}
	for i := len(unknown.Known); i < maxSessions; i++ {
		if _, err := m.Open("s" + strings.Repeat("s", i)); err != nil {
			t.Error(err)
		}
	}
	var many *TooManySessionsError
	if _, err := m.Open("more"); !errors.As(err, &many) || len(many.Idle) != maxSessions || many.Limit != maxSessions {
		t.Errorf("%v", err)
	}
	if s, err := m.Open("a"); err != nil || s.Name() != "a" {
		t.Errorf("one there is: %v", err)
	}
}

// TestForgotten: the oldest finished executions are forgotten, never one that
// waits.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, open := gated(t)
		defer m.Close(t.Context())
		open()
		s, _ := m.Open("a")
		first := execute(t, s, Request{Code: "1"})
		for range keptExecutions {
			execute(t, s, Request{Code: "1"}).Wait(t.Context())
		}
		var unknown *UnknownExecutionError
		if _, err := m.Execution(first.ID()); !errors.As(err, &unknown) || unknown.Latest != s.Latest().ID() {
			t.Errorf("the first: %v", err)
		}
		if e, err := m.Execution(s.Latest().ID()); err != nil || e != s.Latest() {
			t.Errorf("the latest: %v", err)
		}
	})
}

// TestInstalledModule: a bare file on sys.path, as Debian's sitecustomize, has no version.
func TestInstalledModule(t *testing.T) {
	for want, status := range map[string]pyenv.PackageStatus{
		"the installed module sitecustomize": {Name: "sitecustomize"},
		"the package pandas 2.2.0":           {Name: "pandas", Version: "2.2.0"},
	} {
		if got := installedModule(status); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
