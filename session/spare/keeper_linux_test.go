package spare

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMain lets the test binary be a kernel's guard.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		syscall.Exit(guard.Main(os.Args[2:])) // os.Exit takes a second in race builds
	}
	os.Exit(testneeds.Run(m))
}

type fixture struct {
	*Keeper
	t    *testing.T
	spec kernel.Spec
	n    int
	code string // what the next kernel runs first
}

// fixtureIn makes a Keeper whose spares come at once; locks lie in dir.
func newFixture(t *testing.T, locks string) *fixture {
	t.Helper()
	reaper, err := guard.NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	host := &kernel.Host{RecordDir: filepath.Join(t.TempDir(), "records"), Reaper: reaper, Version: "test", Log: log}
	home := t.TempDir()
	f := &fixture{t: t, spec: kernel.Spec{
		Python: testneeds.Kernels(t)[0],
		Env:    []string{"PATH=/usr/bin:/bin", "HOME=" + home, "IPYTHONDIR=" + filepath.Join(home, "ipython"), "COLOUR=red"},
		Dir:    t.TempDir(), Session: "one", Generation: 1,
	}}
	// What IPython makes at its first start is older than any spare's.
	write(f, "ipython/profile_default/startup/README", "")
	startup, old := filepath.Join(home, "ipython/profile_default/startup"), time.Now().Add(-time.Hour)
	if err := os.Chtimes(startup, old, old); err != nil {
		t.Fatal(err)
	}
	f.Keeper = New(Options{Host: host, LockDir: locks, Mode: On, Log: log, Pause: time.Millisecond})
	f.lower = func(int) func() { return func() {} } // the machine may be busy with tests
	f.short = func(int64) string { return "" }
	t.Cleanup(func() {
		f.Close()
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// PID is that of the spare that waits, 0 for none.
func (f *fixture) PID() int {
	if w := f.current(); w != nil {
		return w.PID()
	}
	return 0
}

// start starts a kernel for a session of its own.
func (f *fixture) start(change func(*kernel.Spec)) *kernel.Kernel {
	f.t.Helper()
	f.n++
	spec := f.spec
	spec.Env = slices.Clone(spec.Env)
	spec.Session = fmt.Sprintf("session %d", f.n)
	if change != nil {
		change(&spec)
	}
	k, err := f.Start(f.t.Context(), spec, func() string { return f.code })
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(k.Close)
	return k
}

// spare waits until one is there.
func (f *fixture) spare() int {
	f.t.Helper()
	f.eventually("a spare", func() bool { return f.PID() != 0 })
	return f.PID()
}

func (f *fixture) eventually(what string, is func() bool) {
	f.t.Helper()
	for begun := time.Now(); !is(); time.Sleep(5 * time.Millisecond) { // polls
		if time.Since(begun) > 5*time.Minute {
			f.t.Fatalf("not within five minutes: %s", what)
		}
	}
}

// run runs code and returns what it put out.
func run(t *testing.T, k *kernel.Kernel, code string) string {
	t.Helper()
	e, err := k.Begin(kernel.Request{ID: "r", Code: code})
	if err != nil {
		t.Fatal(err)
	}
	e.Finish()
	from, to := e.Range()
	var b strings.Builder
	for entry, err := range k.Record().Read("r", from, to) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Output != nil {
			b.Write(entry.Output.Text.Inline)
			b.Write(entry.Output.Data["text/vnd.mce.note"].Inline)
		}
	}
	return strings.TrimSpace(b.String())
}

// TestHandedOver: a session cannot tell a spare from a kernel that was started for it.
func TestHandedOver(t *testing.T) {
	const look = `import os, sys, threading, random, warnings, signal
print(sorted(os.environ.items()), os.getcwd(), sys.argv, sys.path, sorted(sys.modules), In, Out, get_ipython().execution_count,
    threading.active_count(), os.nice(0), os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else 0,
    warnings.filters, signal.getsignal(signal.SIGINT), sorted(k for k in globals() if k[0] != "_"), sep="\n")`
	f := newFixture(t, t.TempDir())
	cold := f.start(nil)
	if f.PID() != 0 {
		t.Error("there is a spare after the first start")
	}
	f.start(nil)
	pid := f.spare()
	if err := os.WriteFile(filepath.Join(f.spec.Dir, "appeared.py"), []byte("x = 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := f.start(func(s *kernel.Spec) { s.Generation, s.Environment = 3, "that one" })
	if k.Info().PID != pid {
		t.Fatalf("process %d, the spare was %d", k.Info().PID, pid)
	}
	pidless := strings.NewReplacer(fmt.Sprint(pid), "PID", fmt.Sprint(cold.Info().PID), "PID",
		fmt.Sprint(guardOf(pid)), "GUARD", fmt.Sprint(guardOf(cold.Info().PID)), "GUARD")
	got, want := strings.Split(pidless.Replace(run(t, k, look)), "\n"), strings.Split(pidless.Replace(run(t, cold, look)), "\n")
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("line %d:\n%s\ncold:\n%s", i, got[min(i, len(got)-1)], want[i])
		}
	}
	if got := run(t, k, "import appeared; print(appeared.x, len(In))"); got != "7 3" {
		t.Errorf("what has appeared: %s", got)
	}
	for entry, err := range k.Record().Read("", 0, k.Record().Tail()) {
		if err != nil {
			t.Fatal(err)
		}
		if info := entry.Info; info != nil && (info.PID != pid || info.Session != "session 3" || info.Generation != 3 || info.Environment != "that one") {
			t.Errorf("its record: %+v", info)
		}
	}
	if dirs, _ := os.ReadDir(f.options.Host.RecordDir); len(dirs) != 3 {
		t.Errorf("%d records of three kernels", len(dirs))
	}
	if next := f.spare(); next == pid {
		t.Error("it is handed over and still waits")
	}
}

// guardOf is the parent of a process.
func guardOf(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	var parent int
	_, rest, _ := strings.Cut(string(text), ") ")
	fmt.Sscanf(rest, "%s %d", new(string), &parent)
	return parent
}

// TestNotHandedOver: another start gets no spare of this one, nor does the same start
// when it would read something else now.
// Each needs three kernels: rows like others are in TestMatrixNotHandedOver.
func TestNotHandedOver(t *testing.T) { notHandedOver(t, false) }

func TestMatrixNotHandedOver(t *testing.T) {
	testneeds.All(t)
	notHandedOver(t, true)
}

// notHandedOverLeft are left to TestMatrixNotHandedOver.
var notHandedOverLeft = []string{"one variable more", "directory", "code", "without prelude", "directory made anew", "start-up file"}

func notHandedOver(t *testing.T, matrix bool) {
	t.Helper()
	f := newFixture(t, t.TempDir())
	other := t.TempDir()
	f.start(nil)
	for _, test := range []struct {
		name   string
		change func(s *kernel.Spec)
		sees   string
	}{
		{"variable", func(s *kernel.Spec) { s.Env[3] = "COLOUR=blue" }, "blue "},
		{"one variable more", func(s *kernel.Spec) { s.Env = append(s.Env, "OMP_NUM_THREADS=1") }, "1 OMP"},
		{"directory", func(s *kernel.Spec) { s.Dir = other }, other},
		{"code", func(s *kernel.Spec) { s.Code = other }, other},
		{"without prelude", func(s *kernel.Spec) { s.PlainPython = true }, "red "},
		{"directory made anew", func(s *kernel.Spec) {
			os.Rename(s.Dir, s.Dir+".old")
			os.Mkdir(s.Dir, 0o700)
			t.Cleanup(func() { os.RemoveAll(s.Dir + ".old") })
		}, "red "},
		{"configuration", func(*kernel.Spec) {
			write(f, "ipython/profile_default/ipython_config.py", "c.InteractiveShell.colors = 'NoColor'")
		}, "nocolor"},
		{"start-up file", func(*kernel.Spec) { write(f, "ipython/profile_default/startup/a.py", "mine = 1") }, "mine"},
	} {
		if slices.Contains(notHandedOverLeft, test.name) != matrix {
			continue
		}
		f.mu.Lock()
		f.wasted = 0
		f.mu.Unlock()
		f.start(nil) // that is what is wanted again
		pid := 0
		f.eventually("a spare for it", func() bool {
			w := f.current()
			if w != nil && reflect.DeepEqual(w.key, keyOf(f.spec)) {
				pid = w.PID()
			}
			return pid != 0
		})
		k := f.start(test.change)
		if k.Info().PID == pid {
			t.Errorf("%s: the spare was handed over", test.name)
		}
		const code = `import os, sys
print(os.environ["COLOUR"], os.environ.get("OMP_NUM_THREADS"), "OMP", os.getcwd(), sys.path, get_ipython().colors.lower(), *[v for v in ["mine"] if v in globals()])`
		if got := run(t, k, code); !strings.Contains(got, test.sees) {
			t.Errorf("%s: it sees %q", test.name, got)
		}
	}
}

func write(f *fixture, name, text string) {
	f.t.Helper()
	path := filepath.Join(strings.TrimPrefix(f.spec.Env[1], "HOME="), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// TestOwnCode: start-up code of the user's runs for the kernels that he wants, and for
// no other.
func TestOwnCode(t *testing.T) {
	f := newFixture(t, t.TempDir())
	count := filepath.Join(t.TempDir(), "count")
	write(f, "ipython/profile_default/startup/a.py", fmt.Sprintf("open(%q, 'a').write('x')", count))
	f.start(nil)
	f.start(nil)
	f.eventually("the refusal", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.deaths >= mostDeaths
	})
	f.start(nil)
	if text, _ := os.ReadFile(count); string(text) != "xxx" || f.PID() != 0 {
		t.Errorf("it ran %d times for three kernels, spare %d", len(text), f.PID())
	}
}

// TestDeaths: one that dies is replaced once, and not again.
func TestDeaths(t *testing.T) {
	f := newFixture(t, t.TempDir())
	f.start(nil)
	f.start(nil)
	for range mostDeaths {
		pid := f.spare()
		syscall.Kill(pid, syscall.SIGKILL)
		f.eventually("its end to be seen", func() bool { return f.PID() != pid })
	}
	k := f.start(nil)
	if got := run(t, k, "print(6 * 7)"); got != "42" {
		t.Errorf("a start after that: %q", got)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waits != nil || f.deaths != mostDeaths {
		t.Errorf("after %d deaths there is one more", f.deaths)
	}
}

// TestMatrixWasted: starts that are different each time do not have spares made for ever.
func TestMatrixWasted(t *testing.T) {
	testneeds.All(t)
	f := newFixture(t, t.TempDir())
	f.start(nil)
	for n := range mostWasted + 1 {
		f.start(func(s *kernel.Spec) { s.Env[3] = fmt.Sprint("COLOUR=", n) })
		f.eventually("a decision", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.wasted >= mostWasted || f.waits != nil && f.waits.key.Env[3] == fmt.Sprint("COLOUR=", n)
		})
	}
	f.start(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wasted != mostWasted || f.waits != nil {
		t.Errorf("%d were started for nobody", f.wasted)
	}
}

// TestStopped: one that does not answer is not handed over, and keeps nobody waiting.
func TestStopped(t *testing.T) {
	f := newFixture(t, t.TempDir())
	f.start(nil)
	f.start(nil)
	pid := f.spare()
	syscall.Kill(pid, syscall.SIGSTOP)
	if k := f.start(nil); k.Info().PID == pid || run(t, k, "print(1)") != "1" {
		t.Error("the stopped one was handed over")
	}
}

// TestOneForAll: servers of one user hold one spare for the same start.
func TestOneForAll(t *testing.T) {
	locks := t.TempDir()
	one, two := newFixture(t, locks), newFixture(t, locks)
	two.spec = one.spec
	one.start(nil)
	one.start(nil)
	one.spare()
	two.start(nil)
	two.start(nil)
	two.eventually("its try", func() bool {
		two.mu.Lock()
		defer two.mu.Unlock()
		return two.looping && two.due.IsZero()
	})
	if two.PID() != 0 {
		t.Error("both have one")
	}
	one.Close()
	two.start(nil)
	two.spare()
	two.Close()
	if left, _ := os.ReadDir(locks); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestUseless: it ends when nobody has been there for it, and not before.
func TestUseless(t *testing.T) {
	f := newFixture(t, t.TempDir())
	a, b := f.start(nil), f.start(nil)
	f.spare()
	w := f.current()
	f.look(w, time.Now().Add(unusedLimit))
	if f.PID() == 0 {
		t.Fatal("it ended while sessions were there")
	}
	a.Close()
	b.Close()
	f.mu.Lock()
	w.needs = time.Now()
	f.mu.Unlock()
	f.look(w, time.Now().Add(unusedLimit-time.Minute))
	if f.PID() == 0 {
		t.Error("it ended early")
	}
	f.look(w, time.Now().Add(unusedLimit))
	if f.PID() != 0 {
		t.Error("it waits on")
	}
}

// TestLargeImport: the first kernel is enough where it has imported a large library.
func TestLargeImport(t *testing.T) {
	f := newFixture(t, t.TempDir())
	k := f.start(nil)
	run(t, k, "import json")
	run(t, k, "import sys, types; sys.modules['pandas'] = types.ModuleType('pandas')")
	pid := f.spare()
	if k := f.start(nil); k.Info().PID != pid {
		t.Error("it was not handed over")
	}
}

// TestHoldsBackNoRun: none is started while code runs.
func TestHoldsBackNoRun(t *testing.T) {
	f := newFixture(t, t.TempDir())
	k := f.start(nil)
	e, err := k.Begin(kernel.Request{ID: "loop", Code: "while True: pass"})
	if err != nil {
		t.Fatal(err)
	}
	f.start(nil)
	f.eventually("the wish to be put off", func() bool { return f.step(time.Now()) == retryPause })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := k.Interrupt(ctx); err != nil {
		t.Fatal(err)
	}
	e.Finish()
	f.spare()
}

// TestKey: whatever is part of a start tells two apart, but what no kernel reads.
func TestKey(t *testing.T) {
	not := []string{"Session", "Generation", "Environment", "StartTimeout"}
	kind := reflect.TypeFor[kernel.Spec]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		var one, two kernel.Spec
		field := reflect.ValueOf(&two).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int, reflect.Int64:
			field.SetInt(1)
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Pointer:
			field.Set(reflect.New(field.Type().Elem()))
		case reflect.Struct, reflect.Map:
			continue // compared as a whole
		default:
			t.Errorf("%s: a field of this kind cannot be compared", name)
		}
		if same := reflect.DeepEqual(keyOf(one), keyOf(two)); same != slices.Contains(not, name) {
			t.Errorf("%s: same=%t", name, same)
		}
	}
}
