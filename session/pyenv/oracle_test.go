package pyenv

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// What we compute is held against what the real programs make, variable by
// variable: the activate scripts of venv, uv and virtualenv, and for conda the
// activation of pixi's library (py-rattler).

// shellsOwn are the variables any shell changes, and the prompt.
func shellsOwn() []string { return []string{"PS1", "_", "SHLVL", "PWD", "OLDPWD"} }

// compare reports the variables that differ, but for those passed over.
func compare(t *testing.T, got, want *host.Vars, passed ...string) {
	t.Helper()
	for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(got.Names, want.Names)))) {
		if slices.Contains(append(shellsOwn(), passed...), name) {
			continue
		}
		g, okG := got.Get(name)
		w, okW := want.Get(name)
		if name == "VIRTUAL_ENV_PROMPT" { // venv of Python 3.9 to 3.12 puts the prompt's own form in it
			w = strings.TrimSuffix(strings.TrimPrefix(w, "("), ") ")
		}
		if g != w || okG != okW {
			t.Errorf("%s: got %q (%v), want %q (%v)", name, g, okG, w, okW)
		}
	}
}

// sourced is what a shell's variables are after sourcing a script.
func sourced(t *testing.T, environ []string, script string) *host.Vars {
	t.Helper()
	cmd := exec.Command("/bin/bash", "--noprofile", "--norc", "-c", `. "$1" >/dev/null; env -0`, "sourced", script)
	cmd.Env = environ
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return host.VarsOf(strings.Split(string(out), "\x00"))
}

func TestVenvActivationEqualsTheScript(t *testing.T) {
	t.Parallel()
	base := pyenvtest.BasePython(t)
	for _, maker := range []struct {
		name string
		make func(t *testing.T, dir string)
		kind kinds.Kind
	}{
		{"venv", func(t *testing.T, dir string) { pyenvtest.Run(t, base, "-m", "venv", "--without-pip", dir) }, kinds.Venv},
		{"venv with a prompt", func(t *testing.T, dir string) {
			pyenvtest.Run(t, base, "-m", "venv", "--without-pip", "--prompt", "my work", dir)
		}, kinds.Venv},
		{"uv", func(t *testing.T, dir string) {
			pyenvtest.Run(t, pyenvtest.UV(t), "venv", "--no-project", "--python", base, dir)
		}, kinds.UV},
		{"uv with a prompt", func(t *testing.T, dir string) {
			pyenvtest.Run(t, pyenvtest.UV(t), "venv", "--no-project", "--prompt", "work", "--python", base, dir)
		}, kinds.UV},
		{"virtualenv", func(t *testing.T, dir string) {
			pyenvtest.Run(t, pyenvtest.Virtualenv(t), "-m", "virtualenv", "--quiet", "--no-download", "--no-pip", "--python", base, dir)
		}, kinds.Venv},
		{"virtualenv with a prompt", func(t *testing.T, dir string) {
			pyenvtest.Run(t, pyenvtest.Virtualenv(t), "-m", "virtualenv", "--quiet", "--no-download", "--no-pip", "--prompt", "work", "--python", base, dir)
		}, kinds.Venv},
	} {
		t.Run(maker.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "an env")
			maker.make(t, dir)
			for _, environ := range [][]string{
				{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "API_KEY=a=b\nc"},
				{"PATH=/usr/bin:/bin", "PYTHONPATH=/my/lib", "PKG_CONFIG_PATH=/my/pkgconfig", "LD_LIBRARY_PATH=/l"},
				{"PATH=/usr/bin:/bin", "PYTHONHOME=/nowhere"},
			} {
				f := newFinder(t, environ...)
				env, err := f.Resolve(t.Context(), Config{VenvPath: dir})
				if err != nil {
					t.Fatal(err)
				}
				if env.Kind != maker.kind {
					t.Errorf("it is a %s", env.Kind)
				}
				// The scripts keep what they replaced, for deactivate; not exported, but virtualenv's once.
				compare(t, host.VarsOf(env.Vars), sourced(t, f.Host.Environ(), filepath.Join(dir, "bin", "activate")), "_OLD_VIRTUAL_PYTHONHOME")
			}
		})
	}
}

// rattler asks py-rattler for the activation script of a prefix.
func rattler(t *testing.T, prefix, path string) string {
	t.Helper()
	python := filepath.Join(filepath.Dir(pyenvtest.Conda(t)), "tools", "bin", "python")
	// It crashes when the interpreter ends.
	program := `import os, pathlib, sys
from rattler.shell import ActivationVariables, PathModificationBehavior, Shell, activate
v = ActivationVariables(None, sys.argv[2].split(":"), PathModificationBehavior.Replace)
print(activate(pathlib.Path(sys.argv[1]), v, Shell.bash).script, flush=True)
os._exit(0)`
	script := filepath.Join(t.TempDir(), "activate.sh")
	pyenvtest.Write(t, map[string]string{script: pyenvtest.Run(t, python, "-c", program, prefix, path)})
	return script
}

// Rattler has no CONDA_DEFAULT_ENV, no prompt, no words of the conda program, and
// does not put condabin on PATH: these are held against conda's own table
// (conda/activate.py, build_activate) instead.
func TestCondaActivationEqualsRattlers(t *testing.T) {
	t.Parallel()
	source := pyenvtest.Conda(t)
	f := newFinder(t, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "KEY=a b", "PYTHONPATH=/my/lib")
	root := filepath.Join(f.Host.Home, "miniforge3")
	pyenvtest.CloneConda(t, filepath.Join(source, "envs", "bare"), root)
	pyenvtest.Write(t, map[string]string{root + "/bin/conda": "#!/bin/sh\nexit 1\n", root + "/condabin/conda": "#!/bin/sh\nexit 1\n"})
	named := filepath.Join(root, "envs", "science")
	pyenvtest.CloneConda(t, filepath.Join(source, "envs", "science"), named)
	away := filepath.Join(f.Host.Home, "project", "my env")
	pyenvtest.CloneConda(t, filepath.Join(source, "envs", "science"), away)
	pyenvtest.Write(t, map[string]string{
		away + "/etc/conda/env_vars.d/b.json":      `{"FROM_PACKAGE": "b", "TWICE": "package", "URL": "http://h/?a=1&b='2'"}`,
		away + "/conda-meta/state":                 `{"env_vars": {"TWICE": "state", "BY_USER": "two words"}}`,
		away + "/etc/conda/activate.d/a-first.sh":  "export GDAL_DATA=\"$CONDA_PREFIX/share/gdal\"\nexport KEY=\"$KEY c\"\n",
		away + "/etc/conda/activate.d/b-second.sh": "unset LANG\nexport SECOND=\"$GDAL_DATA\"\nexport PATH=\"$CONDA_PREFIX/special:$PATH\"\n",
	})
	for _, test := range []struct{ ask, prefix, called string }{
		{"base", root, "base"},
		{"science", named, "science"},
		{away, away, away},
	} {
		t.Run(filepath.Base(test.ask), func(t *testing.T) {
			env, err := f.Resolve(t.Context(), Config{Type: "conda", CondaName: test.ask})
			if err != nil {
				t.Fatal(err)
			}
			got := host.VarsOf(env.Vars)
			want := sourced(t, f.Host.Environ(), rattler(t, test.prefix, "/usr/local/bin:/usr/bin:/bin"))
			path, _ := want.Get("PATH")
			bin := test.prefix + "/bin:"
			want.Set("PATH", strings.Replace(path, bin, bin+root+"/condabin:", 1))
			for name, value := range map[string]string{
				"CONDA_DEFAULT_ENV": test.called, "CONDA_PROMPT_MODIFIER": "(" + test.called + ") ",
				"CONDA_EXE": root + "/bin/conda", "CONDA_PYTHON_EXE": root + "/bin/python", "_CE_M": "", "_CE_CONDA": "",
				"PYTHONNOUSERSITE": "1", // ours: what is in ~/.local is not of the environment
			} {
				want.Set(name, value)
			}
			compare(t, got, want)
			if len(env.Warnings) > 0 {
				t.Errorf("warnings: %q", env.Warnings)
			}
		})
	}
}
