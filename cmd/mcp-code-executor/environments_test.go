//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// condaHome makes a home with a copy of the test's conda installation at a usual
// place: tests change it.
func condaHome(t testing.TB) (home, root string) {
	t.Helper()
	home = t.TempDir()
	return home, copyConda(t, "root", filepath.Join(home, "miniforge3"))
}

// sharedConda is a home like condaHome's for tests that change nothing in it.
func sharedConda(t testing.TB) (home, root string) {
	t.Helper()
	home = sharedDir("conda", func(dir string) { copyConda(t, "root", filepath.Join(dir, "miniforge3")) })
	return home, filepath.Join(home, "miniforge3")
}

// testConda is the conda installation tests take copies of.
func testConda(t testing.TB) string { return required(t, "MCE_TEST_CONDA", "conda installation") }

// works checks that an environment keeps state, plots, checks and installs.
func works(t *testing.T, p *program, python string) {
	t.Helper()
	p.run("x = 41")
	if r := p.run("import sys; print(x + 1, sys.executable)"); strings.TrimSpace(r.rest()) != "42 "+python {
		t.Errorf("state: %s, want %s", r.text(), python)
	}
	r := p.run("import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()")
	if len(r.Content) != 2 || r.Content[1].MIME != "image/png" {
		t.Errorf("plot: %s", r.text())
	}
	o := p.done("check_installed_packages", args{"packages": []string{"matplotlib", "mceother"}})
	if fmt.Sprint(o["not_installed"]) != "[mceother]" {
		t.Errorf("before: %v", o)
	}
	if o := p.done("install_dependencies", args{"packages": []string{"mceother"}}); changes(o) != "mceother <nil> 1.0" {
		t.Errorf("install: %v", o)
	}
	if o := p.done("check_installed_packages", args{"packages": []string{"other"}}); o["all_installed"] != true {
		t.Errorf("after: %v", o)
	}
	if r := p.run("import other; print(other.version, x)"); strings.TrimSpace(r.rest()) != "1.0 41" {
		t.Errorf("import: %s", r.text())
	}
}

// TestVenvs: a venv and one of uv without pip, by its directory and in another way to
// say where it is, with nothing in the server's environment but HOME and PATH. The one
// with pip, which is slow, is in TestMatrixVenvs.
func TestVenvs(t *testing.T) {
	t.Parallel()
	venvWorks(t, "venv-uv", "bin/python")
}

func TestMatrixVenvs(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	venvWorks(t, "venv", "bin")
}

func venvWorks(t *testing.T, typ, other string) {
	t.Helper()
	dir, _ := makeEnv(t, typ)
	settings := append(wheels(t), "UV="+testUV(t))
	p := launch(t, append(settings, typeSettings(typ, dir)...)...)
	works(t, p, filepath.Join(dir, "bin", "python"))
	p = launch(t, typeSettings(typ, filepath.Join(dir, other))...)
	if r := p.run("import sys; print(sys.prefix)"); strings.TrimSpace(r.rest()) != dir {
		t.Errorf("%s: %s", other, r.text())
	}
}

// TestConda: a real conda environment by name, and its activation; by path, base, one
// without a kernel and both installers are in TestMatrixConda.
func TestConda(t *testing.T) {
	t.Parallel()
	home, root := condaHome(t)
	science := filepath.Join(root, "envs", "science")
	settings := func(name string) []string { return append(typeSettings("conda", name), "HOME="+home) }
	t.Run("name", func(t *testing.T) {
		p := launch(t, settings("science")...)
		r := p.run("import os, shutil\nfor n in 'CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_SHLVL MCE_FROM_SCRIPT MCE_FROM_JSON PYTHONNOUSERSITE'.split(): print(n, os.environ.get(n))\nprint(shutil.which('python'))")
		want := "CONDA_PREFIX " + science + "\nCONDA_DEFAULT_ENV science\nCONDA_SHLVL 1\nMCE_FROM_SCRIPT script of " + science + "\nMCE_FROM_JSON json\nPYTHONNOUSERSITE 1\n" + filepath.Join(science, "bin", "python")
		if got := strings.TrimSpace(r.rest()); got != want {
			t.Errorf("activation: %s\nwant %s", got, want)
		}
		config := p.done("get_environment_config", nil)
		environment := config["environment"].(map[string]any)
		if environment["kind"] != "conda" || environment["name"] != "science" || environment["prefix"] != science || environment["works"] != true {
			t.Errorf("%v", environment)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		p := launch(t, settings("scince")...)
		refused(t, "unknown", p.call("execute_code", args{"code": "1"}), `"scince"`, `did you mean "science"`, "base ("+root+")", "science ("+science+")", "bare (")
	})
	t.Run("ambiguous", func(t *testing.T) {
		for _, name := range []string{"science", "lonely"} {
			for _, dir := range []string{"envs/" + name + "/conda-meta", "condabin", "conda-meta"} {
				if err := os.MkdirAll(filepath.Join(home, "miniconda3", dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
		p := launch(t, settings("science")...)
		refused(t, "ambiguous", p.call("execute_code", args{"code": "1"}), science, filepath.Join(home, "miniconda3", "envs", "science"), "path")
		p = launch(t, settings("lonely")...)
		refused(t, "no Python", p.call("execute_code", args{"code": "1"}), "no python in it", "conda install -p")
		// CONDA_EXE says which is meant.
		p = launch(t, append(settings("science"), "CONDA_EXE="+filepath.Join(root, "bin", "conda"))...)
		if r := p.run("import sys; print(sys.prefix)"); strings.TrimSpace(r.rest()) != science {
			t.Errorf("%s", r.text())
		}
	})
}

// TestMatrixConda: a conda environment by path, base, one without a kernel, and both
// installers.
func TestMatrixConda(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	home, root := sharedConda(t)
	settings := func(name string) []string { return append(typeSettings("conda", name), "HOME="+home) }
	t.Run("path", func(t *testing.T) {
		p := launch(t, settings(filepath.Join("~", "miniforge3", "envs", "science"))...)
		if r := p.run("import sys; print(sys.prefix)"); strings.TrimSpace(r.rest()) != filepath.Join(root, "envs", "science") {
			t.Errorf("%s", r.text())
		}
	})
	t.Run("base", func(t *testing.T) {
		p := launch(t, settings("base")...)
		if r := p.run("import os, sys; print(os.environ['CONDA_DEFAULT_ENV'], sys.executable)"); strings.TrimSpace(r.rest()) != "base "+filepath.Join(root, "bin", "python") {
			t.Errorf("%s", r.text())
		}
	})
	t.Run("installers", func(t *testing.T) {
		home, root := condaHome(t) // it is installed into
		p := launch(t, append(append(wheels(t), "HOME="+home), typeSettings("conda", "science")...)...)
		works(t, p, filepath.Join(root, "envs", "science", "bin", "python"))
		if _, err := os.Stat(filepath.Join(root, "bin", "conda")); err != nil {
			testneeds.Lacks(t, testneeds.CondaProgram, "installing by conda")
		} else if o := p.done("install_dependencies", args{"packages": []string{"mcetoy==1.1"}}); changes(o) != "mcetoy 1.0 1.1" || o["tool"] != "conda" {
			t.Errorf("install by conda: %v", o)
		}
		refused(t, "an unknown package", p.call("install_dependencies", args{"packages": []string{"mceabsent"}}), "mceabsent", "nothing was changed")
	})
	t.Run("no kernel", func(t *testing.T) {
		home, root := condaHome(t) // it is installed into
		settings := append(append(wheels(t), "HOME="+home), typeSettings("conda", "bare")...)
		p := launch(t, settings...)
		if _, err := os.Stat(filepath.Join(root, "bin", "conda")); err != nil {
			testneeds.Lacks(t, testneeds.CondaProgram, "installing ipykernel by conda")
			refused(t, "bare", p.call("execute_code", args{"code": "1"}), "ipykernel", "conda install")
			return
		}
		r := p.call("execute_code", args{"code": "x = 1; x + 1", "wait_seconds": 100})
		if r.IsError || !strings.Contains(r.text(), "installed ipykernel") || !strings.Contains(r.text(), "Out[1]: 2") {
			t.Errorf("%s", r.text())
		}
	})
}

// TestMatrixCondaBase: conda's own environment is one to work in.
func TestMatrixCondaBase(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	home, root := condaHome(t)
	works(t, launch(t, append(append(wheels(t), "HOME="+home), typeSettings("conda", "base")...)...), filepath.Join(root, "bin", "python"))
}

// TestConfigureWrong: a change to something that does not work leaves session,
// kernel and variables as they were.
func TestConfigureWrong(t *testing.T) {
	t.Parallel()
	noKernel := emptyEnv(t, "venv-uv")
	p := launch(t, append(append(inVenv(t), wheels(t)...), "UV="+testUV(t))...) // wheels, but no ipykernel
	p.run("x = 41")
	config := p.done("get_environment_config", nil)
	hollow := filepath.Join(t.TempDir(), "hollow")
	write(t, map[string]string{filepath.Join(hollow, "pyvenv.cfg"): "home = /gone\n"})
	crashing := filepath.Join(t.TempDir(), "crashing")
	write(t, map[string]string{filepath.Join(crashing, "pyvenv.cfg"): "home = /usr/bin\n", filepath.Join(crashing, "bin", "python"): "#!/bin/sh\necho no such luck >&2\nexit 3\n"})
	if err := os.Chmod(filepath.Join(crashing, "bin", "python"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		ask   args
		parts []string
	}{
		"absent":    {args{"type": "venv", "venv_path": "/nowhere/env"}, []string{"/nowhere/env", "not changed"}},
		"hollow":    {args{"type": "venv", "venv_path": hollow}, []string{"no python in it", "not changed"}},
		"crashing":  {args{"type": "venv-uv", "uv_venv_path": crashing}, []string{"no such luck", "not changed"}},
		"no venv":   {args{"type": "venv", "venv_path": p.home}, []string{"pyvenv.cfg", "not changed"}},
		"no conda":  {args{"type": "conda", "conda_name": "nothing"}, []string{"nothing", "not changed"}},
		"no kernel": {args{"type": "venv-uv", "uv_venv_path": noKernel}, []string{"ipykernel is not installed", "uv pip install", "not changed"}},
		"no path":   {args{"type": "venv"}, []string{"venv_path", "missing"}},
		"wrong one": {args{"type": "venv", "uv_venv_path": hollow}, []string{"venv_path", "missing"}},
		"no type":   {args{"venv_path": hollow}, []string{"type", "missing"}},
		"poetry":    {args{"type": "poetry"}, []string{"poetry", "conda", "venv-uv"}},
		"forced":    {args{"type": "venv", "venv_path": hollow, "force": true}, []string{"no python in it"}},
	} {
		r := p.call("configure_environment", test.ask)
		refused(t, name, r, test.parts...)
		if o := r.object(t); o["status"] != "error" {
			t.Errorf("%s: %v", name, o)
		}
	}
	if r := p.run("x + 1"); r.rest() != "Out[2]: 42" || r.field("generation") != "" {
		t.Errorf("afterwards: %s", r.text())
	}
	if after := p.done("get_environment_config", nil); fmt.Sprint(after) != fmt.Sprint(config) {
		t.Errorf("before %v\nafter  %v", config, after)
	}
}

// TestConfigure: the session's environment changes, what is lost is said, and
// the default is what sessions opened later get.
func TestConfigure(t *testing.T) {
	t.Parallel()
	first, second := pythons(t)[0], testneeds.Pythons(t)[1]
	if second == first {
		second = testneeds.Pythons(t)[0]
	}
	dir := func(python string) string { return filepath.Dir(filepath.Dir(python)) }
	p := launch(t, inVenv(t)...)
	where := func(session, want string) {
		t.Helper()
		r := p.call("execute_code", args{"code": "import sys; print(sys.prefix)", "session": session})
		if r.IsError || !strings.HasSuffix(strings.TrimSpace(r.text()), dir(want)) {
			t.Errorf("session %s: want %s:\n%s", session, dir(want), r.text())
		}
	}
	for _, s := range []string{"default", "old"} {
		where(s, first)
	}
	// One session alone.
	o := p.done("configure_environment", args{"type": "venv-uv", "uv_venv_path": dir(second), "session": "mine"})
	if o["lost"] != nil || o["session"] != "mine" {
		t.Errorf("a session without a kernel: %v", o)
	}
	where("mine", second)
	where("other", first)
	// The default session and those opened later.
	o = p.done("configure_environment", args{"type": "venv", "venv_path": dir(second)})
	previous, current := o["previous"].(map[string]any), o["current"].(map[string]any)
	if o["lost"] != true || !strings.Contains(o["message"].(string), "variables") || previous["venv_path"] != dir(first) || current["venv_path"] != dir(second) {
		t.Errorf("the default: %v", o)
	}
	r := p.run("import sys; print(sys.prefix)")
	if !strings.Contains(r.text(), dir(second)) || r.field("generation") != "2" || !strings.Contains(r.text(), "generation 1 are gone") {
		t.Errorf("the default: %s", r.text())
	}
	where("old", first)
	where("late", second)
	// The one it is in, said in another way: nothing is lost.
	p.run("kept = 41")
	o = p.done("configure_environment", args{"type": "venv-uv", "uv_venv_path": second})
	if o["lost"] != nil || !strings.Contains(o["message"].(string), "are kept") {
		t.Errorf("the same: %v", o)
	}
	if r := p.run("print(kept + 1)"); strings.TrimSpace(r.rest()) != "42" {
		t.Errorf("the same: %s", r.text())
	}
	config := p.done("get_environment_config", args{"session": "late"})
	if e := config["environment"].(map[string]any); e["prefix"] != dir(second) || e["ipykernel"] == "" || config["server_version"] == "" {
		t.Errorf("%v", config)
	}

	// While something runs it is refused, unless it is forced.
	id := p.call("execute_code", args{"code": "import time\ntime.sleep(100)", "wait_seconds": 0.2}).field("id")
	r = p.call("configure_environment", args{"type": "venv", "venv_path": dir(first)})
	refused(t, "busy", r, id, "force", "not changed")
	p.call("configure_environment", args{"type": "venv", "venv_path": dir(first), "session": "idle"})
	if r := p.call("get_execution", args{"id": id, "wait_seconds": 0}); !strings.HasPrefix(r.text(), "[running") {
		t.Errorf("the run: %s", r.text())
	}
	begun := time.Now()
	o = p.done("configure_environment", args{"type": "venv", "venv_path": dir(first), "force": true})
	if o["lost"] != true || time.Since(begun) > 10*time.Second {
		t.Errorf("forced, after %s: %v", time.Since(begun), o)
	}
	if r := p.call("get_execution", args{"id": id, "wait_seconds": 5}); strings.HasPrefix(r.text(), "[running") || strings.HasPrefix(r.text(), "[ok") {
		t.Errorf("the run: %s", r.text())
	}
	where("default", first)
}

// TestKernelInstall: ipykernel is installed on first use where that may be, and
// the answer says so.
func TestKernelInstall(t *testing.T) {
	t.Parallel()
	dir := emptyEnv(t, "venv-uv")
	settings := append(typeSettings("venv-uv", dir), "UV="+testUV(t))
	p := launch(t, append(settings, "KERNEL_INSTALL=never")...)
	refused(t, "never", p.call("execute_code", args{"code": "1"}), "ipykernel is not installed", "KERNEL_INSTALL=never", "uv pip install --python "+filepath.Join(dir, "bin", "python"))
	if o := p.call("configure_environment", args{"session": "x", "type": "venv-uv", "uv_venv_path": dir}); !o.IsError {
		t.Errorf("never: %s", o.text())
	}
	config := p.done("get_environment_config", nil)["environment"].(map[string]any)
	if !strings.Contains(fmt.Sprint(config["ipykernel"]), "not installed") {
		t.Errorf("never: %v", config)
	}
	if found := sitePackages(t, dir); len(found) > 4 {
		t.Errorf("never, and installed: %v", found)
	}

	settings = append(append(settings, network()...), "UV_CACHE_DIR="+execute(t, testUV(t), "cache", "dir"))
	p = launch(t, settings...)
	var answers []chan reply
	for _, session := range []string{"a", "b"} { // at the same time
		_, answer := p.begin("execute_code", args{"code": "print('ran')", "wait_seconds": 110, "session": session})
		answers = append(answers, answer)
	}
	said := 0
	for _, answer := range answers {
		r := p.await(answer, "the first call").Result
		if r.IsError || !strings.Contains(r.text(), "\nran") {
			t.Errorf("%s", r.text())
		}
		if strings.Contains(r.text(), "installed ipykernel") && strings.Contains(r.text(), dir) {
			said++
		}
	}
	if said != 1 {
		t.Errorf("%d answers say that ipykernel was installed", said)
	}
	if r := p.call("execute_code", args{"code": "1", "session": "a"}); strings.Contains(r.text(), "installed ipykernel") {
		t.Errorf("said again: %s", r.text())
	}
	other := emptyEnv(t, "venv-uv")
	if o := p.done("configure_environment", args{"session": "b", "type": "venv-uv", "uv_venv_path": other}); !strings.Contains(o["message"].(string), "installed ipykernel") || o["lost"] != true {
		t.Errorf("%v", o)
	}
	// By uv, from the index, with nothing said about certificates.
	if o := p.done("install_dependencies", args{"packages": []string{"six==1.16.0"}, "session": "a", "wait_seconds": 110}); changes(o) != "six <nil> 1.16.0" {
		t.Errorf("%v", o)
	}
}

// network is what this machine needs to reach its package index, but for
// certificates: they have to be found without being told.
func network() []string {
	var found []string
	for _, entry := range os.Environ() {
		switch name, _, _ := strings.Cut(entry, "="); strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX":
			found = append(found, entry)
		}
	}
	return found
}

// openServer copies the program to where everybody can execute it: go's own
// directory is closed to others.
func openServer(t *testing.T, open string) string {
	t.Helper()
	server := filepath.Join(open, "server")
	execute(t, "cp", programFor(t), server)
	execute(t, "chmod", "a+rx", server, open, filepath.Dir(open))
	return server
}

// askAs starts a server as user, nil for the one that runs the test, makes one
// call and ends it.
func askAs(t *testing.T, user *syscall.SysProcAttr, server string, settings []string, tool string, ask args) result {
	t.Helper()
	line, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": ask}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(server)
	cmd.Env = append([]string{"MCE_TEST_SERVER=1", "GORACE=atexit_sleep_ms=0", "PATH=/usr/bin:/bin"}, settings...)
	cmd.SysProcAttr, cmd.Dir = user, "/"
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	var r reply
	if err := json.NewDecoder(out).Decode(&r); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	return r.Result
}

// TestReadOnlyStorage: a storage directory that cannot be written to is named,
// with the variable that says where it is, and nothing runs.
func TestReadOnlyStorage(t *testing.T) {
	t.Parallel()
	open := t.TempDir()
	storage, home := filepath.Join(open, "code"), filepath.Join(open, "home")
	for _, dir := range []string{storage, home} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var user *syscall.SysProcAttr
	if os.Getuid() == 0 {
		user = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if err := os.Chown(home, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(storage, 0o555); err != nil {
		t.Fatal(err)
	}
	server := openServer(t, open)
	settings := append(inVenv(t), "HOME="+home, "CODE_STORAGE_DIR="+storage)
	r := askAs(t, user, server, settings, "execute_code", args{"code": "print('ran')"})
	refused(t, "read-only storage", r, storage, "not writable", "CODE_STORAGE_DIR")
	if files, err := os.ReadDir(storage); err != nil || len(files) > 0 {
		t.Errorf("in the storage: %v, %v", files, err)
	}
}
