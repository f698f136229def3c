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
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// listedEnv makes what a venv is known by; kernel is its ipykernel, "" for none.
func listedEnv(t testing.TB, prefix, config, version, kernel string) string {
	t.Helper()
	pyenvtest.Write(t, map[string]string{filepath.Join(prefix, "pyvenv.cfg"): "home = /usr/bin\n" + config + "\n", filepath.Join(prefix, "bin", "python"): "#!/bin/sh\n"})
	withKernel(t, filepath.Join(prefix, "lib", "python"+packaging.MinorVersion(version), "site-packages"), kernel)
	return prefix
}

func withKernel(t testing.TB, site, version string) {
	t.Helper()
	if version != "" {
		pyenvtest.Write(t, map[string]string{filepath.Join(site, "ipykernel", "__init__.py"): "", filepath.Join(site, "ipykernel-"+version+".dist-info", "METADATA"): ""})
	}
}

// listedConda makes a conda environment as its own files tell of it.
func listedConda(t testing.TB, prefix, version, kernel string) string {
	t.Helper()
	files := map[string]string{prefix + "/conda-meta/history": "", prefix + "/conda-meta/python-dateutil-2.9.0-py_0.json": "{}", prefix + "/conda-meta/ipython-9.0-py_0.json": "{}"}
	if version != "" {
		files[prefix+"/conda-meta/python-"+version+"-h9a_0_cpython.json"] = "{}"
		files[prefix+"/bin/python"] = "#!/bin/sh\n"
	}
	if kernel != "" {
		files[prefix+"/conda-meta/ipykernel-"+kernel+"-pyh_0.json"] = "{}"
	}
	pyenvtest.Write(t, files)
	return prefix
}

// lines are what a listing says, in its order.
func (l Listing) lines(home string) []string {
	var lines []string
	for _, x := range l.Found {
		line := fmt.Sprintf("%s %s %s", x.Kind, x.Name, x.Version)
		if x.Kernel != "" {
			line += " ipykernel " + x.Kernel
		}
		if x.Near {
			line += " near"
		}
		if x.Broken != "" {
			line += " BROKEN " + strings.ReplaceAll(x.Broken, home, "~")
		}
		lines = append(lines, line)
	}
	return lines
}

// A machine with a little of everything: each thing once, near ones first, what
// is wrong with it, and nothing started.
func TestList(t *testing.T) {
	f := newFinder(t)
	at := func(path string) string { return filepath.Join(f.Host.Home, filepath.FromSlash(path)) }
	f.Near = []string{at("work/shop/src"), at("code")}
	bin := filepath.Join(f.Host.Sysroot, "tools", "bin")
	f.Host.Environ = func() []string {
		return []string{"HOME=" + f.Host.Home, "PATH=" + at(".pyenv/shims") + ":" + bin, "VIRTUAL_ENV=" + at("active")}
	}
	f.Host.Runner = pyenvtest.RunnerFunc(func(_ context.Context, cmd *exec.Cmd) error {
		t.Errorf("started %q", cmd.Args)
		return errors.New("not here")
	})
	uv := "uv = 0.9\nversion_info = 3.12.1"
	listedEnv(t, at("work/shop/.venv"), uv, "3.12.1", "7.1.0")
	listedEnv(t, at("work/shop/src/inner"), "version = 3.11.7", "3.11.7", "")
	listedConda(t, at("work/shop/.pixi/envs/default"), "3.13.0", "7.0.1")
	listedEnv(t, at("code/sub/.venv"), "version_info = 3.10.4.final.0", "3.10.4", "6.29.5")
	listedEnv(t, at("work/too/deep/down/.venv"), uv, "3.12.1", "")
	listedEnv(t, at("active"), "version = 3.11.2", "3.11.2", "")
	listedEnv(t, at(".virtualenvs/old"), "version = 3.7.1", "3.7.1", "")
	broken := listedEnv(t, at(".virtualenvs/broken"), "version = 3.9.1", "3.9.1", "")
	if err := errors.Join(os.Remove(broken+"/bin/python"), os.Symlink("/gone/python3.9", broken+"/bin/python")); err != nil {
		t.Fatal(err)
	}
	listedEnv(t, at(".local/share/hatch/env/virtual/app/AbCd/app"), "version = 3.11.1", "3.11.1", "")
	listedEnv(t, at(".cache/pypoetry/virtualenvs/app-AbCdEfGh-py3.11"), "version = 3.11.1", "3.11.1", "")
	root := listedConda(t, at("miniforge3"), "3.12.9", "")
	for _, dir := range []string{"condabin", "pkgs", "envs/not-one"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ml := listedConda(t, at("miniforge3/envs/ml"), "3.11.7", "7.4.0")
	withKernel(t, listedConda(t, at("miniforge3/envs/pip"), "3.11.7", "")+"/lib/python3.11/site-packages", "7.2.0")
	listedConda(t, at("miniforge3/envs/empty"), "", "")
	listed := listedConda(t, at("elsewhere/ml"), "3.9.1", "")
	pyenvtest.Write(t, map[string]string{at(".conda/environments.txt"): ml + "\n/gone\n" + listed + "\n"})
	pyenvtest.Write(t, map[string]string{
		at(".pyenv/versions/3.10.13/bin/python"):                                          "#!/bin/sh\n",
		at(".pyenv/versions/3.10.13/lib/python3.10/os.py"):                                "",
		at(".pyenv/versions/3.9.18/bin/python"):                                           "#!/bin/sh\n",
		at(".pyenv/versions/3.9.18/lib/python3.9/os.py"):                                  "",
		at(".pyenv/shims/python3"):                                                        "#!/bin/sh\n",
		at(".local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu/bin/python"):           "#!/bin/sh\n",
		at(".local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu/lib/python3.13/os.py"): "",
		bin + "/python3.11": "#!/bin/sh\n",
	})
	for link, target := range map[string]string{bin + "/python3": "python3.11", at(".local/share/uv/python/cpython-3.13-linux-x86_64-gnu"): "cpython-3.13.1-linux-x86_64-gnu"} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	withKernel(t, filepath.Join(f.Host.Sysroot, "tools", "lib", "python3", "dist-packages"), "6.17.0")
	managed := listedEnv(t, filepath.Join(f.Host.DataDir, "envs", "default-py312"), uv, "3.12.1", "7.4.0")
	pyenvtest.Write(t, map[string]string{managed + "/" + kinds.ReadyMark: "{}", filepath.Join(f.Host.DataDir, "envs", "default-py311", "pyvenv.cfg"): ""})
	list := f.List(t.Context())
	want := []string{
		"venv inner 3.11.7 near",
		"venv sub/.venv 3.10.4 ipykernel 6.29.5 near",
		"conda shop/default 3.13.0 ipykernel 7.0.1 near",
		"venv-uv shop/.venv 3.12.1 ipykernel 7.1.0 near",
		"venv active 3.11.2",
		"managed default 3.12.1 ipykernel 7.4.0",
		"conda ml 3.9.1",
		"conda base 3.12.9",
		"conda ml 3.11.7 ipykernel 7.4.0",
		"conda pip 3.11.7 ipykernel 7.2.0",
		"conda empty  BROKEN there is no python in it",
		"venv app-AbCdEfGh-py3.11 3.11.1",
		"venv app 3.11.1",
		"venv broken 3.9.1 BROKEN the base Python of this environment (/usr/bin) is gone",
		"venv old 3.7.1 BROKEN it is Python 3.7.1; 3.8 or newer is needed",
		"system cpython-3.13.1-linux-x86_64-gnu 3.13.1",
		"system 3.10.13 3.10.13",
		"system 3.9.18 3.9.18",
		"system python3 3.11 ipykernel 6.17.0",
	}
	if got := list.lines(f.Host.Home); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(list.Skipped) > 0 {
		t.Errorf("skipped: %q", list.Skipped)
	}
	for _, x := range list.Found {
		if x.Broken != "" && x.Fix == "" && x.Name != "old" {
			t.Errorf("%s: nothing fixes it", x.Name)
		}
	}
}

// What is listed can be chosen: by its configuration, and by its name.
func TestListedAreChosen(t *testing.T) {
	t.Parallel()
	f := newFinder(t)
	work := filepath.Join(f.Host.Home, "work")
	f.Near = []string{work}
	pyenvtest.MakeVenv(t, filepath.Join(work, "shop", ".venv"))
	pyenvtest.MakeVenv(t, filepath.Join(work, "lab"))
	pyenvtest.MakeVenv(t, filepath.Join(f.Host.Home, ".virtualenvs", "twice"))
	pyenvtest.MakeVenv(t, filepath.Join(f.Host.Home, "envs", "twice"))
	pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml")
	list := f.List(t.Context())
	if len(list.Found) < 6 {
		t.Fatalf("found %q", list.lines(f.Host.Home))
	}
	for _, x := range list.Found {
		if x.Kind == kinds.System {
			continue
		}
		env, err := f.Resolve(t.Context(), x.Config())
		if err != nil || env.Prefix != x.Path || env.Kind != x.Kind || !strings.HasPrefix(env.Info.Version, packaging.MinorVersion(x.Version)) {
			t.Errorf("%+v: got %+v, %v", x, env, err)
		}
	}
	for name, want := range map[string]string{
		"lab": "work/lab", "shop": "work/shop/.venv", "shop/.venv": "work/shop/.venv", "ml": "miniforge3/envs/ml",
	} {
		env, err := f.Resolve(t.Context(), Config{Type: "venv", VenvPath: name})
		if err != nil || env.Prefix != filepath.Join(f.Host.Home, want) {
			t.Errorf("%s: got %+v, %v", name, env, err)
		}
	}
	var ambiguous *AmbiguousError
	if _, err := f.Resolve(t.Context(), Config{UVVenvPath: "twice"}); !errors.As(err, &ambiguous) || len(ambiguous.Prefixes) != 2 {
		t.Errorf("twice: %v", err)
	}
	var notFound *NotFoundError
	_, err := f.Resolve(t.Context(), Config{VenvPath: "labb"})
	if !errors.As(err, &notFound) || notFound.Near != "lab" || !strings.Contains(err.Error(), filepath.Join(work, "lab")) {
		t.Errorf("a near name: %v", err)
	}
	_, err = f.Resolve(t.Context(), Config{VenvPath: "~/nothing/there"})
	if !errors.As(err, &notFound) || !strings.Contains(err.Error(), filepath.Join(work, "lab")) {
		t.Errorf("a path: %v", err)
	}
}

// A place that never answers holds up nothing, is named, and is not looked at
// again while it hangs.
func TestListIsBounded(t *testing.T) {
	f := newFinder(t)
	f.Near = []string{filepath.Join(f.Host.Home, "work")}
	listedEnv(t, filepath.Join(f.Host.Home, "work", ".venv"), "version = 3.11.7", "3.11.7", "")
	release, looks, over := make(chan struct{}), 0, make(chan struct{})
	dead := place{"/net/home", "", rankVenvs, func(s *scan) {
		looks++
		s.add(rankVenvs, false, Found{Kind: kinds.Venv, Name: "before it died", Path: "/net/home/one", real: "/net/home/one"})
		<-release
		close(over)
	}}
	list := f.list(t.Context(), append(f.places(), dead), 300*time.Millisecond)
	if got := list.lines(f.Host.Home); !slices.Contains(got, "venv work/.venv 3.11.7 near") || !slices.Contains(got, "venv before it died ") {
		t.Errorf("got %q", got)
	}
	if want := []string{"/net/home: no answer within 300ms"}; !slices.Equal(list.Skipped, want) {
		t.Errorf("skipped %q", list.Skipped)
	}
	list = f.list(t.Context(), append(f.places(), dead), time.Hour)
	if looks != 1 || len(list.Skipped) != 1 || !strings.Contains(list.Skipped[0], "/net/home") {
		t.Errorf("looked %d times, skipped %q", looks, list.Skipped)
	}
	close(release)
	<-over
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.list(ctx, f.places(), time.Hour) // returns
}

// A directory with more entries than are looked at is said to be so.
func TestListOfManyEntries(t *testing.T) {
	f := newFinder(t)
	dir := filepath.Join(f.Host.Home, ".virtualenvs")
	for i := range host.MaxListed + 10 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprint("e", i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	list := f.List(t.Context())
	if len(list.Skipped) != 1 || !strings.Contains(list.Skipped[0], dir) {
		t.Errorf("skipped %q", list.Skipped)
	}
}

// A home with 400 environments of two hundred packages each.
func BenchmarkList(b *testing.B) {
	f := newFinder(b, "PATH=/usr/bin:/bin")
	f.Near = []string{filepath.Join(f.Host.Home, "work")}
	fill := func(site string) {
		for i := range 200 {
			if err := os.MkdirAll(filepath.Join(site, fmt.Sprintf("package_%d-1.0.dist-info", i)), 0o755); err != nil {
				b.Fatal(err)
			}
		}
	}
	root := pyenvtest.CondaRoot(b, filepath.Join(f.Host.Home, "miniforge3"))
	for i := range 200 {
		name := fmt.Sprintf("env-%03d", i)
		prefix := listedConda(b, filepath.Join(root, "envs", name), "3.11.7", "")
		withKernel(b, prefix+"/lib/python3.11/site-packages", "7.4.0")
		fill(prefix + "/lib/python3.11/site-packages")
		prefix = listedEnv(b, filepath.Join(f.Host.Home, ".virtualenvs", name), "version = 3.12.1", "3.12.1", "7.4.0")
		fill(prefix + "/lib/python3.12/site-packages")
	}
	for b.Loop() {
		if list := f.List(b.Context()); len(list.Found) < 401 || len(list.Skipped) > 0 {
			b.Fatalf("found %d, skipped %q", len(list.Found), list.Skipped)
		}
	}
}
