package provision

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

func newProvisioner(t testing.TB, environ ...string) *Provisioner {
	return New(pyenvtest.NewHost(t, environ...))
}

// ipykernelAt is a Runner whose installers put an ipykernel of that version into
// purelib; everything else runs.
func ipykernelAt(t *testing.T, purelib, version string, calls *[][]string) host.Runner {
	return pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		if !slices.Contains(cmd.Args, "install") {
			return host.DirectRunner{}.Run(ctx, cmd)
		}
		*calls = append(*calls, append(slices.Clone(cmd.Args), cmd.Env...))
		_, _ = cmd.Stdout.Write([]byte("Collecting ipykernel\nInstal"))
		_, _ = cmd.Stdout.Write([]byte("ling\r\n"))
		if version == "" {
			return errors.New("exit status 1")
		}
		pyenvtest.Write(t, map[string]string{
			filepath.Join(purelib, "ipykernel", "__init__.py"):                    "",
			filepath.Join(purelib, "ipykernel-"+version+".dist-info", "METADATA"): "",
		})
		return nil
	})
}

func TestEnsureKernel(t *testing.T) {
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v"))
	f := newProvisioner(t, "PATH=/nowhere", "UV="+pyenvtest.UV(t), "PIP_USER=1", "PIP_INDEX_URL=https://index.example/simple")
	env, err := f.Resolve(t.Context(), pyenv.Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}

	// It fails: the installer's words and the command to run.
	var calls [][]string
	f.Installer.Finder.Host.Runner = ipykernelAt(t, env.Info.Purelib, "", &calls)
	f.KernelInstall = "env"
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
	f.Installer.Finder.Host.Runner = ipykernelAt(t, env.Info.Purelib, "7.4.0", &calls)
	var lines []string
	notice, err := f.EnsureKernel(t.Context(), env, func(line string) { lines = append(lines, line) })
	if err != nil || !strings.Contains(notice, "7.4.0") || !strings.Contains(notice, dir) {
		t.Errorf("got %q, %v", notice, err)
	}
	if want := []string{"installing ipykernel into " + dir, "Collecting ipykernel", "Installing"}; !slices.Equal(lines, want) {
		t.Errorf("told %q, want %q", lines, want)
	}

	// There is one: nothing runs.
	f.Installer.Finder.Host.Runner = pyenvtest.RunnerFunc(func(context.Context, *exec.Cmd) error { t.Error("something ran"); return nil })
	if notice, err := f.EnsureKernel(t.Context(), env, nil); notice != "" || err != nil {
		t.Errorf("got %q, %v", notice, err)
	}
}

// TestKernelModes: what may be done where there is no ipykernel, and what is said
// of it beforehand.
func TestKernelModes(t *testing.T) {
	f := newProvisioner(t)
	f.Installer.Finder.Host.Runner = pyenvtest.RunnerFunc(func(context.Context, *exec.Cmd) error { t.Error("something ran"); return nil })
	f.NoKernelInstall = true
	base := pyenv.Environment{Prefix: "/p", Python: "/p/bin/python", Info: pyenv.ProbeInfo{Writable: true, HasPip: true, Purelib: "/p/lib"}}
	for _, test := range []struct {
		name, mode  string
		change      func(*pyenv.Environment)
		reason      string
		CommandLine string
	}{
		{"venv", "", func(e *pyenv.Environment) { e.Kind = kinds.Venv }, "the first call installs it into the environment", "/p/bin/python -m pip install 'ipykernel"},
		{"read only", "auto", func(e *pyenv.Environment) { e.Kind, e.Info.Writable = kinds.Venv, false }, "puts one beside the environment, if it reaches the package index: /p/lib is not writable", "/p/bin/python -m pip install 'ipykernel"},
		{"read only, uv", "auto", func(e *pyenv.Environment) { e.Kind, e.Info.Writable = kinds.UV, false }, "beside the environment", "uv pip install --python /p/bin/python"},
		{"read only, conda", "env", func(e *pyenv.Environment) { e.Kind, e.Info.Writable = kinds.Conda, false }, "nothing can be installed: /p/lib is not writable", "conda install -p /p ipykernel"},
		{"frozen conda", "ENV", func(e *pyenv.Environment) { e.Kind, e.Info.ExternallyManaged = kinds.Conda, "/p/conda-meta/frozen" }, "frozen", "conda install"},
		{"managed by Debian", "env", func(e *pyenv.Environment) {
			e.Kind, e.Info.ExternallyManaged = kinds.System, "/l/EXTERNALLY-MANAGED"
		}, "managed by other means", "-m venv"},
		{"a Python in no environment", "", func(e *pyenv.Environment) { e.Kind = kinds.System }, "beside the environment, if it reaches the package index: this Python is in no environment", "pip install"},
		{"the same, and asked for", "env", func(e *pyenv.Environment) { e.Kind = kinds.System }, "installs it into the environment", "pip install"},
		{"sidecar", "sidecar", func(e *pyenv.Environment) { e.Kind = kinds.Venv }, "beside the environment (KERNEL_INSTALL=sidecar)", "pip install"},
		{"never", "never", func(e *pyenv.Environment) { e.Kind = kinds.Venv }, "KERNEL_INSTALL=never forbids", "pip install"},
		{"too old", "", func(e *pyenv.Environment) {
			e.Kind, e.Info.Writable, e.Info.Dists = kinds.Venv, false, map[string]string{"ipykernel": "5.5.6"}
		}, "not writable", "pip install"},
		// Within the major version that is used: documents say 6.17, and so does the code.
		{"6.9.2", "", func(e *pyenv.Environment) {
			e.Kind, e.Info.Writable, e.Info.Dists = kinds.Venv, false, map[string]string{"ipykernel": "6.9.2"}
		}, "not writable", "pip install"},
		{"6.16.2", "", func(e *pyenv.Environment) {
			e.Kind, e.Info.Dists = kinds.Venv, map[string]string{"ipykernel": "6.16.2"}
		}, "the first call installs it", "pip install"},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := base
			test.change(&env)
			f.KernelInstall = test.mode
			_, err := f.EnsureKernel(t.Context(), &env, nil)
			var missing *KernelMissingError
			if !errors.As(err, &missing) || !strings.Contains(missing.Reason, test.reason) || !strings.Contains(missing.Command, test.CommandLine) {
				t.Errorf("got %v", err)
			}
			if old := env.Info.Dists["ipykernel"]; old != "" && !strings.Contains(err.Error(), old+" is too old") {
				t.Errorf("%q does not say which is too old", err)
			}
			if words := f.KernelWords(&env); !strings.Contains(words, test.reason) {
				t.Errorf("before: %q", words)
			}
		})
	}
}

// TestSystemKernel: nothing is ever installed unasked into a Python that others
// are made from.
func TestSystemKernel(t *testing.T) {
	f := newProvisioner(t, "PATH=/usr/bin:/bin")
	env, err := f.Resolve(t.Context(), pyenv.Config{VenvPath: pyenvtest.BasePython(t)})
	if err != nil {
		t.Fatal(err)
	}
	env.Info.Dists, f.NoKernelInstall = nil, true
	_, err = f.EnsureKernel(t.Context(), env, nil)
	var missing *KernelMissingError
	if !errors.As(err, &missing) || missing.Command == "" {
		t.Errorf("got %v, want a KernelMissingError with a command", err)
	}
}

// TestBadKernel: it works, and an upgrade is advised.
func TestBadKernel(t *testing.T) {
	f := newProvisioner(t)
	for version, advised := range map[string]bool{"7.0.0": true, "7.0.1": true, "7.1.0": false, "6.17.0": false} {
		env := &pyenv.Environment{Kind: kinds.Venv, Python: "/p/bin/python", Info: pyenv.ProbeInfo{HasPip: true, Dists: map[string]string{"ipykernel": version}}}
		notice, err := f.EnsureKernel(t.Context(), env, nil)
		if err != nil || strings.Contains(notice, "/p/bin/python -m pip install") != advised {
			t.Errorf("%s: %q, %v", version, notice, err)
		}
	}
}

// A kernel comes from the same place as other packages: PIP_NO_INDEX and
// PIP_FIND_LINKS count for uv too, which reads neither.
func TestEnsureKernelIndex(t *testing.T) {
	dir, links := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "v")), t.TempDir()
	f := newProvisioner(t, "UV="+pyenvtest.UV(t), "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+links)
	env, err := f.Resolve(t.Context(), pyenv.Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	var calls [][]string
	f.Installer.Finder.Host.Runner = ipykernelAt(t, env.Info.Purelib, "7.4.0", &calls)
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
	f := newProvisioner(t)
	f.Installer.Finder.Host.DataDir = ""
	env := &pyenv.Environment{Kind: kinds.Venv, Prefix: "/p", Python: "/p/bin/python", Info: pyenv.ProbeInfo{Writable: true}}
	if _, err := f.EnsureKernel(t.Context(), env, nil); err == nil || !strings.Contains(err.Error(), "data directory") {
		t.Errorf("got %v", err)
	}
	if host.Exists("locks") {
		t.Error("locks lie in the working directory")
	}
}

func TestKernelWays(t *testing.T) {
	root := pyenvtest.CondaRoot(t, filepath.Join(t.TempDir(), "root"))
	pyenvtest.Write(t, map[string]string{root + "/bin/conda": "#!/bin/sh\n"})
	uv := filepath.Join(t.TempDir(), "uv")
	half := t.TempDir()
	pyenvtest.Write(t, map[string]string{uv: "", half + "/ipykernel-7.0.dist-info/RECORD": ""})
	for _, test := range []struct {
		name   string
		env    pyenv.Environment
		haveUV bool
		want   []string // a word of each command line
	}{
		{"venv with pip", pyenv.Environment{Kind: kinds.Venv, Info: pyenv.ProbeInfo{HasPip: true}}, true, []string{"pip"}},
		{"venv without pip", pyenv.Environment{Kind: kinds.Venv, Info: pyenv.ProbeInfo{HasEnsurepip: true}}, true, []string{uv}},
		{"venv, no pip, no uv", pyenv.Environment{Kind: kinds.Venv, Info: pyenv.ProbeInfo{HasEnsurepip: true}}, false, []string{"ensurepip", "pip"}},
		{"nothing at all", pyenv.Environment{Kind: kinds.Venv}, false, nil},
		{"uv venv", pyenv.Environment{Kind: kinds.UV, Info: pyenv.ProbeInfo{HasPip: true}}, true, []string{uv}},
		{"uv venv, no uv", pyenv.Environment{Kind: kinds.UV, Info: pyenv.ProbeInfo{HasPip: true}}, false, []string{"pip"}},
		{"conda", pyenv.Environment{Kind: kinds.Conda, Root: root, Info: pyenv.ProbeInfo{HasPip: true}}, true, []string{"--freeze-installed", root + "/bin/conda", "pip"}},
		{"conda, no program", pyenv.Environment{Kind: kinds.Conda, Info: pyenv.ProbeInfo{}}, true, []string{uv}},
		{"half removed, pip", pyenv.Environment{Kind: kinds.Venv, Info: pyenv.ProbeInfo{HasPip: true, Purelib: half}}, true, []string{"--force-reinstall", "pip"}},
		{"half removed, uv", pyenv.Environment{Kind: kinds.UV, Info: pyenv.ProbeInfo{Purelib: half}}, true, []string{"--reinstall-package"}},
		{"half removed, conda", pyenv.Environment{Kind: kinds.Conda, Root: root, Info: pyenv.ProbeInfo{Purelib: half}}, true, []string{"--force-reinstall", "--freeze-installed", root + "/bin/conda", "--reinstall-package"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newProvisioner(t)
			if test.haveUV {
				f = newProvisioner(t, "UV="+uv)
			}
			f.Installer.UVInstall = "never"
			test.env.Prefix, test.env.Python = "/p", "/p/bin/python"
			got, err := f.kernelWays(t.Context(), &test.env, host.OrSilent(nil))
			if len(got) != len(test.want) {
				t.Fatalf("got %+v", got)
			}
			if missing, ok := errors.AsType[*KernelMissingError](err); (test.want == nil) != ok || ok && !strings.Contains(missing.Reason, "UV_INSTALL=never") {
				t.Errorf("error %v", err)
			}
			for i, w := range got {
				if !slices.Contains(w.argv, test.want[i]) {
					t.Errorf("got %q, want one with %q", w.argv, test.want[i])
				}
			}
		})
	}
}
