//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// indexed are the settings with which uv installs from the package index, fast.
func indexed(t testing.TB) []string {
	return append(network(), "UV="+testUV(t), "UV_CACHE_DIR="+execute(t, testUV(t), "cache", "dir"), "UV_PYTHON_DOWNLOADS=never")
}

// besideOnce is the setting with which a kernel that is put beside environments is
// installed once for all tests that take it.
func besideOnce(t testing.TB) string {
	return "XDG_DATA_HOME=" + sharedDir("data", func(dir string) {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	})
}

// besideCode proves that the environment is its own: what it has comes first, and
// no child sees the kernel that was put beside it.
const besideCode = `import sys, os, subprocess, importlib.metadata
import ipykernel
side = os.path.dirname(os.path.dirname(ipykernel.__file__))
print("beside", sys.path[-1] == side, "PYTHONPATH" in os.environ)
child = subprocess.run([sys.executable, "-c", "import ipykernel"], capture_output=True, text=True, cwd="/")
print("child", child.returncode, os.path.realpath(sys.executable) == os.path.realpath(%q))
print("spawned", __import__("concurrent.futures").futures.ProcessPoolExecutor(1, __import__("multiprocessing").get_context("spawn")).submit(abs, -3).result())`

// TestBeside: environments into which nothing is installed get a kernel beside
// them, the answer says where and why, and the next kernel starts without a word.
func TestBeside(t *testing.T) {
	t.Parallel()
	besideEach(t, false)
}

func TestMatrixBeside(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	besideEach(t, true)
}

// beside is an environment, and what the answer says why its kernel is beside it.
type beside struct {
	settings []string
	python   string
	parts    []string
}

func besideEach(t *testing.T, matrix bool) {
	t.Helper()
	home, root := condaHome(t)
	frozen := filepath.Join(root, "envs", "bare")
	write(t, map[string]string{filepath.Join(frozen, "conda-meta", "frozen"): "{}"})
	reason := "in no environment"
	if _, err := os.Stat(externallyManaged(base(t))); err == nil {
		reason = "EXTERNALLY-MANAGED"
	}
	split(t, map[string]beside{
		"asked for":      {append(typeSettings("venv-uv", emptyEnv(t, "venv-uv")), "KERNEL_INSTALL=sidecar"), "", []string{"the environment itself is unchanged"}},
		"frozen conda":   {append(typeSettings("conda", "bare"), "HOME="+home), filepath.Join(frozen, "bin", "python"), []string{"frozen"}},
		"no environment": {typeSettings("venv", base(t)), base(t), []string{reason}},
	}, []string{"frozen conda", "no environment"}, matrix, func(t *testing.T, _ string, test beside) {
		settings := append(append(indexed(t), besideOnce(t)), test.settings...)
		p := launch(t, settings...)
		r := p.call("execute_code", args{"code": "x = 41\n" + strings.Replace(besideCode, "%q", "sys.executable", 1), "wait_seconds": 110})
		for _, part := range append(test.parts, "[ok", "was put beside", "beside True False", "child 1 True", "spawned 3") {
			if !strings.Contains(r.text(), part) {
				t.Errorf("%q is missing in:\n%s", part, r.text())
			}
		}
		if r := p.run("import sys; x += 1; print(x, sys.executable)"); strings.Contains(r.text(), "beside") || test.python != "" && !strings.Contains(r.text(), "42 "+test.python) {
			t.Errorf("afterwards: %s", r.text())
		}
		if e := p.done("get_environment_config", nil)["environment"].(map[string]any); !strings.Contains(e["ipykernel"].(string), "beside the environment, in "+strings.TrimPrefix(besideOnce(t), "XDG_DATA_HOME=")) {
			t.Errorf("%v", e)
		}
		p.call("stop_session", args{"restart": true})
		if r := p.run("1 + 1"); strings.Contains(r.text(), "beside") {
			t.Errorf("told again: %s", r.text())
		}
	})
}

// asNobody is what makes a process run as a user who may write little, nil where
// the test is no root; python is one that user can start.
func asNobody(t testing.TB) (user *syscall.SysProcAttr, python string) {
	t.Helper()
	if os.Getuid() != 0 {
		return nil, base(t)
	}
	user = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	try := exec.Command(base(t), "-c", "")
	try.SysProcAttr = user
	if try.Run() != nil { // it lies in root's home, which is closed to others
		const system = "/usr/bin/python3"
		if err := exec.Command(system, "-c", "import venv").Run(); err != nil {
			testneeds.Skip(t, testneeds.OpenPython, fmt.Sprintf("%s: %v; %s is root's alone", system, err, base(t)))
		}
		return user, system
	}
	return user, base(t)
}

// readOnlyVenv is an environment that cannot be written to, as one of an
// administrator's: its kernel comes beside it, in the user's own directory. Root can
// write everywhere, so there the server runs as nobody.
func readOnlyVenv(t *testing.T) place {
	t.Helper()
	open := t.TempDir()
	dir, home, uv := filepath.Join(open, "env"), filepath.Join(open, "home"), filepath.Join(open, "uv")
	user, python := asNobody(t)
	execute(t, python, "-m", "venv", "--without-pip", dir)
	execute(t, "cp", testUV(t), uv)
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if user != nil {
		if err := os.Chown(home, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, "chmod", "-R", "a+rX,a-w", dir)
	t.Cleanup(func() { execute(t, "chmod", "-R", "u+w", dir) })
	settings := append(append(network(), typeSettings("venv", dir)...), "HOME="+home, "UV="+uv, "UV_PYTHON_DOWNLOADS=never")
	return place{settings: settings, prefix: dir, server: openServer(t, open), user: user, says: []string{"was put beside " + dir, "not writable"}}
}

// TestReadOnlyRefused: nothing is installed into an environment that cannot be
// written to, and the error says which; TestKinds has the session in one.
func TestReadOnlyRefused(t *testing.T) {
	t.Parallel()
	p := readOnlyVenv(t)
	r := askAs(t, p.user, p.server, append(p.settings, "KERNEL_INSTALL=env"), "execute_code", args{"code": "1"})
	refused(t, "env", r, "ipykernel is not installed", "not writable", p.prefix)
	r = askAs(t, p.user, p.server, p.settings, "install_dependencies", args{"packages": []string{"six"}})
	refused(t, "install", r, "not writable", p.prefix)
}
