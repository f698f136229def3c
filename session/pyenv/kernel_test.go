package pyenv

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ipykernelAt is a Runner whose installers put an ipykernel of that version into
// purelib; everything else runs.
func ipykernelAt(t *testing.T, purelib, version string, calls *[][]string) Runner {
	return runnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		if !slices.Contains(cmd.Args, "install") {
			return directRunner{}.Run(ctx, cmd)
		}
		*calls = append(*calls, append(slices.Clone(cmd.Args), cmd.Env...))
		_, _ = cmd.Stdout.Write([]byte("Collecting ipykernel\nInstal"))
		_, _ = cmd.Stdout.Write([]byte("ling\r\n"))
		if version == "" {
			return errors.New("exit status 1")
		}
		write(t, map[string]string{
			filepath.Join(purelib, "ipykernel", "__init__.py"):                    "",
			filepath.Join(purelib, "ipykernel-"+version+".dist-info", "METADATA"): "",
		})
		return nil
	})
}

func TestEnsureKernel(t *testing.T) {
	dir := makeVenv(t, filepath.Join(t.TempDir(), "v"))
	f := newFinder(t, "PATH=/nowhere", "UV="+testUV(t), "PIP_USER=1", "PIP_INDEX_URL=https://index.example/simple")
	env, err := f.Resolve(t.Context(), Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}

	// It fails: the installer's words and the command to run.
	var calls [][]string
	f.Runner = ipykernelAt(t, env.Info.Purelib, "", &calls)
	_, err = f.EnsureKernel(t.Context(), env, nil)
	var missing *KernelMissingError
	if !errors.As(err, &missing) || !strings.Contains(missing.Command, "ipykernel") || !strings.Contains(missing.Reason, "Collecting") {
		t.Fatalf("got %v", err)
	}
	// An index's URL may hold a password: by variables, not on the command line.
	argv := calls[0]
	if !slices.Contains(argv, "UV_INDEX_URL=https://index.example/simple") || slices.Contains(argv, "https://index.example/simple") || slices.Contains(argv, "PIP_USER=1") {
		t.Errorf("called %q", argv)
	}

	// It works, and tells.
	f.Runner = ipykernelAt(t, env.Info.Purelib, "7.4.0", &calls)
	var lines []string
	notice, err := f.EnsureKernel(t.Context(), env, func(line string) { lines = append(lines, line) })
	if err != nil || !strings.Contains(notice, "7.4.0") || !strings.Contains(notice, dir) {
		t.Errorf("got %q, %v", notice, err)
	}
	if want := []string{"installing ipykernel into " + dir, "Collecting ipykernel", "Installing"}; !slices.Equal(lines, want) {
		t.Errorf("told %q, want %q", lines, want)
	}

	// There is one: nothing runs.
	f.Runner = runnerFunc(func(context.Context, *exec.Cmd) error { t.Error("something ran"); return nil })
	if notice, err := f.EnsureKernel(t.Context(), env, nil); notice != "" || err != nil {
		t.Errorf("got %q, %v", notice, err)
	}
}

func TestEnsureKernelRefuses(t *testing.T) {
	f := newFinder(t)
	f.Runner = runnerFunc(func(context.Context, *exec.Cmd) error { t.Error("something ran"); return nil })
	base := Environment{Prefix: "/p", Python: "/p/bin/python", Info: ProbeInfo{Writable: true, HasPip: true, Purelib: "/p/lib"}}
	for _, test := range []struct {
		name    string
		change  func(*Environment)
		reason  string
		command string
	}{
		{"read only", func(e *Environment) { e.Kind, e.Info.Writable = KindVenv, false }, "/p/lib is not writable", "/p/bin/python -m pip install 'ipykernel"},
		{"read only, uv", func(e *Environment) { e.Kind, e.Info.Writable = KindUV, false }, "not writable", "uv pip install --python /p/bin/python"},
		{"read only, conda", func(e *Environment) { e.Kind, e.Info.Writable = KindConda, false }, "not writable", "conda install -p /p ipykernel"},
		{"frozen conda", func(e *Environment) { e.Kind, e.Info.ExternallyManaged = KindConda, "/p/conda-meta/frozen" }, "frozen", "conda install"},
		{"managed by Debian", func(e *Environment) { e.Kind, e.Info.ExternallyManaged = KindSystem, "/l/EXTERNALLY-MANAGED" }, "no environment", "-m venv"},
		{"too old", func(e *Environment) {
			e.Kind, e.Info.Writable, e.Info.Dists = KindVenv, false, map[string]string{"ipykernel": "5.5.6"}
		}, "not writable", "pip install"},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := base
			test.change(&env)
			_, err := f.EnsureKernel(t.Context(), &env, nil)
			var missing *KernelMissingError
			if !errors.As(err, &missing) || !strings.Contains(missing.Reason, test.reason) || !strings.Contains(missing.Command, test.command) {
				t.Errorf("got %v", err)
			}
			if old := env.Info.Dists["ipykernel"]; old != "" && !strings.Contains(err.Error(), old+" is too old") {
				t.Errorf("%q does not say which is too old", err)
			}
		})
	}
}

// A kernel comes from the same place as other packages: PIP_NO_INDEX and
// PIP_FIND_LINKS count for uv too, which reads neither.
func TestEnsureKernelIndex(t *testing.T) {
	dir, links := makeVenv(t, filepath.Join(t.TempDir(), "v")), t.TempDir()
	f := newFinder(t, "UV="+testUV(t), "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+links)
	env, err := f.Resolve(t.Context(), Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	var calls [][]string
	f.Runner = ipykernelAt(t, env.Info.Purelib, "7.4.0", &calls)
	if _, err := f.EnsureKernel(t.Context(), env, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--no-index", "UV_FIND_LINKS=" + links} {
		if !slices.Contains(calls[0], want) {
			t.Errorf("%q is missing in %q", want, calls[0])
		}
	}
}

// Without a data directory there is no place for locks; the working directory is none.
func TestNoDataDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	f := newFinder(t)
	f.DataDir = ""
	env := &Environment{Kind: KindVenv, Prefix: "/p", Python: "/p/bin/python", Info: ProbeInfo{Writable: true}}
	if _, err := f.EnsureKernel(t.Context(), env, nil); err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("got %v", err)
	}
	if exists("locks") {
		t.Error("locks lie in the working directory")
	}
}

func TestKernelInstallers(t *testing.T) {
	root := condaRoot(t, filepath.Join(t.TempDir(), "root"))
	write(t, map[string]string{root + "/bin/conda": "#!/bin/sh\n"})
	uv := filepath.Join(t.TempDir(), "uv")
	write(t, map[string]string{uv: ""})
	for _, test := range []struct {
		name   string
		env    Environment
		haveUV bool
		want   []string // a word of each command line
	}{
		{"venv with pip", Environment{Kind: KindVenv, Info: ProbeInfo{HasPip: true}}, true, []string{"pip"}},
		{"venv without pip", Environment{Kind: KindVenv, Info: ProbeInfo{HasEnsurepip: true}}, true, []string{uv}},
		{"venv, no pip, no uv", Environment{Kind: KindVenv, Info: ProbeInfo{HasEnsurepip: true}}, false, []string{"ensurepip", "pip"}},
		{"nothing at all", Environment{Kind: KindVenv}, false, nil},
		{"uv venv", Environment{Kind: KindUV, Info: ProbeInfo{HasPip: true}}, true, []string{uv}},
		{"uv venv, no uv", Environment{Kind: KindUV, Info: ProbeInfo{HasPip: true}}, false, []string{"pip"}},
		{"conda", Environment{Kind: KindConda, Root: root, Info: ProbeInfo{HasPip: true}}, true, []string{"--freeze-installed", root + "/bin/conda", "pip"}},
		{"conda, no program", Environment{Kind: KindConda, Info: ProbeInfo{}}, true, []string{uv}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFinder(t)
			if test.haveUV {
				f = newFinder(t, "UV="+uv)
			}
			test.env.Prefix, test.env.Python = "/p", "/p/bin/python"
			got := f.kernelInstallers(&test.env)
			if len(got) != len(test.want) {
				t.Fatalf("got %q", got)
			}
			for i, argv := range got {
				if !slices.Contains(argv, test.want[i]) {
					t.Errorf("got %q, want one with %q", argv, test.want[i])
				}
			}
		})
	}
}

func TestTailBuffer(t *testing.T) {
	b := &tailBuffer{max: 5}
	for _, part := range []string{"ab", "cdef", "", "0123456789", "x"} {
		if n, err := b.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if b.String() != "6789x" {
		t.Errorf("got %q", b)
	}
}
