package pyenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

func TestCondaByName(t *testing.T) {
	for _, test := range []struct {
		name string
		ask  string
		// make builds the world below a Finder's home and operating system and
		// returns the variables to add and the prefix wanted.
		make func(t *testing.T, f *Finder) (environ []string, want string)
	}{
		{"usual place", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			return nil, pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml") + "/envs/ml"
		}},
		{"system place", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			return nil, pyenvtest.CondaRoot(t, f.Host.Sys("/opt/conda"), "ml") + "/envs/ml"
		}},
		{"base", "base", func(t *testing.T, f *Finder) ([]string, string) {
			return nil, pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniconda3"))
		}},
		{"root is base", "root", func(t *testing.T, f *Finder) ([]string, string) {
			return nil, pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniconda3"))
		}},
		{"CONDA_EXE decides between two", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniconda3"), "ml")
			root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "other"), "ml")
			return []string{"CONDA_EXE=" + root + "/bin/conda"}, root + "/envs/ml"
		}},
		{"base of CONDA_EXE", "base", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniconda3"))
			root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "other"))
			return []string{"CONDA_EXE=" + root + "/condabin/conda"}, root
		}},
		{"active environment's root", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "here"), "ml", "active")
			return []string{"CONDA_PREFIX=" + root + "/envs/active"}, root + "/envs/ml"
		}},
		{"conda on PATH is a link", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "far"), "ml")
			pyenvtest.Write(t, map[string]string{root + "/bin/conda": "#!/bin/sh\nexit 1\n"})
			bin := filepath.Join(f.Host.Home, "bin")
			if err := errors.Join(os.MkdirAll(bin, 0o755), os.Symlink(root+"/bin/conda", bin+"/conda")); err != nil {
				t.Fatal(err)
			}
			return []string{"PATH=" + bin}, root + "/envs/ml"
		}},
		{"micromamba without a base", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			root := filepath.Join(f.Host.Home, "micromamba")
			if err := os.MkdirAll(root+"/pkgs", 0o755); err != nil {
				t.Fatal(err)
			}
			return nil, pyenvtest.CondaEnv(t, root+"/envs/ml")
		}},
		{"mamba's data directory", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "xdg", "mamba"), "ml")
			return []string{"XDG_DATA_HOME=" + f.Host.Home + "/xdg"}, root + "/envs/ml"
		}},
		{"CONDA_ENVS_DIRS first", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniconda3"), "ml")
			return []string{"CONDA_ENVS_DIRS=/none:" + f.Host.Home + "/e"}, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "e", "ml"))
		}},
		{"condarc in the home", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.Write(t, map[string]string{f.Host.Home + "/.condarc": "channels:\n  - defaults\nenvs_dirs:\n  - $SCRATCH/none\n  - ~/work envs # mine\n"})
			return []string{"SCRATCH=/s"}, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "work envs", "ml"))
		}},
		{"condarc of the system", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.Write(t, map[string]string{f.Host.Sys("/etc/conda/condarc.d/site.yml"): "envs_path: [" + f.Host.Home + "/site]\n"})
			return nil, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "site", "ml"))
		}},
		{"the user's own directory", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			return nil, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, ".conda", "envs", "ml"))
		}},
		{"environments.txt", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			prefix := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "project", "ml"))
			pyenvtest.Write(t, map[string]string{f.Host.Home + "/.conda/environments.txt": "/gone/ml\n" + prefix + "\n\nrelative/ml\n"})
			return nil, prefix
		}},
		{"variables with ~ and $", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "tilde", "other"))
			return []string{"CONDA_ENVS_PATH=~/tilde:~nobody/x:$WORK/envs", "WORK=" + f.Host.Home + "/w"}, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "w", "envs", "ml"))
		}},
		{"condarc given by a variable", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.Write(t, map[string]string{f.Host.Home + "/etc/rc": "envs_dirs: [$SCRATCH/envs]\n"})
			return []string{"CONDARC=~/etc/rc", "SCRATCH=" + f.Host.Home + "/s"}, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "s", "envs", "ml"))
		}},
		{"the root's environments before the user's own", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, ".conda", "envs", "ml"))
			return nil, pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml") + "/envs/ml"
		}},
		{"the chosen root's before what is listed", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			other := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "project", "ml"))
			pyenvtest.Write(t, map[string]string{f.Host.Home + "/.conda/environments.txt": other + "\n"})
			return nil, pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml") + "/envs/ml"
		}},
		{"micromamba with nothing but envs", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			return nil, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "micromamba", "envs", "ml"))
		}},
		{"micromamba 2's data directory", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			return nil, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, ".local", "share", "mamba", "envs", "ml"))
		}},
		{"a root of micromamba elsewhere", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml")
			return []string{"MAMBA_ROOT_PREFIX=~/mm"}, pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "mm", "envs", "ml"))
		}},
		{"miniforge of Homebrew", "base", func(t *testing.T, f *Finder) ([]string, string) {
			return nil, pyenvtest.CondaRoot(t, f.Host.Sys("/opt/homebrew/Caskroom/miniforge/base"))
		}},
		{"a link to an environment", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"))
			if err := os.Symlink(pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "big disk", "ml")), root+"/envs/ml"); err != nil {
				t.Fatal(err)
			}
			return nil, root + "/envs/ml"
		}},
		{"the same one listed and found", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			prefix := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml") + "/envs/ml"
			pyenvtest.Write(t, map[string]string{f.Host.Home + "/.conda/environments.txt": prefix + "\n"})
			return nil, prefix
		}},
		{"the program, at last", "ml", func(t *testing.T, f *Finder) ([]string, string) {
			prefix := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "hidden", "ml"))
			pyenvtest.Write(t, map[string]string{f.Host.Home + "/bin/conda": "#!/bin/sh\necho plugin says hello\necho '{\"envs\": [\"" + prefix + "\"]}'\n"})
			return []string{"PATH=" + f.Host.Home + "/bin:/usr/bin:/bin"}, prefix
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFinder(t)
			environ, want := test.make(t, f)
			f.Host.Environ = func() []string { return append([]string{"HOME=" + f.Host.Home}, environ...) }
			f.Host.Runner = pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
				if cmd.Path != filepath.Join(want, "bin", "python") && test.name != "the program, at last" {
					t.Errorf("started %q", cmd.Args)
				}
				return host.DirectRunner{}.Run(ctx, cmd)
			})
			env, err := f.Resolve(t.Context(), Config{CondaName: test.ask})
			if err != nil {
				t.Fatal(err)
			}
			if env.Kind != kinds.Conda || env.Prefix != want || env.Info.Version == "" {
				t.Errorf("got %+v, want %s", env, want)
			}
			name := strings.Replace(test.ask, "root", "base", 1)
			if env.Label() != "conda "+name {
				t.Errorf("got label %q", env.Label())
			}
		})
	}
}

func TestCondaByPath(t *testing.T) {
	f := newFinder(t)
	root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml")
	lone := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "project", "conda"))
	pyenvtest.Write(t, map[string]string{lone + "/conda-meta/history": "==> 2026-01-01 00:00:00 <==\n# cmd: " + root + "/bin/conda create -p x\n"})
	for _, test := range []struct{ value, prefix, root string }{
		{root + "/envs/ml", root + "/envs/ml", root},
		{"~/miniforge3/envs/ml/", root + "/envs/ml", root},
		{root + "/envs/ml/bin", root + "/envs/ml", root},
		{root + "/envs/ml/bin/python", root + "/envs/ml", root},
		{root, root, root},
		{lone, lone, root},
	} {
		env, err := f.Resolve(t.Context(), Config{Type: "conda", CondaName: test.value})
		if err != nil {
			t.Errorf("%s: %v", test.value, err)
		} else if env.Prefix != test.prefix || env.Root != test.root {
			t.Errorf("%s: got %s of %s, want %s of %s", test.value, env.Prefix, env.Root, test.prefix, test.root)
		}
	}
	// VENV_PATH of a conda environment works too: it says itself what it is.
	env, err := f.Resolve(t.Context(), Config{VenvPath: lone})
	if err != nil || env.Kind != kinds.Conda {
		t.Errorf("got %+v, %v", env, err)
	}
}

func TestCondaErrors(t *testing.T) {
	f := newFinder(t)
	one := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniconda3"), "ml", "stats", "data-science")
	two := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml")
	venv := pyenvtest.MakeVenv(t, filepath.Join(f.Host.Home, "venv"))
	pyenvtest.Write(t, map[string]string{
		one + "/envs/empty/conda-meta/history": "",
		f.Host.Home + "/plain/file":            "",
	})
	resolve := func(name string) error {
		t.Helper()
		env, err := f.Resolve(t.Context(), Config{CondaName: name})
		if err == nil {
			t.Fatalf("%s: no error, but %+v", name, env)
		}
		return err
	}

	var ambiguous *AmbiguousError
	if err := resolve("ml"); !errors.As(err, &ambiguous) || !slices.Equal(ambiguous.Prefixes, []string{two + "/envs/ml", one + "/envs/ml"}) {
		t.Errorf("got %v", err)
	}
	if err := resolve("base"); !errors.As(err, &ambiguous) || len(ambiguous.Prefixes) != 2 {
		t.Errorf("got %v", err)
	}

	var notFound *NotFoundError
	if err := resolve("data-sciense"); !errors.As(err, &notFound) || notFound.Near != "data-science" {
		t.Fatalf("got %v", err)
	}
	for _, known := range []string{"stats (" + one + "/envs/stats)", "base (" + one + ")", "base (" + two + ")"} {
		if !slices.Contains(notFound.Available, known) {
			t.Errorf("%q are known, not %q", notFound.Available, known)
		}
	}
	if err := resolve("something-else-entirely"); !errors.As(err, &notFound) || notFound.Near != "" || len(notFound.Searched) == 0 {
		t.Errorf("got %v, near %q", err, notFound.Near)
	}
	if err := resolve("/no/such/env"); !errors.As(err, &notFound) {
		t.Errorf("got %v", err)
	}

	var broken *BrokenError
	if err := resolve("empty"); !errors.As(err, &broken) || !strings.Contains(broken.Fix, "conda install -p") {
		t.Errorf("got %v", err)
	}
	if err := resolve(f.Host.Home + "/plain"); !errors.As(err, &broken) || !strings.Contains(broken.Reason, "conda-meta") {
		t.Errorf("got %v", err)
	}
	if err := resolve(venv); !errors.As(err, &broken) || !strings.Contains(broken.Fix, "VENV_PATH="+venv) {
		t.Errorf("got %v", err)
	}
	var config *host.ConfigError
	for _, hostile := range []string{"a\x00b", "a\nb"} {
		if err := resolve(hostile); !errors.As(err, &config) {
			t.Errorf("%q: got %v", hostile, err)
		}
	}
	for _, hostile := range []string{"$(touch /tmp/x)", "-n", "a;b", "..", strings.Repeat("n", 1<<20), "\xff"} {
		_ = resolve(hostile)
	}
}

// A name must be found from files alone: conda takes a second to answer.
func TestCondaNameNeedsNoProgram(t *testing.T) {
	f := newFinder(t)
	f.Host.Runner = pyenvtest.RunnerFunc(func(_ context.Context, cmd *exec.Cmd) error {
		t.Errorf("started %q", cmd.Args)
		return nil
	})
	root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml")
	pyenvtest.Write(t, map[string]string{root + "/bin/conda": "#!/bin/sh\n"})
	prefix, err := f.condaPrefix(t.Context(), "ml")
	if err != nil || prefix != root+"/envs/ml" {
		t.Errorf("got %q, %v", prefix, err)
	}
}

// A home as those who work with conda for years have it.
func BenchmarkCondaPrefix(b *testing.B) {
	f := newFinder(b, "PATH=/usr/local/bin:/usr/bin:/bin")
	pyenvtest.CondaRoot(b, filepath.Join(f.Host.Home, "miniforge3"), "ml")
	pyenvtest.CondaRoot(b, filepath.Join(f.Host.Home, "micromamba"), "other")
	var listed strings.Builder
	for i := range 60 {
		fmt.Fprintf(&listed, "%s/miniforge3/envs/old-%d\n", f.Host.Home, i)
	}
	pyenvtest.Write(b, map[string]string{
		f.Host.Home + "/.conda/environments.txt": listed.String(),
		f.Host.Home + "/.condarc":                "channels: [conda-forge]\nenvs_dirs:\n  - ~/work\n  - ~/more\n",
		f.Host.Sys("/etc/conda/condarc.d/a.yml"): "channel_priority: strict\n",
	})
	for b.Loop() {
		if _, err := f.condaPrefix(b.Context(), "ml"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"base", "ml", "data-science", "py311"}
	for name, want := range map[string]string{"py31": "py311", "Data_Science": "data-science", "zzz": "", "": "", "mll": "ml"} {
		if got := nearest(name, names); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
