package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// TestInstallerTrusts: what lies where code can write is no installer, and installers
// are not led there; a protected environment in it is trusted, as what lies elsewhere is.
func TestInstallerTrusts(t *testing.T) {
	p := newPlace(t, "work/.venv/pyvenv.cfg", "work/.venv/bin/uv", "work/bin/uv", "env/pyvenv.cfg", "bin/uv")
	link := filepath.Join(p.Home, "link")
	if err := os.Symlink(filepath.Join(p.WorkDir, "bin"), link); err != nil {
		t.Fatal(err)
	}
	w, h := p.WorkDir, p.Home
	b := &Box{Rules: Rules{Level: Workspace}, Place: p}
	venv := filepath.Join(w, ".venv")
	env := []string{
		"PATH=" + w + "/bin:" + venv + "/bin:/usr/bin:" + h + "/with space:" + link, "LD_PRELOAD=" + w + "/x.so " + h + "/y.so", "PYTHONPATH=" + w,
		"UV_CACHE_DIR=" + h + "/uv,cache", "PIP_CACHE_DIR=" + w + "/cache", "OTHER=" + w, "CONDA_PREFIX=" + h + "/env",
	}
	confined, err := b.Install(Helper{Argv: []string{h + "/bin/uv", "--python", venv + "/bin/python"}, Env: env, Dir: h, Private: t.TempDir()}, h+"/data", []string{venv})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PATH=" + venv + "/bin:/usr/bin:" + h + "/with space", "LD_PRELOAD=" + h + "/y.so", "UV_CACHE_DIR=" + h + "/uv,cache", "OTHER=" + w} {
		if !slices.Contains(confined.Env, want) {
			t.Errorf("%s is missing in %q", want, confined.Env)
		}
	}
	if slices.ContainsFunc(confined.Env, func(entry string) bool {
		return strings.HasPrefix(entry, "PYTHONPATH=") || strings.HasPrefix(entry, "PIP_CACHE_DIR=")
	}) {
		t.Errorf("%q", confined.Env)
	}
	for _, cache := range []string{h + "/uv,cache", h + "/.cache/uv", h + "/.cache/pip"} {
		if !slices.Contains(confined.Plan.Write, cache) {
			t.Errorf("%s cannot be written to: %q", cache, confined.Plan.Write)
		}
	}
	for _, program := range []string{w + "/bin/uv", link + "/uv"} {
		_, err := b.Install(Helper{Argv: []string{program, "--python", h + "/env/bin/python"}, Dir: h, Private: t.TempDir()}, h+"/data", nil)
		if refused, _ := errors.AsType[*confine.Refused](err); refused == nil || !strings.Contains(refused.Reason, program+" lies where code can write") {
			t.Errorf("%s: %v", program, err)
		}
	}
	if _, err := b.Install(Helper{Argv: []string{venv + "/bin/uv", "--python", venv + "/bin/python"}, Dir: h, Private: t.TempDir()}, h+"/data", []string{venv}); err != nil {
		t.Errorf("the uv of a named environment: %v", err)
	}
}

// TestCachesJudged: a variable for a cache does not make the home directory, or the
// system's, one that an installer may write in.
func TestCachesJudged(t *testing.T) {
	p := newPlace(t)
	for _, value := range []string{p.Home, "/", "/etc/x", "relative", p.State} {
		for _, dir := range (Rules{}).caches(p, []string{"UV_CACHE_DIR=" + value}) {
			if dir == value {
				t.Errorf("%s: %s", value, dir)
			}
		}
	}
}

// TestCondaKnows: an environment in a project that conda lists cannot be changed, however
// deep it lies.
func TestCondaKnows(t *testing.T) {
	p := newPlace(t, "work/a/b/conda-meta/history", "work/a/other/x", "env/conda-meta/history")
	deep := filepath.Join(p.WorkDir, "a", "b")
	list := strings.Join([]string{deep, filepath.Join(p.WorkDir, "a", "other"), filepath.Join(p.Home, "env"), "/gone"}, "\n")
	if err := os.MkdirAll(filepath.Join(p.Home, ".conda"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.Home, ".conda", "environments.txt"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := Rules{Level: Workspace}.Plan(p)
	if err != nil || !slices.Equal(plan.Protect, []string{deep}) {
		t.Errorf("%q, %v", plan.Protect, err)
	}
}
