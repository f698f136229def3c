package sandbox

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// without is a place where there is no bubblewrap, and this version of Landlock.
func without(t *testing.T, landlock int, names ...string) Place {
	p := newPlace(t, names...)
	p.Landlock, p.NoBubblewrap = landlock, &confine.Refused{Reason: "bubblewrap is missing", Next: "install it"}
	return p
}

// TestLandlockPlan: a directory with protected names can only be read, unless SANDBOX_WRITE
// names it, and then what it holds is told to be unprotected.
func TestLandlockPlan(t *testing.T) {
	files := []string{"work/.git/config", "work/.venv/pyvenv.cfg", "other/a", "plain/a", "work/sub/a"}
	in := func(home, name string) string { return filepath.Join(home, name) }
	for name, test := range map[string]struct {
		set                        func(home string, r *Rules, p *Place)
		write, locked, unprotected []string
		words                      string
	}{
		"a project": {func(string, *Rules, *Place) {}, []string{"code"}, []string{"work"}, nil,
			"code can write in the code storage and a private directory for temporary files; not in the working directory (.git and .venv)"},
		"a project that is named": {func(home string, r *Rules, _ *Place) { r.Write = []string{in(home, "work")} }, []string{"code", "work"}, nil, []string{"work/.git", "work/.venv"},
			"; not protected: .git, .venv; "},
		"a plain directory": {func(home string, _ *Rules, p *Place) { p.WorkDir = in(home, "plain") }, []string{"code", "plain"}, nil, nil,
			"code can write in the working directory, the code storage and a private directory for temporary files; it cannot"},
		"another directory": {func(home string, r *Rules, p *Place) {
			p.WorkDir, r.Write = in(home, "plain"), []string{in(home, "other")}
		}, []string{"code", "other", "plain"}, nil, nil, "/other; "},
		"storage in a project": {func(home string, _ *Rules, p *Place) { p.Storage = in(home, "work/sub") }, []string{"work/sub"}, []string{"work"}, nil, "not in the working directory"},
		"read-only":            {func(_ string, r *Rules, _ *Place) { r.Level = ReadOnly }, nil, nil, nil, "partial read-only (Landlock): code can write in a private directory for temporary files only"},
	} {
		p := without(t, 7, files...)
		r := Rules{Level: Workspace, Partial: true}
		test.set(p.Home, &r, &p)
		plan, err := r.Plan(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for what, lists := range map[string][2][]string{"writes in": {short(p.Home, plan.Write), test.write}, "locks": {short(p.Home, plan.Locked), test.locked}, "does not protect": {short(p.Home, plan.Unprotected), test.unprotected}} {
			if !slices.Equal(lists[0], lists[1]) {
				t.Errorf("%s: %s %v, want %v", name, what, lists[0], lists[1])
			}
		}
		if plan.Program != "" || plan.ABI != 7 || len(plan.Check.Unix) > 0 || !slices.Contains(plan.Split, p.Home) || len(plan.Protect) > 0 {
			t.Errorf("%s: %+v", name, plan)
		}
		words := (&Box{Rules: r, Place: p}).Describe()
		for _, part := range []string{test.words, "partial ", "not stopped: connections to unix sockets", "bubblewrap is missing"} {
			if !strings.Contains(words, part) {
				t.Errorf("%s: %q is missing in: %s", name, part, words)
			}
		}
	}
}

// TestMeans: Landlock takes bubblewrap's place only where that is allowed and can be kept.
func TestMeans(t *testing.T) {
	for name, test := range map[string]struct {
		landlock int
		set      func(home string, r *Rules, p *Place)
		want     string // in the error; "" for none
	}{
		"not allowed":           {7, func(string, *Rules, *Place) {}, "SANDBOX_ALLOW_PARTIAL=on"},
		"allowed":               {7, func(_ string, r *Rules, _ *Place) { r.Partial = true }, ""},
		"whole":                 {9, func(string, *Rules, *Place) {}, ""},
		"none":                  {0, func(_ string, r *Rules, _ *Place) { r.Partial = true }, "no Landlock"},
		"old":                   {3, func(_ string, r *Rules, _ *Place) { r.Partial = true }, "no Landlock"},
		"a loopback interface":  {9, func(_ string, r *Rules, _ *Place) { r.Network = NetworkLoopback }, "SANDBOX_NETWORK=off"},
		"hidden in the project": {9, func(home string, r *Rules, _ *Place) { r.Deny = []string{filepath.Join(home, "work/key")} }, "cannot be hidden"},
	} {
		p := without(t, test.landlock, "work/key")
		r := Rules{Level: Workspace}
		test.set(p.Home, &r, &p)
		_, err := r.Plan(p)
		refused, _ := errors.AsType[*confine.Refused](err)
		if (err == nil) != (test.want == "") || err != nil && (refused == nil || !strings.Contains(refused.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestFallback: bubblewrap that does not work here is replaced, once and where allowed; one
// that works and does not hold is not.
func TestFallback(t *testing.T) {
	unavailable := confine.Explain("bwrap: setting up uid map: Permission denied", nil)
	for name, test := range map[string]struct {
		err     error
		partial bool
		want    bool
	}{
		"no namespaces":    {unavailable, true, true},
		"not allowed":      {unavailable, false, false},
		"it does not hold": {confine.Explain("the sandbox does not stop writing in /", nil), true, false},
		"another error":    {errors.New("x"), true, false},
		"none":             {nil, true, false},
	} {
		p := newPlace(t)
		p.Landlock = 7
		b := &Box{Rules: Rules{Level: Workspace, Partial: test.partial}, Place: p}
		if got := b.Fallback(test.err); got != test.want || b.Fallback(test.err) {
			t.Errorf("%s: %v", name, got)
		}
		confined, err := b.Kernel(p.WorkDir, p.Storage, nil, nil, nil)
		if err != nil || (confined.Plan.Program == "") != test.want || strings.Contains(confined.Words(b), "(Landlock)") != test.want {
			t.Errorf("%s: %v, %s", name, err, confined.Words(b))
		}
	}
	if (*Box)(nil).Fallback(unavailable) {
		t.Error("no sandbox was replaced")
	}
}

// TestLandlockInstall: nothing is installed into an environment that code can change.
func TestLandlockInstall(t *testing.T) {
	p := without(t, 7, "work/.venv/pyvenv.cfg", "env/pyvenv.cfg", "data/x")
	env := filepath.Join(p.WorkDir, ".venv")
	for name, test := range map[string]struct {
		dir   string
		write []string
		want  string
	}{
		"elsewhere":               {filepath.Join(p.Home, "env"), []string{p.WorkDir}, ""},
		"in a project":            {env, nil, ""},
		"in one that is writable": {env, []string{p.WorkDir}, "only bubblewrap could protect it"},
	} {
		b := &Box{Rules: Rules{Level: Workspace, Partial: true, Write: test.write}, Place: p}
		confined, err := b.Install(Helper{Argv: []string{filepath.Join(test.dir, "bin", "python")}, Dir: p.Home, Private: t.TempDir()}, filepath.Join(p.Home, "data"), []string{env})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		} else if err == nil && (!slices.Contains(confined.Plan.Write, test.dir) || confined.Plan.Program != "") {
			t.Errorf("%s: %+v", name, confined.Plan)
		}
	}
	b := &Box{Rules: Rules{Level: Workspace}, Place: p}
	if _, err := b.Install(Helper{Private: t.TempDir()}, filepath.Join(p.Home, "data"), nil); err == nil {
		t.Error("an installer has a weaker sandbox than is allowed")
	}
}
