package provision

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// uvInto is a venv without pip, with packages put into it by uv.
func uvInto(t *testing.T, packages ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "env")
	pyenvtest.Run(t, pyenvtest.UV(t), "venv", "-q", "--python", pyenvtest.BasePython(t), dir)
	if len(packages) > 0 {
		pyenvtest.Run(t, append([]string{pyenvtest.UV(t), "pip", "install", "-q", "--python", filepath.Join(dir, "bin", "python"), "--"}, packages...)...)
	}
	return dir
}

// sidecarFinder reaches the package index as this machine does.
func sidecarFinder(t *testing.T) *Provisioner {
	t.Helper()
	f := newProvisioner(t, append(os.Environ(), "UV="+pyenvtest.UV(t))...)
	f.KernelInstall = "sidecar"
	return f
}

func resolved(t *testing.T, f *Provisioner, dir string) *pyenv.Environment {
	t.Helper()
	env, err := f.Resolve(t.Context(), pyenv.Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// TestSidecar: it is made of what fits the environment, used again while that is
// the same, by other environments too, and made anew when it changes.
func TestSidecar(t *testing.T) {
	t.Parallel()
	f := sidecarFinder(t)
	dir := uvInto(t, "traitlets==5.9.0", "packaging==23.0")
	env := resolved(t, f, dir)
	notice, err := f.EnsureKernel(t.Context(), env, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := env.Sidecar
	if !strings.Contains(notice, "beside "+dir) || !strings.Contains(notice, first) || !strings.Contains(notice, "unchanged") {
		t.Errorf("told %q", notice)
	}
	dists := distsIn(first)
	if dists["traitlets"] != "5.9.0" || dists["packaging"] != "23.0" || packaging.CompareReleases(dists["ipykernel"], "6.17") < 0 {
		t.Errorf("it holds %v", dists)
	}
	if words := f.KernelWords(env); words != dists["ipykernel"]+" beside the environment, in "+first {
		t.Errorf("words %q", words)
	}
	if there := host.DirNames(env.Info.Purelib); slices.ContainsFunc(there, func(name string) bool { return strings.Contains(name, "ipykernel") }) {
		t.Errorf("the environment holds %v", there)
	}
	quiet := pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		if slices.Contains(cmd.Args, "install") {
			t.Errorf("%q was run", cmd.Args)
		}
		return host.DirectRunner{}.Run(ctx, cmd)
	})
	f.Installer.Finder.Host.Runner = quiet
	again := resolved(t, f, dir)
	if notice, err := f.EnsureKernel(t.Context(), again, nil); notice != "" || err != nil || again.Sidecar != first {
		t.Errorf("again: %q, %v, %s", notice, err, again.Sidecar)
	}
	// Another environment with the same packages, in another server.
	other := New(&host.Host{Environ: f.Installer.Finder.Host.Environ, Home: f.Installer.Finder.Host.Home, DataDir: f.Installer.Finder.Host.DataDir, Runner: quiet})
	pyenvtest.CloseAtEnd(t, other.Installer.Finder.Host)
	other.KernelInstall = "sidecar"
	twin := resolved(t, other, uvInto(t, "traitlets==5.9.0", "packaging==23.0"))
	if notice, err := other.EnsureKernel(t.Context(), twin, nil); notice == "" || err != nil || twin.Sidecar != first {
		t.Errorf("a twin: %q, %v, %s", notice, err, twin.Sidecar)
	}
	// What it was made for has changed.
	f.Installer.Finder.Host.Runner = nil
	pyenvtest.Run(t, pyenvtest.UV(t), "pip", "install", "-q", "--python", env.Python, "--", "traitlets==5.14.0")
	changed := resolved(t, f, dir)
	if _, err := f.EnsureKernel(t.Context(), changed, nil); err != nil || changed.Sidecar == first || distsIn(changed.Sidecar)["traitlets"] != "5.14.0" {
		t.Errorf("changed: %v, %s holds %v", err, changed.Sidecar, distsIn(changed.Sidecar))
	}
	// One that is damaged is made anew.
	if err := os.RemoveAll(filepath.Join(changed.Sidecar, "ipykernel")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.EnsureKernel(t.Context(), changed, nil); err != nil || !host.IsFile(filepath.Join(changed.Sidecar, "ipykernel", "__init__.py")) {
		t.Errorf("damaged: %v", err)
	}

	// Removing: not what a server uses.
	owned := other.Owned()
	if len(owned) != 2 || owned[0].Kind != "kernel" || owned[0].Bytes < 1<<20 || !owned[0].InUse {
		t.Fatalf("owned: %+v", owned)
	}
	for _, o := range owned {
		if err := other.Remove(t.Context(), o); err == nil || !host.Exists(o.Path) {
			t.Errorf("%s is in use, and was removed: %v", o.Path, err)
		}
	}
	for _, f := range []*Provisioner{f, other} { // their processes end
		f.Installer.Finder.Host.Close()
	}
	for _, o := range owned {
		if err := other.Remove(t.Context(), o); err != nil || host.Exists(o.Path) {
			t.Errorf("removing %s: %v", o.Path, err)
		}
	}
	if err := other.Remove(t.Context(), Owned{Kind: "kernel", Path: dir}); err == nil || !host.Exists(dir) {
		t.Errorf("an environment of the user's was removed: %v", err)
	}
}

// TestSidecarDoesNotFit: the environment has what no ipykernel can live with. It
// is said, with the resolver's words, and nothing is left.
func TestSidecarDoesNotFit(t *testing.T) {
	t.Parallel()
	f := sidecarFinder(t)
	env := resolved(t, f, uvInto(t, "traitlets==4.3.3"))
	_, err := f.EnsureKernel(t.Context(), env, nil)
	var missing *KernelMissingError
	if !errors.As(err, &missing) || !strings.Contains(missing.Reason, "no ipykernel fits what the environment has: traitlets 4.3.3") || !strings.Contains(missing.Command, "uv pip install") {
		t.Errorf("got %v", err)
	}
	if left := host.DirNames(f.sidecarsDir()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestSidecarAfterFailure: what fails in the environment is put beside it, and
// both is said; with nothing to install from, both failures are.
func TestSidecarAfterFailure(t *testing.T) {
	t.Parallel()
	f := sidecarFinder(t)
	f.KernelInstall = ""
	f.Installer.Finder.Host.Runner = pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		if slices.Contains(cmd.Args, "install") && !slices.Contains(cmd.Args, "--target") {
			_, _ = cmd.Stderr.Write([]byte("error: the disk of the environment is full\n"))
			return errors.New("exit status 1")
		}
		return host.DirectRunner{}.Run(ctx, cmd)
	})
	dir := uvInto(t)
	env := resolved(t, f, dir)
	notice, err := f.EnsureKernel(t.Context(), env, nil)
	if err != nil || env.Sidecar == "" || !strings.Contains(notice, "installing it failed") {
		t.Errorf("got %q, %v", notice, err)
	}
	env = resolved(t, f, dir) // and is not tried again
	if notice, err := f.EnsureKernel(t.Context(), env, nil); err != nil || notice != "" || env.Sidecar == "" {
		t.Errorf("again: %q, %v", notice, err)
	}

	g := newProvisioner(t, "UV="+pyenvtest.UV(t), "UV_CACHE_DIR="+t.TempDir(), "PIP_NO_INDEX=1")
	env = resolved(t, g, dir)
	_, err = g.EnsureKernel(t.Context(), env, nil)
	for _, part := range []string{"installing it failed", "beside the environment failed", "uv pip install"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
}

func TestOldSidecarsAreRemoved(t *testing.T) {
	f := newProvisioner(t)
	old, young, half := filepath.Join(f.sidecarsDir(), "old"), filepath.Join(f.sidecarsDir(), "young"), filepath.Join(f.sidecarsDir(), ".new-1")
	pyenvtest.Write(t, map[string]string{filepath.Join(old, sidecarMark): "{}", filepath.Join(young, sidecarMark): "{}", filepath.Join(half, "x"): ""})
	long := time.Now().Add(-sidecarKept - time.Hour)
	if err := os.Chtimes(filepath.Join(old, sidecarMark), long, long); err != nil {
		t.Fatal(err)
	}
	f.removeOldSidecars()
	if host.Exists(old) || host.Exists(half) || !host.Exists(young) {
		t.Errorf("left: %v", host.DirNames(f.sidecarsDir()))
	}
}

// TestFetchUV: uv comes from the package index when it is allowed, once.
func TestFetchUV(t *testing.T) {
	t.Parallel()
	environ := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "UV=") || strings.HasPrefix(e, "PATH=") })
	f := newProvisioner(t, append(environ, "PATH="+filepath.Dir(pyenvtest.BasePython(t)))...)
	f.Installer.UVInstall = "never"
	if _, err := f.Installer.EnsureUV(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "UV_INSTALL=never") {
		t.Errorf("never: %v", err)
	}
	f.Installer.UVInstall = ""
	uv, err := f.Installer.EnsureUV(t.Context(), nil)
	if err != nil || uv != filepath.Join(f.Installer.Finder.Host.DataDir, "tools", "uv", "bin", "uv") {
		t.Fatalf("got %q, %v", uv, err)
	}
	if out := pyenvtest.Run(t, uv, "--version"); !strings.HasPrefix(out, "uv ") {
		t.Errorf("it says %q", out)
	}
	f.Installer.Finder.Host.Runner = pyenvtest.RunnerFunc(func(context.Context, *exec.Cmd) error { t.Error("something ran"); return nil })
	if again, err := f.Installer.EnsureUV(t.Context(), nil); again != uv || err != nil {
		t.Errorf("again: %q, %v", again, err)
	}
	if owned := f.Owned(); len(owned) != 1 || owned[0].Kind != "uv" || !strings.HasPrefix(owned[0].Detail, "uv ") {
		t.Errorf("owned: %+v", owned)
	}
}
