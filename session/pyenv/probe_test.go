package pyenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// runnerFunc is a Runner made of a function.
type runnerFunc func(ctx context.Context, cmd *exec.Cmd) error

func (r runnerFunc) Run(ctx context.Context, cmd *exec.Cmd) error { return r(ctx, cmd) }

func TestProbeIsRemembered(t *testing.T) {
	dir := makeVenv(t, filepath.Join(t.TempDir(), "v"))
	f := newFinder(t)
	var probes atomic.Int32
	f.Runner = runnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		probes.Add(1)
		return directRunner{}.Run(ctx, cmd)
	})
	resolve := func(want int32) *Environment {
		t.Helper()
		env, err := f.Resolve(t.Context(), Config{VenvPath: dir})
		if err != nil {
			t.Fatal(err)
		}
		if got := probes.Load(); got != want {
			t.Fatalf("%d probes so far, want %d", got, want)
		}
		return env
	}
	env := resolve(1)
	resolve(1)
	site := env.Info.Purelib
	write(t, map[string]string{
		filepath.Join(site, "ipykernel", "__init__.py"):                 "",
		filepath.Join(site, "ipykernel-6.17.0.dist-info", "METADATA"):   "",
		filepath.Join(site, "IPython-9.1.dist-info", "METADATA"):        "",
		filepath.Join(site, "jupyter_client-8.0.0.dist-info", "RECORD"): "", // half removed
	})
	env = resolve(2)
	if got := env.Info.Dists; len(got) != 2 || got["ipykernel"] != "6.17.0" || got["ipython"] != "9.1" {
		t.Errorf("got %v", got)
	}
	// A module that is gone is not installed, whatever its metadata says.
	if err := os.RemoveAll(filepath.Join(site, "ipykernel")); err != nil {
		t.Fatal(err)
	}
	if env = resolve(3); hasKernel(env) {
		t.Error("a half-removed ipykernel counts as one")
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "pyvenv.cfg"), later, later); err != nil {
		t.Fatal(err)
	}
	resolve(4)
}

// A module of the working directory must not shadow the standard library of a
// helper, and what start-up code prints must not spoil the answer.
func TestProbeIsUndisturbed(t *testing.T) {
	dir := makeVenv(t, filepath.Join(t.TempDir(), "v"))
	f := newFinder(t)
	env, err := f.Resolve(t.Context(), Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	write(t, map[string]string{filepath.Join(env.Info.Purelib, "noise.pth"): "import sys; sys.stdout.write('mce-probe:{') and print('hello')\n"})
	t.Chdir(t.TempDir())
	write(t, map[string]string{"json.py": "raise SystemExit(3)", "types.py": "raise SystemExit(3)"})
	if _, err := f.Resolve(t.Context(), Config{VenvPath: dir}); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(filepath.Join(f.DataDir, "empty"))
	if err != nil || len(entries) != 0 {
		t.Errorf("the helpers' directory holds %v, %v", entries, err)
	}
}

// With PYTHONSAFEPATH Python adds no directory of its own: the first entry is
// the user's.
func TestProbeSafePath(t *testing.T) {
	extra := t.TempDir()
	write(t, map[string]string{
		filepath.Join(extra, "ipykernel", "__init__.py"):              "",
		filepath.Join(extra, "ipykernel-7.4.0.dist-info", "METADATA"): "",
	})
	dir := makeVenv(t, filepath.Join(t.TempDir(), "v"))
	for _, safe := range []string{"PYTHONSAFEPATH=1", "PYTHONSAFEPATH="} {
		env, err := newFinder(t, safe, "PYTHONPATH="+extra).Resolve(t.Context(), Config{VenvPath: dir})
		if err != nil || env.Info.Dists["ipykernel"] != "7.4.0" {
			t.Errorf("%s: got %+v, %v", safe, env, err)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	ordered := []string{"2.7.18", "3.8", "3.8.18", "3.10.1", "3.11.0rc1", "3.11.7", "6", "6.0.1", "6.17.0", "7.0.0.dev1", "7.4"}
	if !slices.IsSortedFunc(ordered, compareVersions) {
		t.Error("not in order")
	}
	for _, equal := range [][2]string{{"6", "6.0.0"}, {"3.11.0rc1", "3.11"}, {"", "0"}} {
		if compareVersions(equal[0], equal[1]) != 0 {
			t.Errorf("%q and %q differ", equal[0], equal[1])
		}
	}
}

func FuzzParseProbe(f *testing.F) {
	for _, seed := range []string{"", "mce-probe:{}", "x\nmce-probe:{\"version\": \"3.11.7\"}\n", "mce-probe:[", "mce-probe:{\"version\": 3}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := parseProbe(data)
		if err == nil && info.Version == "" {
			t.Error("an answer without a version")
		}
		tooOld(info.Version)
	})
}

func BenchmarkResolveAgain(b *testing.B) {
	dir := makeVenv(b, filepath.Join(b.TempDir(), "v"))
	f := newFinder(b, "PATH=/usr/bin:/bin")
	for b.Loop() {
		if _, err := f.Resolve(b.Context(), Config{VenvPath: dir}); err != nil {
			b.Fatal(err)
		}
	}
}
