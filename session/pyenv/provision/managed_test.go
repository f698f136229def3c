package provision

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// quickMaker is a Runner that makes real environments, but without pip, and
// pretends to install. It counts both.
type quickMaker struct {
	made, installed atomic.Int32
	beforeMake      func()
	install         func(ctx context.Context, prefix string) error
}

func (q *quickMaker) Run(ctx context.Context, cmd *exec.Cmd) error {
	switch {
	case slices.Contains(cmd.Args, "venv"):
		q.made.Add(1)
		if q.beforeMake != nil {
			q.beforeMake()
		}
		cmd.Args = append(slices.Clone(cmd.Args), "--without-pip")
	case slices.Contains(cmd.Args, "install"):
		q.installed.Add(1)
		if q.install != nil {
			return q.install(ctx, filepath.Dir(filepath.Dir(cmd.Path)))
		}
		return putPackages(filepath.Dir(filepath.Dir(cmd.Path)), cmd.Args[slices.Index(cmd.Args, "--")+1:])
	}
	return host.DirectRunner{}.Run(ctx, cmd)
}

// putPackages does what installing packages of those names leaves.
func putPackages(prefix string, names []string) error {
	sites, err := filepath.Glob(filepath.Join(prefix, "lib", "python3*", "site-packages"))
	if err != nil || len(sites) != 1 {
		return errors.Join(err, errors.New("no site-packages"))
	}
	for _, name := range names {
		info := filepath.Join(sites[0], name+"-9.9.dist-info")
		err = errors.Join(err, os.MkdirAll(info, 0o755), os.MkdirAll(filepath.Join(sites[0], name), 0o755),
			os.WriteFile(filepath.Join(info, "METADATA"), nil, 0o644),
			os.WriteFile(filepath.Join(sites[0], name, "__init__.py"), nil, 0o644))
	}
	return err
}

// managedFinder finds the test's Python alone, and no uv.
func managedFinder(t *testing.T, dataDir string, runner host.Runner) *Provisioner {
	t.Helper()
	f := newProvisioner(t, "PATH="+filepath.Dir(pyenvtest.BasePython(t)))
	f.Installer.Finder.Host.DataDir, f.Installer.Finder.Host.Runner, f.Installer.UVInstall = dataDir, runner, "never"
	f.packages = []managedPackage{{"ipykernel", "ipykernel"}, {"numpy", "numpy"}}
	return f
}

func TestManagedIsMadeOnce(t *testing.T) {
	const servers = 3
	dataDir := filepath.Join(t.TempDir(), "data dir")
	var waiting sync.WaitGroup
	waiting.Add(servers - 1)
	// The one that makes it waits until the others are seen to wait for it.
	maker := &quickMaker{beforeMake: waiting.Wait}
	results := make(chan *pyenv.Environment, servers)
	for range servers {
		f := managedFinder(t, dataDir, maker)
		go func() {
			env, err := f.Managed(t.Context(), func(line string) {
				if strings.HasPrefix(line, "waiting for another server") {
					waiting.Done()
				}
			})
			if err != nil {
				t.Error(err)
			}
			results <- env
		}()
	}
	for range servers {
		env := <-results
		if env == nil {
			continue
		}
		if env.Kind != kinds.Managed || env.Label() != "managed" || !strings.HasPrefix(env.Prefix, filepath.Join(dataDir, "envs", "default-py3")) {
			t.Errorf("got %+v", env)
		}
		if got, _ := host.VarsOf(env.Vars).Get("VIRTUAL_ENV"); got != env.Prefix {
			t.Errorf("it is not activated: %q", env.Vars)
		}
	}
	if maker.made.Load() != 1 || maker.installed.Load() != 1 {
		t.Errorf("made %d times, installed %d times", maker.made.Load(), maker.installed.Load())
	}
	// A later server, and nothing configured.
	env, err := managedFinder(t, dataDir, maker).Resolve(t.Context(), pyenv.Config{})
	if err != nil || env.Kind != kinds.Managed || maker.made.Load() != 1 {
		t.Errorf("got %+v, %v, made %d times", env, err, maker.made.Load())
	}
}

func TestManagedAfterInterruption(t *testing.T) {
	dataDir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the client went away")
	var half string
	maker := &quickMaker{install: func(ctx context.Context, prefix string) error {
		half = filepath.Join(prefix, "half")
		pyenvtest.Write(t, map[string]string{half: ""})
		cancel(cause)
		return ctx.Err()
	}}
	f := managedFinder(t, dataDir, maker)
	if env, err := f.Managed(ctx, nil); !errors.Is(err, cause) {
		t.Fatalf("got %+v, %v, want the cause", env, err)
	}
	if !host.Exists(half) {
		t.Fatal("the test interrupted nothing")
	}
	maker.install = nil
	env, err := f.Managed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if host.Exists(half) || maker.made.Load() != 2 || !host.IsFile(filepath.Join(env.Prefix, kinds.ReadyMark)) {
		t.Errorf("what was half made was kept; made %d times", maker.made.Load())
	}
	var info readyInfo
	if err := host.ReadJSON(filepath.Join(env.Prefix, kinds.ReadyMark), &info); err != nil || info.Python != env.Info.Version || info.MadeBy != "venv" {
		t.Errorf("the mark says %+v, %v", info, err)
	}
}

func TestManagedIsFixed(t *testing.T) {
	maker := &quickMaker{}
	f := managedFinder(t, t.TempDir(), maker)
	env, err := f.Managed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// The base Python is upgraded: the links point nowhere.
	for _, name := range []string{"python", "python3"} {
		path := filepath.Join(env.Prefix, "bin", name)
		if err := errors.Join(os.Remove(path), os.Symlink("/gone/python3", path)); err != nil {
			t.Fatal(err)
		}
	}
	if env, err = f.Managed(t.Context(), nil); err != nil || maker.made.Load() != 2 || env.Info.Version == "" {
		t.Errorf("got %+v, %v, made %d times", env, err, maker.made.Load())
	}
	// Which packages were added to the old one nobody knows: so that they are gone is said.
	const anew = "made the managed environment anew, without packages that were added to the old one, which no longer worked ("
	if !strings.HasPrefix(env.Made, anew+"the base Python of this environment (") || !strings.Contains(env.Made, ") is gone): Python 3.") {
		t.Errorf("told %q", env.Made)
	}
	// It has become another Python, whose packages would lie elsewhere.
	other := filepath.Join(filepath.Dir(env.Prefix), "default-py309")
	if err := os.Rename(env.Prefix, other); err != nil {
		t.Fatal(err)
	}
	if env, err = f.Managed(t.Context(), nil); err != nil || maker.made.Load() != 3 || env.Prefix == other {
		t.Errorf("got %+v, %v, made %d times", env, err, maker.made.Load())
	}
	if !strings.HasPrefix(env.Made, anew+"it has become Python 3.") {
		t.Errorf("told %q", env.Made)
	}
	// A package is gone, as a whole or but for its metadata: only that one is put back.
	for _, gone := range []string{"numpy*", "numpy"} {
		found, _ := filepath.Glob(filepath.Join(env.Info.Purelib, gone))
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
		installed := maker.installed.Load()
		var said []string
		again, err := f.Managed(t.Context(), func(line string) { said = append(said, line) })
		if err != nil || again.Prefix != env.Prefix || maker.installed.Load() != installed+1 || maker.made.Load() != 3 || !host.IsFile(filepath.Join(env.Info.Purelib, "numpy", "__init__.py")) {
			t.Errorf("%s: got %+v, %v, installed %d times more", gone, again, err, maker.installed.Load()-installed)
		}
		if !slices.ContainsFunc(said, func(line string) bool { return strings.Contains(line, "putting numpy back") }) {
			t.Errorf("%s: told %q", gone, said)
		}
	}
	if _, err := f.Managed(t.Context(), func(line string) { t.Error(line) }); err != nil {
		t.Error(err)
	}
}

func TestManagedFails(t *testing.T) {
	f := newProvisioner(t, "PATH=/nowhere")
	_, err := f.Managed(t.Context(), nil)
	var notFound *pyenv.NotFoundError
	if !errors.As(err, &notFound) {
		t.Errorf("without a Python: got %v", err)
	}

	for said, want := range map[string]string{
		"ERROR: No matching distribution found for ipykernel":                           "\nfix that and call again, or choose an environment that has ipykernel",
		"error: Failed to fetch: `https://pypi.org/simple/ipykernel/`":                  "\ncheck the network, a proxy (HTTPS_PROXY) and the package index",
		"ERROR: Could not install packages due to an OSError: [Errno 28] No space left": "\nfree some space on that disk and call again",
	} {
		f = managedFinder(t, t.TempDir(), &quickMaker{})
		f.Installer.Finder.Host.Runner = pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
			if slices.Contains(cmd.Args, "install") {
				_, _ = cmd.Stderr.Write([]byte(said + "\n"))
				return errors.New("exit status 1")
			}
			return (&quickMaker{}).Run(ctx, cmd)
		})
		_, err = f.Managed(t.Context(), nil)
		var broken *pyenv.BrokenError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), "(exit status 1):\n"+said+want) {
			t.Errorf("with a failing pip: got %v", err)
		}
		if marks, _ := filepath.Glob(filepath.Join(f.Installer.Finder.Host.DataDir, "envs", "*", kinds.ReadyMark)); len(marks) != 0 {
			t.Error("what failed is marked as ready")
		}
	}
}

func TestManagedByUV(t *testing.T) {
	f := managedFinder(t, t.TempDir(), nil)
	environ := append(f.Installer.Finder.Host.Environ(), "UV="+pyenvtest.UV(t), "UV_PYTHON_DOWNLOADS=never")
	f.Installer.Finder.Host.Environ = func() []string { return environ }
	f.packages = []managedPackage{} // the real ones come from a network
	env, err := f.Managed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var info readyInfo
	if err := host.ReadJSON(filepath.Join(env.Prefix, kinds.ReadyMark), &info); err != nil || info.MadeBy != "uv" {
		t.Errorf("the mark says %+v, %v", info, err)
	}
}

// TestManagedPackages: what data analysis needs is there without asking.
func TestManagedPackages(t *testing.T) {
	var modules []string
	for _, p := range managedPackages() {
		modules = append(modules, p.Module)
	}
	if want := []string{"ipykernel", "numpy", "pandas", "matplotlib", "pyarrow", "jinja2", "tqdm"}; !slices.Equal(modules, want) {
		t.Errorf("%v, want %v", modules, want)
	}
}
