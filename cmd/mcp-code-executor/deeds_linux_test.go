package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/doctor"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/processtest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// deed is an attempt that takes more than code: a tool, or the end of the server.
type deed struct {
	name string
	// do makes the attempt and reports whether it worked.
	do func(w *workshop, t *testing.T) bool
	// landlock: Landlock, in the place of bubblewrap, does not stop it, for this reason.
	landlock string
}

func deeds() []deed {
	return []deed{
		{name: "a `.pth` of an environment that code has made", do: (*workshop).madeEnvironment},
		{name: "`activate.d` of an environment that code has made", do: (*workshop).madeActivation},
		{name: "a `uv` that code has put on `PATH`", do: (*workshop).fakeUV},
		{name: "a module for pip, by `PYTHONPATH`", do: (*workshop).pythonPath},
		{name: "a library for pip, by `LD_PRELOAD`", do: (*workshop).preload},
		{name: "a package that writes when it is built", do: (*workshop).sourcePackage},
		{name: "a package that requires such a one by its address", do: (*workshop).directPackage},
		{name: "a daemon that outlives the server, if the guard is killed with it", do: (*workshop).daemon,
			landlock: "only bubblewrap has a list of processes that ends with the guard"},
	}
}

// workshop is where deeds are done: a server with a project, and environments outside of
// it.
type workshop struct {
	*program
	home, work, uvEnv, pipEnv string
	mark                      string
	said                      string // by the last installation of pip's
}

// newWorkshop starts a server. What code can put into the project, its variables name.
func newWorkshop(t *testing.T, launch func(settings ...string) *program, sandbox ...string) *workshop {
	t.Helper()
	w := &workshop{home: t.TempDir(), uvEnv: emptyEnv(t, "venv-uv"), pipEnv: emptyEnv(t, "venv")}
	w.work = filepath.Join(w.home, "project")
	w.mark = fmt.Sprintf("MCE_TEST_MARK=%d-%s", os.Getpid(), filepath.Base(filepath.Dir(w.home))+filepath.Base(w.home))
	shareKernel(t, w.uvEnv)
	shareKernel(t, w.pipEnv)
	index := wheels(t)
	links := strings.TrimPrefix(index[1], "PIP_FIND_LINKS=")
	project := filepath.Join(t.TempDir(), "project")
	makeProject(t, project)
	write(t, map[string]string{filepath.Join(project, "backend.py"): "import os\nopen(os.environ['MCE_BUILT'], 'w').close()\n" + backend,
		filepath.Join(w.work, "lib", "preload.c"): `#include <stdlib.h>
#include <fcntl.h>
__attribute__((constructor)) static void begin(void) { char *path = getenv("MCE_PRELOADED"); if (path) open(path, O_CREAT | O_WRONLY, 0600); }`,
		filepath.Join(w.work, "bin", "x"): ""})
	archive(t, filepath.Join(links, "mceproject-1.0.tar.gz"), project, "mceproject-1.0")
	makeWheel(t, links, "mcedirect", "1.0", "direct", "Requires-Dist: mceproject @ file://"+filepath.Join(links, "mceproject-1.0.tar.gz"))
	library := filepath.Join(w.work, "lib", "preload.so")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, filepath.Join(w.work, "lib", "preload.c")).CombinedOutput(); err != nil {
		testneeds.Skip(t, testneeds.CCompiler, fmt.Sprintf("%v: %s", err, out))
	}
	w.program = launch(append(append(index, typeSettings("venv-uv", w.uvEnv)...), append(sandbox, readsKernel(t), "HOME="+w.home, "WORK_DIR="+w.work,
		"PATH="+filepath.Join(w.work, "bin")+":/usr/bin:/bin", "PYTHONPATH="+filepath.Join(w.work, "lib"), "LD_PRELOAD="+library,
		"PIP_NO_CACHE_DIR=1", "MCE_BUILT="+filepath.Join(w.pipEnv, "built"), "MCE_PRELOADED="+filepath.Join(w.pipEnv, "preloaded"), w.mark)...)...)
	w.run("import os, pathlib, subprocess, sys")
	return w
}

// code runs code in the project.
func (w *workshop) code(format string, values ...any) { w.run(fmt.Sprintf(format, values...)) }

// there reports whether a file is there now, and removes it.
func there(path string) bool { return os.Remove(path) == nil }

// pip installs a package by pip.
func (w *workshop) pip(name string) {
	w.call("configure_environment", args{"type": "venv", "venv_path": w.pipEnv, "session": "pip"})
	w.said = w.call("install_dependencies", args{"packages": []string{name}, "session": "pip", "wait_seconds": 110}).text()
}

func (w *workshop) madeEnvironment(t *testing.T) bool {
	w.code(`subprocess.run([sys.executable, "-m", "venv", "--without-pip", "made"], check=True)
next(pathlib.Path("made/lib").glob("python*/site-packages")).joinpath("x.pth").write_text("import os, pathlib; pathlib.Path(os.environ['HOME'], 'looked').write_text('x')\n")`)
	w.call("configure_environment", args{"type": "venv", "venv_path": filepath.Join(w.work, "made"), "session": "made"})
	w.call("check_installed_packages", args{"packages": []string{"ipykernel"}, "session": "made"})
	return there(filepath.Join(w.home, "looked"))
}

func (w *workshop) madeActivation(t *testing.T) bool {
	w.code(`for d in ("conda-meta", "bin", "etc/conda/activate.d"): pathlib.Path("made2", d).mkdir(parents=True)
pathlib.Path("made2/conda-meta/history").touch()
pathlib.Path("made2/bin/python").symlink_to(sys.executable)
pathlib.Path("made2/etc/conda/activate.d/x.sh").write_text("echo x > \"$HOME/activated\"\n")`)
	w.call("configure_environment", args{"type": "conda", "conda_name": filepath.Join(w.work, "made2"), "session": "made2"})
	w.call("check_installed_packages", args{"packages": []string{"ipykernel"}, "session": "made2"})
	return there(filepath.Join(w.home, "activated"))
}

func (w *workshop) fakeUV(t *testing.T) bool {
	w.code(`p = pathlib.Path("bin/uv"); p.write_text("#!/bin/sh\necho x > %s/faked\n"); p.chmod(0o755)`, w.uvEnv)
	w.call("install_dependencies", args{"packages": []string{"mceother"}, "wait_seconds": 60})
	w.code(`p.unlink()`)
	return there(filepath.Join(w.uvEnv, "faked"))
}

func (w *workshop) pythonPath(t *testing.T) bool {
	w.code(`p = pathlib.Path("lib/sitecustomize.py"); p.write_text("""import pathlib, sys
if "install" in sys.orig_argv: pathlib.Path(sys.prefix, "imported").write_text("x")
""")`)
	w.pip("mceother")
	w.code(`p.unlink()`)
	return there(filepath.Join(w.pipEnv, "imported"))
}

func (w *workshop) preload(t *testing.T) bool {
	there(filepath.Join(w.pipEnv, "preloaded")) // by the kernel, without a sandbox
	w.pip("mceleaf==0.4")
	return there(filepath.Join(w.pipEnv, "preloaded"))
}

func (w *workshop) sourcePackage(t *testing.T) bool {
	w.pip("mceproject")
	return there(filepath.Join(w.pipEnv, "built"))
}

func (w *workshop) directPackage(t *testing.T) bool {
	execute(t, filepath.Join(w.pipEnv, "bin", "python"), "-m", "pip", "uninstall", "-y", "mceproject")
	w.pip("mcedirect")
	return there(filepath.Join(w.pipEnv, "built"))
}

func (w *workshop) daemon(t *testing.T) bool {
	w.code(`begun, held = os.pipe() # closed when the daemon is what it is to be
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execvp("sleep", ["sleep", "1000"])
    os._exit(0)
os.close(held)
os.read(begun, 1)`)
	guards := guards(t, w.program)
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		for _, pid := range append(guards, w.cmd.Process.Pid) {
			syscall.Kill(pid, signal)
		}
	}
	<-w.ended
	for _, pid := range guards { // what goes with a guard has gone when it is dead
		until(t, "the guard's end", func() bool { return !alive(pid) })
	}
	outlived := false
	for pid, name := range processtest.Marked(t, w.mark) {
		outlived = outlived || strings.HasPrefix(name, "sleep")
		syscall.Kill(pid, syscall.SIGKILL)
	}
	return outlived
}

// alive reports whether a process runs, or a thread of it: one that is dead and not yet
// reaped has a single one. The last thread takes along what goes with the process, and the
// first may be dead before it.
func alive(pid int) bool {
	stat := statOf(pid)
	return stat != nil && !(stat[0] == "Z" && stat[17] == "1")
}

// do does all deeds.
func (w *workshop) do(t *testing.T) map[string]bool {
	worked := map[string]bool{}
	for _, d := range deeds() {
		worked[d.name] = d.do(w, t)
		t.Logf("%s: worked %v; the last installation: %s", d.name, worked[d.name], w.said)
	}
	return worked
}

// TestMatrixSandboxDeeds: what code can do through the server's tools, and by their end, works
// without a sandbox, and is stopped in one unless the table of docs/sandbox.md says
// otherwise.
func TestMatrixSandboxDeeds(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	needsBubblewrap(t)
	start := func(settings ...string) *program { return launch(t, settings...) }
	open, confined := newWorkshop(t, start).do(t), newWorkshop(t, start, "SANDBOX=workspace").do(t)
	for _, d := range deeds() {
		if !open[d.name] {
			t.Errorf("%s: does not work without a sandbox either", d.name)
		}
		if confined[d.name] {
			t.Errorf("%s: not stopped", d.name)
		}
	}
}

// TestMatrixLandlockDeeds: the same where Landlock takes bubblewrap's place.
func TestMatrixLandlockDeeds(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	needsLandlock(t)
	start := func(settings ...string) *program { return launchMounted(t, withoutBubblewrap, settings...) }
	confined := newWorkshop(t, start, "SANDBOX=workspace", "SANDBOX_ALLOW_PARTIAL=on", "SANDBOX_WRITE=/dev/shm").do(t)
	for _, d := range deeds() {
		if confined[d.name] != (d.landlock != "") {
			t.Errorf("%s: worked %v", d.name, confined[d.name])
		}
	}
}

// TestMatrixSandboxDoctor: the doctor's question to the package index is asked by an installer
// in its sandbox, and by none that lies where code can write.
func TestMatrixSandboxDoctor(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	needsBubblewrap(t)
	_, settings := makeEnv(t, "venv-uv")
	for name, test := range map[string]struct {
		settings []string
		work     bool // the uv lies in the project
		outside  bool // it has written in the home directory
		says     string
	}{
		"no sandbox":     {nil, false, true, "uv reaches the package index"},
		"in a sandbox":   {[]string{"SANDBOX=workspace"}, false, false, "the package index was not reached by uv"},
		"in the project": {[]string{"SANDBOX=workspace"}, true, false, "lies where code can write"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, at := t.TempDir(), t.TempDir()
			work := filepath.Join(home, "project")
			if test.work {
				at = work
			}
			uv := filepath.Join(at, "uv")
			write(t, map[string]string{uv: "#!/bin/sh\ncase \"$*\" in *--dry-run*) echo x > \"$HOME/asked\";; esac\n", filepath.Join(work, "x"): ""})
			if err := os.Chmod(uv, 0o755); err != nil {
				t.Fatal(err)
			}
			found, _ := patient{settings: append(append(settings, test.settings...), "UV="+uv, "HOME="+home, "WORK_DIR="+work, "PIP_NO_INDEX=0")}.examine(t)
			said := findingsOf(found, "index", doctor.VerdictOK) + findingsOf(found, "index", doctor.VerdictWarn)
			if !strings.Contains(said, test.says) {
				t.Errorf("%s", said)
			}
			if there(filepath.Join(home, "asked")) != test.outside {
				t.Error("outside of the sandbox")
			}
		})
	}
}
