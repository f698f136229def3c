package confine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRules: what is beside something hidden is allowed piece by piece, and what is
// hidden, a link, or a directory for temporary files is not.
func TestRules(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(root, name) }
	for _, dir := range []string{"home/.ssh", "home/.config/gcloud", "home/.config/app", "home/project/src", "tmp/k", "usr/lib"} {
		if err := os.MkdirAll(in(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(in("home/notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(in("home/.ssh"), in("home/link")); err != nil {
		t.Fatal(err)
	}
	hide := []string{in("home/.ssh"), in("home/.config/gcloud")}
	for name, test := range map[string]struct {
		plan Plan
		want string
	}{
		"secrets":               {Plan{Read: []string{root}, Hide: hide}, "home/.config/app=r home/notes=r home/project=r tmp=r usr=r"},
		"no secret as yet":      {Plan{Read: []string{root}, Split: []string{in("home")}, Hide: nil}, "home/.config=r home/.ssh=r home/notes=r home/project=r tmp=r usr=r"},
		"readable in hidden":    {Plan{Read: []string{in("home/project/src")}, Hide: []string{in("home/project")}}, "home/project/src=r"},
		"both":                  {Plan{Read: []string{in("home/project")}, Hide: []string{in("home/project")}}, ""},
		"writable in temporary": {Plan{Write: []string{in("tmp/k")}, Temporary: []string{in("tmp")}}, "tmp/k=w"},
		"private":               {Plan{Private: in("tmp/k")}, "tmp/k=w"},
	} {
		test.plan.Temporary = append(test.plan.Temporary, root) // nothing of it by the rules for /
		rules, err := test.plan.rules()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rules {
			if relative, err := filepath.Rel(root, r.path); err == nil && filepath.IsLocal(relative) && relative != "." {
				got = append(got, relative+"="+map[access]string{reading: "r", writing: "w"}[r.access])
			}
			if r.access == writing && !slices.Contains(append(test.plan.Write, test.plan.Private), r.path) {
				t.Errorf("%s: writes in %s", name, r.path)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, " "), test.want)
		}
	}
	if _, err := (Plan{Write: []string{in("home")}, Hide: hide}).rules(); err == nil || !strings.Contains(err.Error(), "cannot be hidden") {
		t.Errorf("a secret in a directory that can be written to: %v", err)
	}
}

// TestGaps: each version says what it leaves, and only the last is whole.
func TestGaps(t *testing.T) {
	for abi, want := range map[int]struct {
		words            string
		sockets, signals bool
	}{4: {"signals to your", false, false}, 5: {"signals to your", false, false}, 6: {"unix sockets with a path", false, true}, 8: {"unix sockets with a path", false, true}, 9: {"modes and times", true, true}} {
		plan, gaps := Plan{ABI: abi}, fmt.Sprint(Gaps(abi))
		if !strings.Contains(gaps, want.words) || plan.CutsSockets() != want.sockets || plan.CutsSignals() != want.signals || strings.Contains(gaps, "sockets") == want.sockets {
			t.Errorf("%d: %s, sockets %v, signals %v", abi, gaps, plan.CutsSockets(), plan.CutsSignals())
		}
	}
}

// TestEnviron: variables of temporary files name the private directory, others are as they
// are.
func TestEnviron(t *testing.T) {
	p := Plan{Temporary: []string{"/tmp", "/scratch"}, Private: "/scratch/p", Moved: []string{"TMPDIR", "IPYTHONDIR"}}
	got := p.Environ([]string{"TMPDIR=/tmp", "IPYTHONDIR=/tmp/ipython", "X=/tmp/x", "PATH=/bin"})
	if want := []string{"TMPDIR=/scratch/p", "IPYTHONDIR=/scratch/p/ipython", "X=/tmp/x", "PATH=/bin"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
