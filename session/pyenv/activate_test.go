package pyenv

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

func TestNothingOfAnotherEnvironmentLeaks(t *testing.T) {
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v"))
	other := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "other"))
	root := pyenvtest.CondaRoot(t, filepath.Join(t.TempDir(), "root"), "active")
	active := root + "/envs/active"
	pyenvtest.Write(t, map[string]string{active + "/etc/conda/env_vars.d/pkg.json": `{"GDAL_DATA": "/in/active"}`})
	f := newFinder(t,
		"PATH="+other+"/bin:"+active+"/bin:"+root+"/bin:"+root+"/condabin:/usr/bin:/bin",
		"VIRTUAL_ENV="+other, "VIRTUAL_ENV_PROMPT=other", "_OLD_VIRTUAL_PATH=/x", "PYTHONHOME=/x", "PYTHONSTARTUP=/x", "PYTHONEXECUTABLE=/x",
		"__PYVENV_LAUNCHER__=/x", "CONDA_PREFIX="+active, "CONDA_PREFIX_1="+root, "CONDA_SHLVL=2", "CONDA_DEFAULT_ENV=active",
		"CONDA_STACKED_2=true", "__CONDA_SHLVL_1_X=y", "_CE_M=", "CONDA_PROMPT_MODIFIER=(active) ", "GDAL_DATA=/in/active", "PYTHONPATH=/my/lib", "KEY=kept")
	env, err := f.Resolve(t.Context(), Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"HOME=" + f.Host.Home, "KEY=kept", "PATH=" + dir + "/bin:" + root + "/condabin:/usr/bin:/bin", "PYTHONPATH=/my/lib",
		"VIRTUAL_ENV=" + dir, "VIRTUAL_ENV_PROMPT=v"}
	if got := slices.Sorted(slices.Values(env.Vars)); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// A server started in a conda environment, on top of base, with a virtualenv on
// top of that: what their scripts set goes with them, a user's own stays.
func TestNothingOfNestedEnvironmentsLeaks(t *testing.T) {
	t.Parallel()
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v"))
	top := filepath.Join(t.TempDir(), "top")
	pyenvtest.Run(t, pyenvtest.Virtualenv(t), "-m", "virtualenv", "--quiet", "--no-download", "--no-pip", "--python", pyenvtest.BasePython(t), top)
	root := pyenvtest.CondaRoot(t, filepath.Join(t.TempDir(), "root"), "active")
	active := root + "/envs/active"
	pyenvtest.Write(t, map[string]string{
		active + "/etc/conda/env_vars.d/pkg.json": `{"FROM_PACKAGE": "x"}`,
		active + "/conda-meta/state":              `{"env_vars": {"FROM_STATE": "y"}}`,
		active + "/bin/my-cc":                     "#!/bin/sh\n",
		active + "/etc/conda/activate.d/gdal.sh":  "export GDAL_DATA=\"$CONDA_PREFIX/share/gdal\" PROJ_LIB=\"$CONDA_PREFIX/share/proj\" CC=my-cc SSL_CERT_FILE=\"${SSL_CERT_FILE-$CONDA_PREFIX/ssl/cacert.pem}\"\n",
	})
	// What a shell really has after "conda activate base; conda activate active; . top/bin/activate".
	server := sourced(t, []string{"PATH=" + active + "/bin:" + root + "/condabin:/usr/bin:/bin", "HOME=/h", "KEY=kept", "PYTHONPATH=/my/lib",
		"CONDA_PREFIX=" + active, "CONDA_PREFIX_1=" + root, "CONDA_SHLVL=2", "CONDA_DEFAULT_ENV=active", "CONDA_PROMPT_MODIFIER=(active) ",
		"CONDA_EXE=" + root + "/bin/conda", "CONDA_PYTHON_EXE=" + root + "/bin/python", "_CE_M=", "_CE_CONDA=",
		"FROM_PACKAGE=x", "FROM_STATE=y", "GDAL_DATA=" + active + "/share/gdal", "PROJ_LIB=" + active + "/share/proj", "CC=my-cc",
		"SSL_CERT_FILE=/etc/my.pem", "MY_DATA=" + active + "/data"}, top+"/bin/activate")
	f := newFinder(t)
	f.Host.Environ = server.Environ
	env, err := f.Resolve(t.Context(), Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := host.VarsOf([]string{"HOME=/h", "KEY=kept", "PYTHONPATH=/my/lib", "SSL_CERT_FILE=/etc/my.pem", "MY_DATA=" + active + "/data",
		"CONDA_EXE=" + root + "/bin/conda", "CONDA_PYTHON_EXE=" + root + "/bin/python", // these name the program, not an environment
		"PATH=" + dir + "/bin:" + root + "/condabin:/usr/bin:/bin", "VIRTUAL_ENV=" + dir, "VIRTUAL_ENV_PROMPT=v"})
	compare(t, host.VarsOf(env.Vars), want)
	if env.PythonPath() != "/my/lib" {
		t.Errorf("PYTHONPATH is told as %q", env.PythonPath())
	}
}

// The programs of a Python in no environment come first, when others would.
func TestSystemPythonIsFirst(t *testing.T) {
	python := pyenvtest.BasePython(t)
	dir := filepath.Dir(python)
	shims := filepath.Join(t.TempDir(), "shims")
	pyenvtest.Write(t, map[string]string{filepath.Join(shims, "python"): "#!/bin/sh\nexit 1\n", filepath.Join(shims, "python3"): "#!/bin/sh\nexit 1\n"})
	for path, want := range map[string]string{
		shims + ":" + dir + ":/usr/bin": dir + ":" + shims + ":" + dir + ":/usr/bin",
		dir + ":/usr/bin":               dir + ":/usr/bin",
		"/nowhere:" + dir:               "/nowhere:" + dir,
	} {
		env, err := newFinder(t, "PATH="+path).Resolve(t.Context(), Config{VenvPath: python})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := host.VarsOf(env.Vars).Get("PATH"); got != want {
			t.Errorf("PATH=%s: got %s, want %s", path, got, want)
		}
	}
}

// A wrong VIRTUAL_ENV must not take the system's programs from PATH, and no PATH
// at all must not leave a kernel without any.
func TestPathStaysUsable(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{[]string{"PATH=/usr/bin:/bin", "VIRTUAL_ENV=/usr"}, "/usr/bin:/bin"},
		{[]string{"PATH=/usr/bin:/gone/env/bin", "VIRTUAL_ENV=/gone/env"}, "/usr/bin"},
		{nil, "/usr/local/bin:/usr/bin:/bin"},
	} {
		if got, _ := newFinder(t, test.environ...).CleanVars().Get("PATH"); got != test.want {
			t.Errorf("%q: got %s, want %s", test.environ, got, test.want)
		}
	}
}

func TestCondaActivation(t *testing.T) {
	f := newFinder(t, "PATH=/usr/bin:/bin", "BASH_ENV=/nowhere", "DROPPED=x")
	root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml")
	prefix := root + "/envs/ml"
	pyenvtest.Write(t, map[string]string{
		root + "/bin/conda":                        "#!/bin/sh\n",
		prefix + "/etc/conda/env_vars.d/a.json":    `{"one": "a", "TWO": "a", "PATH": "/evil", "N": 3}`,
		prefix + "/etc/conda/env_vars.d/b.json":    `{"TWO": "b", "BAD=NAME": "x"}`,
		prefix + "/etc/conda/env_vars.d/c.json":    `not json`,
		prefix + "/conda-meta/state":               `{"env_vars": {"TWO": "state", "N": "***unset***"}}`,
		prefix + "/etc/conda/activate.d/1.sh":      "echo noise; export SCRIPT=\"two\nlines of $CONDA_PREFIX\"; unset DROPPED; export PATH=\"$PATH:/added\"",
		prefix + "/etc/conda/activate.d/2-bad.sh":  "echo 'no such thing' >&2; false",
		prefix + "/etc/conda/activate.d/3 last.sh": "cat; export LAST=\"$SCRIPT!\"",
		prefix + "/etc/conda/activate.d/no.fish":   "exit 1",
	})
	env, err := f.Resolve(t.Context(), Config{CondaName: "ml"})
	if err != nil {
		t.Fatal(err)
	}
	want := host.VarsOf([]string{
		"HOME=" + f.Host.Home, "BASH_ENV=/nowhere", "PATH=" + prefix + "/bin:" + root + "/condabin:/usr/bin:/bin:/added",
		"CONDA_PREFIX=" + prefix, "CONDA_SHLVL=1", "CONDA_DEFAULT_ENV=ml", "CONDA_PROMPT_MODIFIER=(ml) ", "_CE_M=", "_CE_CONDA=",
		"CONDA_EXE=" + root + "/bin/conda", "CONDA_PYTHON_EXE=" + root + "/bin/python", "PYTHONNOUSERSITE=1",
		"ONE=a", "TWO=state", "SCRIPT=two\nlines of " + prefix, "LAST=two\nlines of " + prefix + "!",
	})
	compare(t, host.VarsOf(env.Vars), want)
	if warnings := strings.Join(env.Warnings, "\n"); len(env.Warnings) != 3 ||
		!strings.Contains(warnings, "BAD=NAME") || !strings.Contains(warnings, "c.json") || !strings.Contains(warnings, "2-bad.sh") {
		t.Errorf("warnings: %q", env.Warnings)
	}

	env, err = f.Resolve(t.Context(), Config{CondaName: "base"})
	if err != nil {
		t.Fatal(err)
	}
	if name, _ := host.VarsOf(env.Vars).Get("CONDA_DEFAULT_ENV"); name != "base" {
		t.Errorf("base is called %q", name)
	}
}

// Scripts that end the shell, hang or are no shell must not stop an environment
// from being used.
// What a sandbox has changed before the scripts ran is none of their doing: credentials that
// it has left out, and places for caches.
func TestActivationInSandbox(t *testing.T) {
	before := host.VarsOf([]string{"PATH=/bin", "API_TOKEN=x", "XDG_CACHE_HOME=/mine", "GONE=1"})
	after := host.VarsOf([]string{"PATH=/env/bin:/bin", "XDG_CACHE_HOME=/tmp/private", "IPYTHONDIR=/tmp/private", "NEW=1", host.Changed + "=API_TOKEN,XDG_CACHE_HOME,IPYTHONDIR,"})
	want := []string{"API_TOKEN=x", "NEW=1", "PATH=/env/bin:/bin", "XDG_CACHE_HOME=/mine"}
	if got := slices.Sorted(slices.Values(takeOver(before, after))); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestActivationScriptsFail(t *testing.T) {
	for name, script := range map[string]string{
		"exit":   "exit 3",
		"exit 0": "exit 0",
		"hang":   "exec sleep 600",
		"syntax": "if ((",
		"daemon": "sleep 600 & exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFinder(t, "PATH=/usr/bin:/bin")
			f.scriptTimeout = 300 * time.Millisecond
			prefix := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml") + "/envs/ml"
			pyenvtest.Write(t, map[string]string{prefix + "/etc/conda/activate.d/x.sh": script})
			env, err := f.Resolve(t.Context(), Config{CondaName: "ml"})
			if err != nil {
				t.Fatal(err)
			}
			if len(env.Warnings) != 1 || !strings.Contains(env.Warnings[0], "activation script") {
				t.Errorf("warnings: %q", env.Warnings)
			}
			if got, _ := host.VarsOf(env.Vars).Get("CONDA_PREFIX"); got != prefix {
				t.Errorf("the computed part is lost: %q", env.Vars)
			}
		})
	}
}

// Scripts run once, however often the environment is looked at, until they, the
// variables or the packages change. A failure is tried again later.
func TestActivationScriptsRunOnce(t *testing.T) {
	key := "1"
	f := newFinder(t)
	f.Host.Environ = func() []string { return []string{"HOME=" + f.Host.Home, "PATH=/usr/bin:/bin", "KEY=" + key} }
	prefix := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml") + "/envs/ml"
	count := filepath.Join(f.Host.Home, "count")
	script := prefix + "/etc/conda/activate.d/x.sh"
	pyenvtest.Write(t, map[string]string{script: "echo ran >> '" + count + "'; export SET=$KEY"})
	ran := 0
	look := func(want int, what string) {
		t.Helper()
		var wg sync.WaitGroup
		for range 4 { // at the same time
			wg.Go(func() {
				env, err := f.Resolve(t.Context(), Config{CondaName: "ml"})
				if err != nil {
					t.Error(err)
				} else if got, _ := host.VarsOf(env.Vars).Get("SET"); got != key {
					t.Errorf("%s: SET is %q", what, got)
				}
			})
		}
		wg.Wait()
		data, _ := os.ReadFile(count)
		if ran = strings.Count(string(data), "ran"); ran != want {
			t.Errorf("%s: ran %d times, want %d", what, ran, want)
		}
	}
	look(1, "first")
	look(1, "again")
	key = "2"
	look(2, "other variables")
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(prefix+"/conda-meta/history", later, later); err != nil {
		t.Fatal(err)
	}
	look(3, "a package was installed")
	pyenvtest.Write(t, map[string]string{script: "echo ran  >> '" + count + "'; export SET=$KEY"})
	look(4, "the script changed")

	f.scriptTimeout = 200 * time.Millisecond
	pyenvtest.Write(t, map[string]string{script: "exec sleep 600"})
	for range 3 {
		begun := time.Now()
		env, err := f.Resolve(t.Context(), Config{CondaName: "ml"})
		if err != nil || len(env.Warnings) != 1 {
			t.Errorf("hanging: %v", err)
		}
		f.scriptTimeout = time.Hour // it must not be run again so soon
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("hanging: %v", took)
		}
	}
}

func TestVars(t *testing.T) {
	v := host.VarsOf([]string{"A=1", "B=", "noise", "", "A=2", "C=x=y", "=C:=C:\\dir"})
	if got, want := v.Environ(), []string{"A=2", "B=", "C=x=y", "=C:=C:\\dir"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	v.Unset("B")
	v.Unset("none")
	if _, ok := v.Get("B"); ok || len(v.Environ()) != 3 {
		t.Errorf("got %q", v.Environ())
	}
}
