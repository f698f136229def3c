//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// place is an environment that was made for a test, and what code in it is to see.
type place struct {
	settings []string // of the server, besides HOME and PATH
	prefix   string   // sys.prefix, or a pattern for it
	python   string   // sys.executable; "" is bin/python in prefix
	program  string   // how it is called on PATH; "" is python
	pip      bool     // it has one of its own
	numpy    bool
	kernel   string   // ipykernel's version, "" for any
	says     []string // what the first answer has besides the output
	// server is a copy of the program that user may start; "" is this one.
	server string
	user   *syscall.SysProcAttr
}

// tour is what code tells of where it runs, one thing a line. %s is what Python is
// called there.
const tour = `import os, sqlite3, ssl, subprocess, sys
import ipykernel
print("executable", sys.executable)
print("prefix", sys.prefix)
print("path", os.environ["PATH"].split(os.pathsep)[0])
print("sqlite", sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0])
print("ssl", ssl.OPENSSL_VERSION.split()[0])
print("kernel", ipykernel.__version__)
print("child", subprocess.run(["%[1]s", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True).stdout.strip())
!echo which $(which %[1]s)
`

const (
	tourPip   = "%pip --version\n"
	tourNumpy = `import numpy
print("numpy", numpy.arange(4).sum())
`
)

// look runs the tour and holds what it tells against the place.
func (p place) look(t *testing.T) {
	t.Helper()
	if p.program == "" {
		p.program = "python"
	}
	code := fmt.Sprintf(tour, p.program)
	if p.pip {
		code += tourPip
	}
	if p.numpy {
		code += tourNumpy
	}
	ask := args{"code": code, "wait_seconds": 110}
	var r result
	if p.server != "" {
		r = askAs(t, p.user, p.server, p.settings, "execute_code", ask)
	} else {
		r = launch(t, p.settings...).call("execute_code", ask)
	}
	if r.IsError || !strings.HasPrefix(r.text(), "[ok | ") {
		t.Fatalf("%s", r.text())
	}
	if found, err := filepath.Glob(p.prefix); err == nil && len(found) == 1 { // the managed one is made by now
		p.prefix = found[0]
	}
	bin := filepath.Join(p.prefix, "bin")
	if p.python == "" {
		p.python = filepath.Join(bin, "python")
	}
	lines := []string{
		"executable " + p.python, "prefix " + p.prefix, "path " + bin, "sqlite 42", "ssl OpenSSL",
		"child " + p.prefix, "which " + filepath.Join(bin, p.program),
	}
	if p.kernel != "" {
		lines = append(lines, "kernel "+p.kernel)
	}
	if p.numpy {
		lines = append(lines, "numpy 6")
	}
	if p.pip {
		p.says = append(p.says, "\npip ", " from "+p.prefix+"/")
	}
	for _, line := range lines {
		if !strings.Contains("\n"+r.text()+"\n", "\n"+line+"\n") {
			t.Errorf("the line %q is missing in:\n%s", line, r.text())
		}
	}
	for _, part := range p.says {
		if !strings.Contains(r.text(), part) {
			t.Errorf("%q is missing in:\n%s", part, r.text())
		}
	}
}

// kindsLeft are those that `make test` has otherwise: by TestVenvs, TestConda,
// TestNothingConfigured, TestBeside and TestReadOnlyRefused.
var kindsLeft = []string{"venv", "uv venv", "virtualenv", "conda by name", "conda by path", "base", "managed", "Debian's Python", "read-only venv"}

// TestKinds: a session in an environment of each kind, with nothing in the
// server's own environment but HOME, PATH and the choice; TestMatrixKinds has most.
func TestKinds(t *testing.T) {
	t.Parallel()
	split(t, kinds(), kindsLeft, false, func(t *testing.T, _ string, make func(t *testing.T) place) { make(t).look(t) })
}

func TestMatrixKinds(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	split(t, kinds(), kindsLeft, true, func(t *testing.T, _ string, make func(t *testing.T) place) { make(t).look(t) })
}

func kinds() map[string]func(t *testing.T) place {
	return map[string]func(t *testing.T) place{
		"venv": func(t *testing.T) place {
			dir, settings := makeEnv(t, "venv")
			return place{settings: settings, prefix: dir, pip: true, numpy: true}
		},
		"uv venv": func(t *testing.T) place {
			dir, settings := makeEnv(t, "venv-uv")
			return place{settings: settings, prefix: dir, numpy: true}
		},
		"virtualenv": func(t *testing.T) place {
			dir := filepath.Join(t.TempDir(), "env")
			execute(t, testVirtualenv(t), "-m", "virtualenv", "-q", "--no-download", "--python", base(t), dir)
			shareKernel(t, dir)
			return place{settings: typeSettings("venv", dir), prefix: dir, pip: true, numpy: true}
		},
		"conda by name": func(t *testing.T) place {
			home, root := sharedConda(t)
			return place{settings: append(typeSettings("conda", "science"), "HOME="+home), prefix: filepath.Join(root, "envs", "science"), pip: true, numpy: true}
		},
		"base": func(t *testing.T) place {
			home, root := sharedConda(t)
			return place{settings: append(typeSettings("conda", "base"), "HOME="+home), prefix: root, pip: true, numpy: true}
		},
		"conda by path": func(t *testing.T) place { // of no installation that is here
			dir := copyConda(t, "away", filepath.Join(t.TempDir(), "project", "away"))
			return place{settings: typeSettings("conda", dir), prefix: dir, pip: true}
		},
		"micromamba": func(t *testing.T) place { // its root is no environment, and has no conda
			home := t.TempDir()
			root := copyConda(t, "micromamba", filepath.Join(home, "micromamba"))
			return place{settings: append(typeSettings("conda", "lab"), "HOME="+home), prefix: filepath.Join(root, "envs", "lab"), pip: true, numpy: true}
		},
		"pixi": func(t *testing.T) place {
			dir := copyConda(t, "pixi", filepath.Join(t.TempDir(), "pixi"))
			return place{settings: typeSettings("conda", dir), prefix: filepath.Join(dir, ".pixi", "envs", "default"), pip: true}
		},
		"managed": func(t *testing.T) place {
			home := t.TempDir()
			prefix := filepath.Join(home, ".local", "share", "mcp-code-executor", "envs", "default-py3*")
			return place{settings: append(indexed(t), "HOME="+home, "PATH="+basePath(t)), prefix: prefix, numpy: true}
		},
		"Debian's Python": func(t *testing.T) place { // externally managed, and not called python
			python := "/usr/bin/python3"
			if _, err := os.Stat(externallyManaged(python)); err != nil {
				testneeds.Skip(t, testneeds.ManagedPython, python+" is none that its distribution manages")
			}
			return place{settings: append(append(indexed(t), "XDG_DATA_HOME="+t.TempDir()), typeSettings("venv", python)...), prefix: "/usr", python: python, program: "python3",
				says: []string{"was put beside /usr", "EXTERNALLY-MANAGED"}}
		},
		"read-only venv": readOnlyVenv,
	}
}

// TestMatrixPythons: every Python from 3.9 on, with an ipykernel of its time.
func TestMatrixPythons(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	pins, err := filepath.Glob(filepath.Join(repository, "testdata", "python", "python3.*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	supported := 0
	for _, path := range pins {
		minor := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "python"), ".txt")
		dir := filepath.Join(matrix(t), minor)
		kernel := ""
		if m := regexp.MustCompile(`(?m)^ipykernel==(.*)$`).FindStringSubmatch(document(t, filepath.Join("testdata", "python", filepath.Base(path)))); m != nil {
			kernel = m[1]
			supported++
		}
		if _, err := os.Stat(filepath.Join(dir, "bin", "python")); err != nil {
			testneeds.Lacks(t, "python"+minor, dir)
			continue
		}
		if kernel != "" {
			t.Run(minor, func(t *testing.T) {
				t.Parallel()
				place{settings: typeSettings("venv", dir), prefix: dir, numpy: true, kernel: kernel}.look(t)
			})
		}
	}
	if supported != 5 {
		t.Errorf("%d Pythons in testdata/python with an ipykernel, not 3.9 to 3.13", supported)
	}
}

// matrix is the directory of the environments with Pythons 3.7 to 3.13.
func matrix(t testing.TB) string {
	return required(t, "MCE_TEST_MATRIX", "directory of environments with many Pythons")
}

// testVirtualenv is a Python that has virtualenv.
func testVirtualenv(t testing.TB) string {
	return required(t, "MCE_TEST_VIRTUALENV", "Python with virtualenv")
}

// externallyManaged is where a Python says that it is (PEP 668).
func externallyManaged(python string) string {
	out, err := exec.Command(python, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))").Output()
	if err != nil {
		return "/nowhere"
	}
	return filepath.Join(strings.TrimSpace(string(out)), "EXTERNALLY-MANAGED")
}

// copyConda copies what lies beside the test's conda installation, by hard links;
// what conda writes in place gets a copy of its own.
func copyConda(t testing.TB, name, to string) string {
	t.Helper()
	source := filepath.Join(filepath.Dir(testConda(t)), name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if !linkTree(t, source, to) {
		return to
	}
	execute(t, "find", to, "-name", "conda-meta", "-type", "d", "-prune", "-exec", "cp", "-a", "{}", "{}.own", ";",
		"-exec", "rm", "-r", "{}", ";", "-exec", "mv", "{}.own", "{}", ";")
	return to
}

// linkTree copies a file or a directory to a path where nothing is, by hard links;
// false when these cannot be at all, and it is a true copy. What lies on another disk
// than the tests' files is truly copied once, and its copies are links.
func linkTree(t testing.TB, from, to string) (linked bool) {
	t.Helper()
	if exec.Command("cp", "-al", from, to).Run() == nil {
		return true
	}
	execute(t, "rm", "-rf", to)
	near := sharedDir(fmt.Sprintf("copy-%x", sha256.Sum256([]byte(from))), func(dir string) { execute(t, "cp", "-a", from, dir) })
	if exec.Command("cp", "-al", near, to).Run() == nil {
		return true
	}
	execute(t, "rm", "-rf", to)
	execute(t, "cp", "-a", from, to)
	return false
}
