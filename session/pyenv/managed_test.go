package pyenv

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
		return nil
	}
	return directRunner{}.Run(ctx, cmd)
}

// managedFinder finds the test's Python alone, and no uv.
func managedFinder(t *testing.T, dataDir string, runner Runner) *Finder {
	t.Helper()
	f := newFinder(t, "PATH="+filepath.Dir(basePython(t)))
	f.DataDir, f.Runner, f.packages = dataDir, runner, []string{"ipykernel"}
	return f
}

func TestManagedIsMadeOnce(t *testing.T) {
	const servers = 3
	dataDir := filepath.Join(t.TempDir(), "data dir")
	var waiting sync.WaitGroup
	waiting.Add(servers - 1)
	// The one that makes it waits until the others are seen to wait for it.
	maker := &quickMaker{beforeMake: waiting.Wait}
	results := make(chan *Environment, servers)
	for range servers {
		f := managedFinder(t, dataDir, maker)
		go func() {
			env, err := f.Managed(t.Context(), func(line string) {
				if strings.Contains(line, "another server") {
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
		if env.Kind != KindManaged || env.Label() != "managed" || !strings.HasPrefix(env.Prefix, filepath.Join(dataDir, "envs", "default-py3")) {
			t.Errorf("got %+v", env)
		}
		if got, _ := varsOf(env.Vars).get("VIRTUAL_ENV"); got != env.Prefix {
			t.Errorf("it is not activated: %q", env.Vars)
		}
	}
	if maker.made.Load() != 1 || maker.installed.Load() != 1 {
		t.Errorf("made %d times, installed %d times", maker.made.Load(), maker.installed.Load())
	}
	// A later server, and nothing configured.
	env, err := managedFinder(t, dataDir, maker).Resolve(t.Context(), Config{})
	if err != nil || env.Kind != KindManaged || maker.made.Load() != 1 {
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
		write(t, map[string]string{half: ""})
		cancel(cause)
		return ctx.Err()
	}}
	f := managedFinder(t, dataDir, maker)
	if env, err := f.Managed(ctx, nil); !errors.Is(err, cause) {
		t.Fatalf("got %+v, %v, want the cause", env, err)
	}
	if !exists(half) {
		t.Fatal("the test interrupted nothing")
	}
	maker.install = nil
	env, err := f.Managed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if exists(half) || maker.made.Load() != 2 || !isFile(filepath.Join(env.Prefix, readyMark)) {
		t.Errorf("what was half made was kept; made %d times", maker.made.Load())
	}
	var info readyInfo
	if err := readJSON(filepath.Join(env.Prefix, readyMark), &info); err != nil || info.Python != env.Info.Version || info.MadeBy != "venv" {
		t.Errorf("the mark says %+v, %v", info, err)
	}
}

func TestManagedIsMended(t *testing.T) {
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
}

func TestManagedFails(t *testing.T) {
	f := newFinder(t, "PATH=/nowhere")
	_, err := f.Managed(t.Context(), nil)
	var notFound *NotFoundError
	if !errors.As(err, &notFound) {
		t.Errorf("without a Python: got %v", err)
	}

	f = managedFinder(t, t.TempDir(), &quickMaker{})
	f.Runner = runnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		if slices.Contains(cmd.Args, "install") {
			_, _ = cmd.Stderr.Write([]byte("ERROR: No matching distribution found for ipykernel\n"))
			return errors.New("exit status 1")
		}
		return (&quickMaker{}).Run(ctx, cmd)
	})
	_, err = f.Managed(t.Context(), nil)
	var broken *BrokenError
	if !errors.As(err, &broken) || !strings.Contains(err.Error(), "No matching distribution") {
		t.Errorf("with a failing pip: got %v", err)
	}
	if marks, _ := filepath.Glob(filepath.Join(f.DataDir, "envs", "*", readyMark)); len(marks) != 0 {
		t.Error("what failed is marked as ready")
	}
}

func TestManagedByUV(t *testing.T) {
	f := managedFinder(t, t.TempDir(), nil)
	environ := append(f.Environ(), "UV="+testUV(t), "UV_PYTHON_DOWNLOADS=never")
	f.Environ = func() []string { return environ }
	f.packages = []string{} // the real ones come from a network
	env, err := f.Managed(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var info readyInfo
	if err := readJSON(filepath.Join(env.Prefix, readyMark), &info); err != nil || info.MadeBy != "uv" {
		t.Errorf("the mark says %+v, %v", info, err)
	}
}

func TestLockIsGivenUp(t *testing.T) {
	f := newFinder(t)
	unlock, err := f.lock(t.Context(), "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	if _, err := f.lock(ctx, "x", func() { cancel(cause) }); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	unlock()
	again, err := f.lock(t.Context(), "x", func() { t.Error("had to wait for a lock that was given back") })
	if err != nil {
		t.Fatal(err)
	}
	again()
}
