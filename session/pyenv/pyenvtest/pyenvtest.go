package pyenvtest

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// realPython is the base Python tests make environments with. It is asked once: pyenv's
// shims are scripts that take longer than what they start, which says where it lives.
var realPython = sync.OnceValues(func() (string, error) {
	path, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path, "-c", "import sys; print(getattr(sys, '_base_executable', sys.executable))").Output()
	return strings.TrimSpace(string(out)), err
})

// BasePython is the base Python tests make environments with.
func BasePython(t testing.TB) string {
	t.Helper()
	path, err := realPython()
	if err != nil {
		testneeds.Skip(t, testneeds.Environments, fmt.Sprintf("python3 on PATH: %v", err))
	}
	return path
}

// UV is the program uv.
func UV(t testing.TB) string {
	t.Helper()
	if uv := os.Getenv("MCE_TEST_UV"); uv != "" {
		return uv
	}
	uv, err := exec.LookPath("uv")
	if err != nil {
		testneeds.Skip(t, testneeds.Environments, "uv on PATH or in MCE_TEST_UV")
	}
	return uv
}

// MakeVenv makes a real virtual environment without pip, which is quick.
func MakeVenv(t testing.TB, dir string) string {
	t.Helper()
	Run(t, BasePython(t), "-m", "venv", "--without-pip", dir)
	return dir
}

// Run runs a program to its end and gives what it printed.
func Run(t testing.TB, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "UV_PYTHON_DOWNLOADS=never")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// Write makes files, with their directories.
func Write(t testing.TB, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// CondaEnv makes what a conda environment is known by, with a python that is a
// link to the test's.
func CondaEnv(t testing.TB, prefix string) string {
	t.Helper()
	Write(t, map[string]string{filepath.Join(prefix, "conda-meta", "history"): ""})
	if err := os.MkdirAll(filepath.Join(prefix, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(BasePython(t), filepath.Join(prefix, "bin", "python")); err != nil {
		t.Fatal(err)
	}
	return prefix
}

// CondaRoot makes an installation of conda with environments of these names.
func CondaRoot(t testing.TB, root string, names ...string) string {
	t.Helper()
	CondaEnv(t, root)
	for _, dir := range []string{"envs", "condabin", "pkgs"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		CondaEnv(t, filepath.Join(root, "envs", name))
	}
	return root
}

// DistFiles is an installed distribution: file name → content, below site-packages.
func DistFiles(site, name, version string, headers string, files ...string) map[string]string {
	info := filepath.Join(site, name+"-"+version+".dist-info")
	record := name + "-" + version + ".dist-info/METADATA,,\n"
	all := map[string]string{
		filepath.Join(info, "METADATA"): "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n" + headers + "\nName: not this\n",
	}
	for _, file := range files {
		record += file + ",sha256=x,1\n"
		if strings.HasSuffix(file, ".py") {
			all[filepath.Join(site, file)] = "raise SystemExit('imported " + file + "')\n"
		}
	}
	all[filepath.Join(info, "RECORD")] = record
	return all
}

// makeWheel writes a wheel of one module into dir.
func makeWheel(t testing.TB, dir, name, version, module string, headers ...string) {
	t.Helper()
	info := name + "-" + version + ".dist-info/"
	files := map[string]string{
		module + "/__init__.py": "version = '" + version + "'\n",
		info + "METADATA":       "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n" + strings.Join(headers, "\n") + "\n",
		info + "WHEEL":          "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}
	record := info + "RECORD,,\n"
	for _, file := range []string{module + "/__init__.py", info + "METADATA", info + "WHEEL"} {
		record += file + ",,\n"
	}
	files[info+"RECORD"] = record
	out, err := os.Create(filepath.Join(dir, name+"-"+version+"-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(out)
	for name, content := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
}

// Wheels makes the packages of these tests.
func Wheels(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	makeWheel(t, dir, "mcetoy", "1.0", "toymodule")
	makeWheel(t, dir, "mcetoy", "1.1", "toymodule", "Provides-Extra: more", "Requires-Dist: mceleaf; extra == 'more'")
	makeWheel(t, dir, "mcetoy", "2.0", "toymodule", "Requires-Dist: mceleaf")
	makeWheel(t, dir, "mceleaf", "0.5", "leaf")
	makeWheel(t, dir, "mceneeds1", "1.0", "needs1", "Requires-Dist: mcetoy<2")
	makeWheel(t, dir, "mceneeds2", "1.0", "needs2", "Requires-Dist: mcetoy>=2")
	makeWheel(t, dir, "mcefuture", "1.0", "future", "Requires-Python: >=3.99")
	Write(t, map[string]string{filepath.Join(dir, "mcebad-1.0-py3-none-any.whl"): "this is no zip archive"})
	return dir
}

// RunnerFunc is a Runner made of a function.
type RunnerFunc func(ctx context.Context, cmd *exec.Cmd) error

func (r RunnerFunc) Run(ctx context.Context, cmd *exec.Cmd) error { return r(ctx, cmd) }

// Python is the Python of the newest test environment, which has packaging.
func Python(t testing.TB) string {
	t.Helper()
	return testneeds.List(t, "MCE_TEST_PYTHONS", "Pythons with ipykernel")[0]
}

// Ask runs code in the newest test environment and decodes what it prints.
func Ask(t testing.TB, python, code string, input, answer any) {
	t.Helper()
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", code, string(text)).Output()
	if err == nil {
		err = json.Unmarshal(out, answer)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Virtualenv is a Python with virtualenv.
func Virtualenv(t testing.TB) string {
	t.Helper()
	return testneeds.Variable(t, "MCE_TEST_VIRTUALENV", "a Python with virtualenv")
}

// Conda is the root of a conda installation.
func Conda(t testing.TB) string {
	t.Helper()
	return testneeds.Variable(t, "MCE_TEST_CONDA", "a conda installation")
}

// CloneConda makes a prefix like another one by hard links, with notes of its own.
func CloneConda(t *testing.T, source, prefix string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(prefix), 0o755); err != nil {
		t.Fatal(err)
	}
	if exec.Command("cp", "-al", source, prefix).Run() != nil { // another disk
		Run(t, "rm", "-rf", prefix)
		Run(t, "cp", "-a", source, prefix)
	}
	for _, notes := range []string{"conda-meta", "etc"} {
		Run(t, "rm", "-rf", filepath.Join(prefix, notes))
		from := filepath.Join(source, notes)
		if _, err := os.Stat(from); err == nil {
			Run(t, "cp", "-a", from, filepath.Join(prefix, notes))
		}
	}
}

// NewHost returns a world of its own: an empty home, an empty operating system,
// and just the variables given.
func NewHost(t testing.TB, environ ...string) *host.Host {
	t.Helper()
	dir := t.TempDir()
	h := &host.Host{Home: filepath.Join(dir, "home"), DataDir: filepath.Join(dir, "data"), Sysroot: filepath.Join(dir, "sys")}
	h.Environ = func() []string { return append([]string{"HOME=" + h.Home}, environ...) }
	for _, d := range []string{h.Home, h.Sysroot} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	CloseAtEnd(t, h)
	return h
}

// CloseAtEnd closes what a test has started programs on.
func CloseAtEnd(t testing.TB, h *host.Host) {
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
}
