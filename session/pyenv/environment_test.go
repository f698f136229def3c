package pyenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMain says at the end how many tests were left out.
func TestMain(m *testing.M) { os.Exit(testneeds.Run(m)) }

// newFinder returns a Finder in a world of its own: an empty home, an empty
// operating system, and just the variables given.
func newFinder(t testing.TB, environ ...string) *Finder {
	t.Helper()
	dir := t.TempDir()
	f := &Finder{Home: filepath.Join(dir, "home"), DataDir: filepath.Join(dir, "data"), sysroot: filepath.Join(dir, "sys")}
	f.Environ = func() []string { return append([]string{"HOME=" + f.Home}, environ...) }
	for _, d := range []string{f.Home, f.sysroot} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// realPython is the base Python tests make environments with: asked once.
var realPython = sync.OnceValues(func() (string, error) {
	path, err := exec.LookPath("python3")
	if err != nil {
		return "", err
	}
	// pyenv's shims are scripts; what they start says where it lives.
	out, err := exec.Command(path, "-c", "import sys; print(getattr(sys, '_base_executable', sys.executable))").Output()
	return strings.TrimSpace(string(out)), err
})

func basePython(t testing.TB) string {
	t.Helper()
	path, err := realPython()
	if err != nil {
		testneeds.Skip(t, testneeds.Environments, fmt.Sprintf("python3 on PATH: %v", err))
	}
	return path
}

func testUV(t testing.TB) string {
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

// makeVenv makes a real virtual environment without pip, which is quick.
func makeVenv(t testing.TB, dir string) string {
	t.Helper()
	run(t, basePython(t), "-m", "venv", "--without-pip", dir)
	return dir
}

func run(t testing.TB, argv ...string) string {
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

// write makes files, with their directories.
func write(t testing.TB, files map[string]string) {
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

func TestConfigKind(t *testing.T) {
	for _, test := range []struct {
		name     string
		config   Config
		want     Kind
		variable string // of the ConfigError
	}{
		{"nothing", Config{}, KindManaged, ""},
		{"venv inferred", Config{VenvPath: "x"}, KindVenv, ""},
		{"uv inferred", Config{UVVenvPath: "x"}, KindUV, ""},
		{"conda inferred", Config{CondaName: "x"}, KindConda, ""},
		{"type decides between two", Config{Type: "venv", VenvPath: "x", CondaName: "y"}, KindVenv, ""},
		{"two and no type", Config{VenvPath: "x", CondaName: "y"}, "", "ENV_TYPE"},
		{"unknown type", Config{Type: "poetry", VenvPath: "x"}, "", "ENV_TYPE"},
		{"a kind that is not for choosing", Config{Type: "managed"}, "", "ENV_TYPE"},
		{"type without its variable", Config{Type: "conda", VenvPath: "x"}, "", "CONDA_ENV_NAME"},
		{"uv without its variable", Config{Type: "venv-uv"}, "", "UV_VENV_PATH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.config.kind()
			var config *ConfigError
			if test.variable != "" && (!errors.As(err, &config) || config.Variable != test.variable || config.Mend == "") {
				t.Errorf("error %v, want one about %s", err, test.variable)
			}
			if test.variable == "" && err != nil || got != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
	_, err := Config{Type: "poetry"}.kind()
	for _, name := range []string{"conda", "venv", "venv-uv"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

func TestConfigFromEnv(t *testing.T) {
	values := map[string]string{"ENV_TYPE": " venv ", "CONDA_ENV_NAME": "a", "VENV_PATH": "b", "UV_VENV_PATH": "c"}
	got := ConfigFromEnv(func(name string) string { return values[name] })
	if want := (Config{"venv", "a", "b", "c"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !got.Configured() || (Config{}).Configured() {
		t.Error("Configured is wrong")
	}
}

func TestLabel(t *testing.T) {
	for want, env := range map[string]*Environment{
		"no environment": nil,
		"managed":        {Kind: KindManaged, Name: "default"},
		"venv .venv":     {Kind: KindVenv, Prefix: "/p/.venv"},
		"conda ml":       {Kind: KindConda, Name: "ml", Prefix: "/x"},
	} {
		if got := env.Label(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
