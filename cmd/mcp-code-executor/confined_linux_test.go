package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestKernelsSandboxLife: in a sandbox code runs, is interrupted, asks, draws, dies and starts
// again as ever, and nothing is left of it.
func TestKernelsSandboxLife(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	tmp := t.TempDir()
	for _, python := range testneeds.Kernels(t) {
		work := t.TempDir()
		p := launch(t, append(venvOf(python), "SANDBOX=workspace", "WORK_DIR="+work, "TMPDIR="+tmp, "SERVICE_TOKEN=x")...)
		r := p.call("execute_code", args{"code": "kept = 1\nopen('made', 'w').write('x')\nprint('x' * 3_000_000)"})
		has(t, r, "[note: sandbox workspace (bubblewrap): ", "the network is off", "1 of the server's variables", "[files changed meanwhile: made")
		if r := p.call("execute_code", args{"code": "import time; time.sleep(60)", "timeout_seconds": 0.5}); !strings.HasPrefix(r.text(), "[interrupted | ") {
			t.Errorf("%s", r.text())
		}
		p.call("execute_code", args{"code": "kept += len(input('? '))"})
		has(t, p.call("send_input", args{"text": "too"}), "[ok | ")
		has(t, p.call("inspect_variables", nil), "kept")
		if r := p.run("import tempfile, os; t = tempfile.mkstemp()[1]; print(kept, t)"); !strings.Contains(r.text(), "4 /tmp/") || strings.Contains(r.text(), "sandbox") {
			t.Errorf("%s", r.text())
		}
		r = p.call("execute_code", args{"code": "open('/usr/x', 'w')"})
		has(t, r, "[error OSError | ", "Read-only file system", "SANDBOX_WRITE")
		os.Mkdir(filepath.Join(work, ".git"), 0o700)
		has(t, p.call("execute_code", args{"code": "open('/tmp/data.csv')"}), "[error FileNotFoundError | ", "SANDBOX_READ names those that code is to see")
		r = p.call("execute_code", args{"code": "import socket; socket.create_connection(('example.com', 80))"})
		has(t, r, "[error gaierror | ", "SANDBOX_NETWORK=on")
		has(t, p.call("list_sessions", nil), "[sandbox: workspace (bubblewrap)")
		has(t, p.call("get_environment_config", nil), `"sandbox":"workspace`)
		r = p.call("execute_code", args{"code": "import os, subprocess; d = subprocess.Popen(['sleep', '1000'], start_new_session=True); os._exit(3)"})
		has(t, r, "[died | ", "exit code 3")
		p.run("import ctypes")
		r = p.call("execute_code", args{"code": "ctypes.string_at(0)"})
		has(t, r, "[died | ", "signal 11 (SIGSEGV)")
		p.run("1")
		has(t, p.call("execute_code", args{"code": "open('.git/config', 'w')"}), "[error OSError | ", "no setting does but SANDBOX=off")
		has(t, p.call("stop_session", args{"restart": true}), "restarted")
		p.run("1")
		p.stdin.Close()
		p.wait(30 * time.Second)
	}
	nothingIn(t, tmp)
}

// TestSandboxMakerKilled: bubblewrap's own process stands outside, where anybody finds and
// ends it: all that is in the sandbox goes with it, the run is told to have died, and the
// session goes on.
func TestSandboxMakerKilled(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	value := fmt.Sprintf("%d-%s", os.Getpid(), t.Name())
	p := launch(t, append(inVenv(t), "SANDBOX=workspace", "WORK_DIR="+t.TempDir(), mark+value)...)
	p.run(family)
	has(t, p.call("execute_code", args{"code": endless["C loop"], "wait_seconds": 0.2}), "[running | ")
	makers := childrenOf(t, p.cmd.Process.Pid)
	if len(makers) != 1 {
		t.Fatalf("%v", makers)
	}
	syscall.Kill(makers[0], syscall.SIGKILL)
	nothingLeft(t, value, p.cmd.Process.Pid)
	refused(t, "the run", p.call("get_execution", nil), "[died | ")
	if r := p.run("1+1"); r.field("generation") != "2" {
		t.Errorf("the next run: %s", r.text())
	}
}

// nothingIn holds a server that has ended to have left nothing in its directory for
// temporary files.
func nothingIn(t *testing.T, tmp string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestSandboxReadOnly: at that level code writes nothing but a private directory for
// temporary files, and works as before otherwise.
func TestSandboxReadOnly(t *testing.T) {
	t.Parallel()
	for name, means := range map[string]struct {
		needs  func(*testing.T)
		launch func(t *testing.T, settings ...string) *program
		note   string
	}{
		"bubblewrap": {needsBubblewrap, func(t *testing.T, settings ...string) *program { return launch(t, settings...) }, "[note: sandbox read-only (bubblewrap): "},
		"landlock": {needsLandlock, func(t *testing.T, settings ...string) *program {
			return launchMounted(t, withoutBubblewrap, append(settings, "SANDBOX_ALLOW_PARTIAL=on")...)
		}, "[note: sandbox partial read-only (Landlock): "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			means.needs(t)
			work := t.TempDir()
			write(t, map[string]string{filepath.Join(work, "data"): "d"})
			p := means.launch(t, append(inVenv(t), "SANDBOX=read-only", "WORK_DIR="+work)...)
			has(t, p.call("execute_code", args{"code": "import os, tempfile\nopen('data').read()"}), means.note, ": 'd'")
			for _, code := range []string{"open('new', 'w')", "open('data', 'a')", "os.remove('data')", "os.mkdir(os.path.expanduser('~/new'))"} {
				has(t, p.call("execute_code", args{"code": code}), "[error ", "Error: [Errno ", "can allow it: ", "SANDBOX=workspace")
			}
			p.run("with tempfile.TemporaryFile() as f: f.write(b'x')")
			has(t, p.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()"), "[ok | ")
			if left, _ := os.ReadDir(work); len(left) != 1 {
				t.Errorf("%v", left)
			}
		})
	}
}

// TestSandboxRefuses: what cannot be kept runs nothing, and says what to set.
func TestSandboxRefuses(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	home := t.TempDir()
	for setting, want := range map[string][]string{
		"SANDBOX=perhaps":               {`SANDBOX=\"perhaps\"`, "no Python is started", "SANDBOX=off, workspace, read-only or client"},
		"SANDBOX_NETWORK=perhaps":       {"SANDBOX_NETWORK=perhaps is not one of off, on and loopback", "correct the setting"},
		"SANDBOX_WRITE=relative":        {"no absolute path"},
		"SANDBOX_WRITE=/nowhere/at/all": {"/nowhere/at/all cannot be written to"},
		"SANDBOX_INSTALL=perhaps":       {"is neither index nor any"},
		"SANDBOX_ALLOW_PARTIAL=perhaps": {"is neither on nor off"},
		"WORK_DIR=" + home:              {"is the home directory or above it", "set WORK_DIR"},
	} {
		p := launch(t, append(inVenv(t), "SANDBOX=workspace", "HOME="+home, setting)...)
		r := p.call("execute_code", args{"code": "print('it' + 'ran')"})
		if !r.IsError || strings.Contains(r.text(), "itran") {
			t.Errorf("%s: %s", setting, r.text())
		}
		for _, part := range want {
			if !strings.Contains(r.text(), strings.ReplaceAll(part, `\"`, `"`)) {
				t.Errorf("%s: %q is missing in:\n%s", setting, part, r.text())
			}
		}
	}
}

// TestSandboxEnvironments: what an environment or a project runs when it is looked at
// runs in a sandbox too; packages come as wheels into the environment that was named,
// and not into one that code has made.
func TestSandboxEnvironments(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	dir, settings := makeEnv(t, "venv-uv")
	work, home := t.TempDir(), t.TempDir()
	p := launch(t, append(append(settings, wheels(t)...), "UV="+testUV(t), readsKernel(t), "SANDBOX=workspace", "HOME="+home, "WORK_DIR="+work)...)
	p.run("x = 41")
	o := p.done("install_dependencies", args{"packages": []string{"mcetoy==1.0"}})
	if changes(o) != "mcetoy <nil> 1.0" || o["environment"] != dir {
		t.Errorf("%v", o)
	}
	if r := p.run("import toymodule; print(toymodule.version, x)"); !strings.Contains(r.text(), "1.0 41") {
		t.Errorf("%s", r.text())
	}
	has(t, p.call("install_dependencies", args{"packages": []string{"https://example.com/a-1.0.tar.gz"}}), "nothing was installed", "only wheels of a package index", "SANDBOX_INSTALL=any")

	// An environment of the code's, which writes and connects when its Python starts.
	made := filepath.Join(work, "made")
	p.run(`import subprocess, sys, sysconfig, pathlib
subprocess.run([sys.executable, "-m", "venv", "--without-pip", "made"], check=True)
site = next(pathlib.Path("made/lib").glob("python*/site-packages"))
(site / "evil.pth").write_text("import os, pathlib; pathlib.Path(os.environ['HOME'], 'evil').write_text('x')\n")
(site / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n" + next(p for p in sys.path if "kernel" in p and p.endswith("site-packages")) + "\n")`)
	p.call("configure_environment", args{"type": "venv", "venv_path": made})
	p.call("check_installed_packages", args{"packages": []string{"ipykernel"}})
	r := p.call("install_dependencies", args{"packages": []string{"mcetoy"}})
	has(t, r, "lies where code can write")
	if _, err := os.Stat(filepath.Join(home, "evil")); err == nil {
		t.Error("the environment's Python has written in the home directory")
	}
}

// TestSandboxActivation: activation scripts run without the credentials, and have nothing
// to do with how many are said to be missing; what they set arrives.
func TestSandboxActivation(t *testing.T) {
	t.Parallel()
	home, _ := condaHome(t)
	for name, means := range sandboxMeans() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			means.needs(t)
			p := means.launch(t, append(typeSettings("conda", "science"), readsKernel(t), "SANDBOX=workspace", "HOME="+home, "WORK_DIR="+t.TempDir(), "A_TOKEN=a", "B_TOKEN=b", "SANDBOX_ENV=B_*")...)
			r := p.call("execute_code", args{"code": "import os; [os.environ.get(n) for n in ('MCE_FROM_JSON', 'A_TOKEN', 'B_TOKEN', 'MCE_CHANGED')]"})
			has(t, r, "['json', None, 'b', None]", "1 of the server's variables, named like credentials")
			if strings.Contains(r.text(), "IPYTHONDIR") || !strings.Contains(p.run("os.environ['MCE_FROM_SCRIPT']").text(), "script of ") {
				t.Errorf("%s", r.text())
			}
		})
	}
}

// TestSandboxInstall: what is not a wheel of the index is installed only where
// SANDBOX_INSTALL=any allows it, and the code that builds it is confined as well.
func TestSandboxInstall(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	home, work, index := t.TempDir(), t.TempDir(), wheels(t)
	links := strings.TrimPrefix(index[1], "PIP_FIND_LINKS=")
	project := filepath.Join(work, "project")
	makeProject(t, project)
	write(t, map[string]string{filepath.Join(home, ".ssh", "id_rsa"): "SECRET", filepath.Join(project, ".git", "config"): "", filepath.Join(project, "backend.py"): backend + `
import os, pathlib
home, here, seen = pathlib.Path(os.environ["HOME"]), pathlib.Path.cwd(), []
for name, attempt in {
    "home": lambda: (home / "evil").write_text("x"),
    "key": lambda: (home / ".ssh" / "id_rsa").read_text(),
    "git": lambda: (here / ".git" / "config").write_text("x"),
    "here": lambda: (here / "built").write_text("x"),
}.items():
    try: attempt(); seen.append(name)
    except OSError: pass
def build_wheel(directory, config_settings=None, metadata_directory=None):
    return wheel(directory, ("project.py", f"seen = {seen}"))
`})
	archive(t, filepath.Join(links, "mceproject-1.0.tar.gz"), project, "mceproject-1.0")
	for _, test := range []struct {
		setting  string
		packages string
		want     []string // of the refusal; none is a success
		seen     string   // by the code that builds
	}{
		{"index", "./project", []string{"nothing was installed", "only wheels of a package index", "SANDBOX_INSTALL=any"}, ""},
		{"index", "git+https://example.com/a", []string{"nothing was installed", "only wheels of a package index"}, ""},
		{"index", "mceproject", []string{"the sandbox allows only wheels", "SANDBOX_INSTALL=any", "nothing was changed"}, ""},
		{"any", "./project", nil, "['here']"},
		{"any", "mceproject", nil, "['here']"},
	} {
		_, settings := makeEnv(t, "venv-uv")
		p := launch(t, append(append(settings, index...), "UV="+testUV(t), readsKernel(t), "SANDBOX=workspace", "SANDBOX_INSTALL="+test.setting, "HOME="+home, "WORK_DIR="+work)...)
		if test.want != nil {
			refused(t, test.setting+" "+test.packages, p.call("install_dependencies", args{"packages": []string{test.packages}}), test.want...)
			continue
		}
		if o := p.done("install_dependencies", args{"packages": []string{test.packages}}); !strings.Contains(changes(o), "mceproject <nil> 1.0") {
			t.Errorf("%s: %v", test.packages, o)
		}
		if r := p.run("import project; print(project.seen)"); !strings.Contains(r.text(), test.seen) {
			t.Errorf("%s: the build saw %s", test.packages, r.text())
		}
	}
}

// TestSandboxSwept: what a killed server has left for its helper programs is removed by
// the next one.
func TestSandboxSwept(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	tmp := t.TempDir()
	settings := append(inVenv(t), "SANDBOX=workspace", "WORK_DIR="+t.TempDir(), "TMPDIR="+tmp, "HOME="+t.TempDir())
	left := func() (names []string) {
		names, _ = filepath.Glob(filepath.Join(tmp, "mce-*"))
		return names
	}
	p := launch(t, settings...)
	p.run("1")
	p.cmd.Process.Kill()
	p.wait(30 * time.Second)
	before := left()
	if len(before) == 0 {
		t.Fatal("the killed server has left nothing")
	}
	p = launch(t, settings...)
	p.run("1")
	for _, dir := range before {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("not swept: %s", dir)
		}
	}
	p.stdin.Close()
	p.wait(30 * time.Second)
	if names := left(); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
}
