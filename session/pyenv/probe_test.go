package pyenv

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

func TestProbeIsRemembered(t *testing.T) {
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v"))
	f := newFinder(t)
	var probes atomic.Int32
	f.Host.Runner = pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		probes.Add(1)
		return host.DirectRunner{}.Run(ctx, cmd)
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
	pyenvtest.Write(t, map[string]string{
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
	if env = resolve(3); env.HasKernel() {
		t.Error("a half-removed ipykernel counts as one")
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "pyvenv.cfg"), later, later); err != nil {
		t.Fatal(err)
	}
	resolve(4)
}

// Each thing an answer is made of makes Python be asked again, and nothing else does.
func TestProbeDependencies(t *testing.T) {
	t.Parallel()
	extra, far, base := t.TempDir(), t.TempDir(), t.TempDir()
	prefix := pyenvtest.CondaEnv(t, filepath.Join(t.TempDir(), "env")) // its python is the base Python: a user site counts
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v"))
	later := time.Now().Add(time.Hour)
	newer := func(path string) error { later = later.Add(time.Minute); return os.Chtimes(path, later, later) }
	f := newFinder(t)
	environ := []string{"HOME=" + f.Host.Home, "PYTHONPATH=" + extra, "PYTHONUSERBASE=" + base, "PYTHONNOUSERSITE="}
	f.Host.Environ = func() []string { return environ }
	probes := 0
	f.Host.Runner = pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		probes++
		return host.DirectRunner{}.Run(ctx, cmd)
	})
	look := func(c Config) *Environment {
		t.Helper()
		env, err := f.Resolve(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	venv, conda := Config{VenvPath: dir}, Config{CondaName: prefix}
	site := look(venv).Info.Purelib
	t.Cleanup(func() { os.Chmod(site, 0o755) }) // else only root can remove it
	userSite := filepath.Join(base, "lib", filepath.Base(filepath.Dir(site)), "site-packages")
	makeKernel := func(dir, version string) error {
		pyenvtest.Write(t, map[string]string{
			filepath.Join(dir, "ipykernel", "__init__.py"):                    "",
			filepath.Join(dir, "ipykernel-"+version+".dist-info", "METADATA"): "",
		})
		return nil
	}
	kernel := func(want string) func(*Environment) bool {
		return func(env *Environment) bool { return env.Info.Dists["ipykernel"] == want }
	}
	for _, test := range []struct {
		name   string
		config Config
		change func() error
		want   func(*Environment) bool
	}{
		{"pyvenv.cfg", venv, func() error { return newer(dir + "/pyvenv.cfg") }, nil},
		{"conda's history", conda, func() error { return newer(prefix + "/conda-meta/history") }, nil},
		{"frozen", conda, func() error { return os.WriteFile(prefix+"/conda-meta/frozen", nil, 0o644) }, nil},
		{"a package in site-packages", venv, func() error { return makeKernel(site, "6.17.0") }, kernel("6.17.0")},
		{"its code is gone", venv, func() error { return os.Remove(site + "/ipykernel/__init__.py") }, kernel("")},
		{"its code is back", venv, func() error { return os.WriteFile(site+"/ipykernel/__init__.py", nil, 0o644) }, kernel("6.17.0")},
		{"its metadata is gone", venv, func() error { return os.Remove(site + "/ipykernel-6.17.0.dist-info/METADATA") }, kernel("")},
		{"all of it is gone", venv, func() error {
			return errors.Join(os.RemoveAll(site+"/ipykernel-6.17.0.dist-info"), os.RemoveAll(site+"/ipykernel"))
		}, kernel("")},
		{"a new .pth file", venv, func() error { return os.WriteFile(site+"/far.pth", []byte("/nowhere\n"), 0o644) }, nil},
		{"the .pth file leads elsewhere", venv, func() error { return os.WriteFile(site+"/far.pth", []byte(far+"\n"), 0o644) }, nil},
		{"a package where it leads", venv, func() error { return makeKernel(far, "7.1.0") }, kernel("7.1.0")},
		{"a package in PYTHONPATH", venv, func() error { return makeKernel(extra, "7.2.0") }, kernel("7.2.0")},
		{"PYTHONPATH itself", venv, func() error { environ[1] = "PYTHONPATH="; return nil }, kernel("7.1.0")},
		{"a user site where there was none", conda, func() error { return makeKernel(userSite, "7.3.0") }, kernel("7.3.0")},
		{"the right to write", venv, func() error { return os.Chmod(site, 0o555) }, nil},
		{"the python", venv, func() error {
			python := filepath.Join(dir, "bin", "python")
			if real, err := filepath.EvalSymlinks(python); err != nil || os.Remove(python) != nil || os.Link(real, python) != nil && exec.Command("cp", real, python).Run() != nil {
				t.Fatal(real, err)
			}
			return newer(python)
		}, nil},
	} {
		look(test.config)
		before := probes
		look(test.config)
		if probes != before {
			t.Errorf("%s: asked again before it changed", test.name)
		}
		if err := test.change(); err != nil {
			t.Fatal(err)
		}
		env := look(test.config)
		if probes != before+1 {
			t.Errorf("%s: asked %d times after it changed", test.name, probes-before)
		}
		if test.want != nil && !test.want(env) {
			t.Errorf("%s: %+v", test.name, env.Info)
		}
	}
}

// Those who ask at the same time share one answer, also when the one who began
// goes away.
func TestProbeOnceForAll(t *testing.T) {
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v"))
	f := newFinder(t)
	var probes atomic.Int32
	asked, release := make(chan struct{}), make(chan struct{})
	f.Host.Runner = pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		if probes.Add(1) == 1 {
			close(asked)
			<-ctx.Done() // the first never gets its answer
			return context.Cause(ctx)
		}
		<-release
		return host.DirectRunner{}.Run(ctx, cmd)
	})
	first, leave := context.WithCancel(t.Context())
	var left, others sync.WaitGroup
	left.Go(func() {
		if _, err := f.Resolve(first, Config{VenvPath: dir}); !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: %v", err)
		}
	})
	<-asked
	for range 8 {
		others.Go(func() {
			if env, err := f.Resolve(t.Context(), Config{VenvPath: dir}); err != nil || env.Info.Version == "" {
				t.Errorf("%v", err)
			}
		})
	}
	leave()
	left.Wait()
	close(release)
	others.Wait()
	if n := probes.Load(); n != 2 {
		t.Errorf("asked %d times, want once for the one who left and once for all others", n)
	}
}

// A module of the working directory must not shadow the standard library of a
// helper, and what start-up code prints must not spoil the answer.
func TestProbeIsUndisturbed(t *testing.T) {
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v"))
	f := newFinder(t)
	env, err := f.Resolve(t.Context(), Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	pyenvtest.Write(t, map[string]string{filepath.Join(env.Info.Purelib, "noise.pth"): "import sys; sys.stdout.write('mce-probe:{') and print('hello')\n"})
	t.Chdir(t.TempDir())
	pyenvtest.Write(t, map[string]string{"json.py": "raise SystemExit(3)", "types.py": "raise SystemExit(3)"})
	if _, err := f.Resolve(t.Context(), Config{VenvPath: dir}); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(filepath.Join(f.Host.DataDir, "empty"))
	if err != nil || len(entries) != 0 {
		t.Errorf("the helpers' directory holds %v, %v", entries, err)
	}
}

// With PYTHONSAFEPATH Python adds no directory of its own: the first entry is
// the user's.
func TestProbeSafePath(t *testing.T) {
	extra := t.TempDir()
	pyenvtest.Write(t, map[string]string{
		filepath.Join(extra, "ipykernel", "__init__.py"):              "",
		filepath.Join(extra, "ipykernel-7.4.0.dist-info", "METADATA"): "",
	})
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v"))
	for _, safe := range []string{"PYTHONSAFEPATH=1", "PYTHONSAFEPATH="} {
		env, err := newFinder(t, safe, "PYTHONPATH="+extra).Resolve(t.Context(), Config{VenvPath: dir})
		if err != nil || env.Info.Dists["ipykernel"] != "7.4.0" {
			t.Errorf("%s: got %+v, %v", safe, env, err)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	ordered := []string{"2.7.18", "3.8", "3.8.18", "3.10.1", "3.11.0rc1", "3.11.7", "6", "6.0.1", "6.17.0", "7.0.0.dev1", "7.4"}
	if !slices.IsSortedFunc(ordered, packaging.CompareReleases) {
		t.Error("not in order")
	}
	for _, equal := range [][2]string{{"6", "6.0.0"}, {"3.11.0rc1", "3.11"}, {"", "0"}} {
		if packaging.CompareReleases(equal[0], equal[1]) != 0 {
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
	dir := pyenvtest.MakeVenv(b, filepath.Join(b.TempDir(), "v"))
	f := newFinder(b, "PATH=/usr/bin:/bin")
	for b.Loop() {
		if _, err := f.Resolve(b.Context(), Config{VenvPath: dir}); err != nil {
			b.Fatal(err)
		}
	}
}
