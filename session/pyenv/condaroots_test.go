//go:build unix

package pyenv

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// Every place conda and mamba read a configuration from, with either key.
func TestCondarcPlaces(t *testing.T) {
	f := newFinder(t)
	root := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"))
	active := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "active"))
	f.Host.Environ = func() []string {
		return []string{"HOME=" + f.Host.Home, "CONDA_PREFIX=" + active, "XDG_CONFIG_HOME=" + f.Host.Home + "/xdg", "CONDARC=" + f.Host.Home + "/rc.yml", "MAMBARC=" + f.Host.Home + "/mrc.yml"}
	}
	files := []string{f.Host.Home + "/.condarc", f.Host.Home + "/.mambarc", root + "/.mambarc", f.Host.Home + "/rc.yml", f.Host.Home + "/mrc.yml"}
	for _, dir := range []string{f.Host.Sys("/etc/conda"), f.Host.Sys("/var/lib/conda"), root, f.Host.Home + "/xdg/conda", f.Host.Home + "/.config/conda", f.Host.Home + "/.conda", active} {
		files = append(files, dir+"/.condarc", dir+"/condarc", dir+"/condarc.d/x.yml", dir+"/condarc.d/y.yaml")
	}
	want := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "here", "ml"))
	for i, file := range files {
		key := []string{"envs_dirs", "envs_path"}[i%2]
		pyenvtest.Write(t, map[string]string{file: "channels: [x]\n" + key + ":\n  - ~/here\n"})
		got, err := f.condaPrefix(t.Context(), "ml")
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v", file, got, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.condaPrefix(t.Context(), "ml"); err == nil {
		t.Errorf("without any: %s", got)
	}
}

// conda and mamba refuse to work with both variables set. We find the environment
// and say so, since their programs will not.
func TestBothEnvsVariables(t *testing.T) {
	f := newFinder(t)
	one, two := filepath.Join(f.Host.Home, "one"), filepath.Join(f.Host.Home, "two")
	first, second := pyenvtest.CondaEnv(t, one+"/ml"), pyenvtest.CondaEnv(t, two+"/stats")
	pyenvtest.CondaEnv(t, two+"/ml")
	f.Host.Environ = func() []string {
		return []string{"HOME=" + f.Host.Home, "CONDA_ENVS_DIRS=" + one, "CONDA_ENVS_PATH=" + two}
	}
	for name, want := range map[string]string{"ml": first, "stats": second} {
		env, err := f.Resolve(t.Context(), Config{CondaName: name})
		if err != nil || env.Prefix != want {
			t.Fatalf("%s: %+v, %v", name, env, err)
		}
		if len(env.Warnings) != 1 || !strings.Contains(env.Warnings[0], "unset CONDA_ENVS_PATH") {
			t.Errorf("%s: warnings %q", name, env.Warnings)
		}
	}
}

func TestCondaAmbiguous(t *testing.T) {
	f := newFinder(t)
	one := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"))
	two := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniconda3"), "ml")
	user := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, ".conda", "envs", "ml"))
	a, b := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "a", "stats")), pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "b", "stats"))
	alone := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "a", "alone"))
	pyenvtest.Write(t, map[string]string{f.Host.Home + "/.conda/environments.txt": strings.Join([]string{a, "/gone/stats", b, a, alone, "/gone/alone", one + "/envs/gone"}, "\n")})
	for name, want := range map[string][]string{"ml": {two + "/envs/ml", user}, "stats": {a, b}} {
		_, err := f.condaPrefix(t.Context(), name)
		var ambiguous *AmbiguousError
		if !errors.As(err, &ambiguous) || !slices.Equal(ambiguous.Prefixes, want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if got, err := f.condaPrefix(t.Context(), "alone"); err != nil || got != alone {
		t.Errorf("dead entries count: %q, %v", got, err)
	}
}

// asNobody runs this test once more as a user who may not write everywhere: root
// may. It reports whether this process is to make the world for that.
func asNobody(t *testing.T, dir string) (ask bool) {
	t.Helper()
	if os.Getuid() != 0 {
		return false
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "test")
	pyenvtest.Run(t, "cp", exe, program)
	pyenvtest.Run(t, "chmod", "-R", "a+rX", dir)
	for above := dir; above != os.TempDir() && above != "/"; above = filepath.Dir(above) {
		if err := os.Chmod(above, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "MCE_TEST_WORLD=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
	return true
}

// The user's own directory comes before that of a root he may not write to.
func TestCondaRootIsReadOnly(t *testing.T) {
	world := os.Getenv("MCE_TEST_WORLD")
	if world == "" {
		world = t.TempDir()
		home := filepath.Join(world, "home")
		for _, prefix := range []string{home + "/miniforge3", home + "/miniforge3/envs/ml", home + "/.conda/envs/ml", home + "/miniforge3/envs/only"} {
			pyenvtest.Write(t, map[string]string{prefix + "/conda-meta/history": ""})
		}
		meta := filepath.Join(home, "miniforge3", "conda-meta")
		for _, file := range []string{"history", "."} {
			if err := os.Chmod(filepath.Join(meta, file), 0o555); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() { os.Chmod(meta, 0o755) }) // else only root can remove it
		if asNobody(t, world) {
			return
		}
	}
	home := filepath.Join(world, "home")
	h := &host.Host{Home: home, Sysroot: world}
	pyenvtest.CloseAtEnd(t, h)
	f := NewFinder(h)
	for name, want := range map[string]string{"ml": home + "/.conda/envs/ml", "only": home + "/miniforge3/envs/only"} {
		if got, err := f.condaPrefix(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// Which program installs into an environment: its root's own decides, then what
// works with any root, micromamba first. pixi's are its own.
func TestCondaInstaller(t *testing.T) {
	f := newFinder(t)
	bin := filepath.Join(f.Host.Home, "bin")
	program := func(path string) string {
		pyenvtest.Write(t, map[string]string{path: "#!/bin/sh\nexit 1\n"})
		return path
	}
	forge := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml")
	mm := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "micromamba", "envs", "ml"))
	lone := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "project", "env"))
	pixi := pyenvtest.CondaEnv(t, filepath.Join(f.Host.Home, "app", ".pixi", "envs", "default"))
	pyenvtest.Write(t, map[string]string{pixi + "/conda-meta/pixi": "{}", lone + "/conda-meta/history": "# cmd: " + forge + "/bin/mamba create -p x\n"})
	environ := []string{"HOME=" + f.Host.Home, "PATH=" + bin, "MAMBA_ROOT_PREFIX=" + filepath.Join(f.Host.Home, "micromamba")}
	f.Host.Environ = func() []string { return environ }
	check := func(prefix, root, tool, path string) {
		t.Helper()
		env, err := f.condaAt(prefix)
		if err != nil {
			t.Fatal(err)
		}
		gotTool, gotPath := f.Conda.Installer(env.Prefix, env.Root)
		if env.Root != root || gotTool != tool || gotPath != path {
			t.Errorf("%s: root %q, %s at %q; want %q, %s at %q", prefix, env.Root, gotTool, gotPath, root, tool, path)
		}
	}
	mmRoot := filepath.Join(f.Host.Home, "micromamba")
	check(forge+"/envs/ml", forge, "", "")
	conda := program(bin + "/conda")
	check(mm, mmRoot, "conda", conda)
	mamba := program(bin + "/mamba")
	check(mm, mmRoot, "mamba", mamba)
	micromamba := program(bin + "/micromamba")
	check(mm, mmRoot, "micromamba", micromamba)
	check(forge+"/envs/ml", forge, "micromamba", micromamba)
	own := program(forge + "/bin/mamba")
	check(forge+"/envs/ml", forge, "mamba", own)
	check(lone, forge, "mamba", own)
	own = program(forge + "/condabin/conda")
	check(forge+"/envs/ml", forge, "conda", own)
	check(pixi, "", "", "")
	environ = append(environ, "MAMBA_EXE="+program(f.Host.Home+"/opt/micromamba"))
	check(mm, mmRoot, "micromamba", f.Host.Home+"/opt/micromamba")
}
