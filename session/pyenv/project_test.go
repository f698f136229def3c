package pyenv

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// A project's directory means its environment, wherever its tool keeps it.
func TestProjects(t *testing.T) {
	t.Parallel()
	f := newFinder(t)
	real := pyenvtest.MakeVenv(t, filepath.Join(f.Host.Home, "real"))
	at := func(path string) string { return filepath.Join(f.Host.Home, filepath.FromSlash(path)) }
	link := func(path string) string { // an environment is where its pyvenv.cfg is
		t.Helper()
		config, err := os.ReadFile(filepath.Join(real, "pyvenv.cfg"))
		if err != nil {
			t.Fatal(err)
		}
		pyenvtest.Write(t, map[string]string{at(path + "/pyvenv.cfg"): string(config)})
		if err := errors.Join(os.MkdirAll(at(path+"/bin"), 0o755), os.Symlink(pyenvtest.BasePython(t), at(path+"/bin/python"))); err != nil {
			t.Fatal(err)
		}
		return at(path)
	}
	link("plain/.venv")
	link("named/venv")
	link("two/.venv")
	link("two/env")
	link("pdm/.venv")
	other := link("central/pdm-1")
	link("dir-of-envs/one")
	for _, project := range []string{"poetry", "poetry-in", "pipenv"} {
		pyenvtest.Write(t, map[string]string{at(project + "/pyproject.toml"): "", at(project + "/Pipfile"): ""})
	}
	link("poetry-in/.venv")
	poetry := link(".cache/pypoetry/virtualenvs/poetry-" + projectHash(at("poetry")) + "-py3.11")
	link(".cache/pypoetry/virtualenvs/poetry-XXXXXXXX-py3.11") // of another project of that name
	pipenv := link(".local/share/virtualenvs/pipenv-" + projectHash(at("pipenv/Pipfile")))
	pixi := pyenvtest.CondaEnv(t, at("pixi/.pixi/envs/default"))
	pyenvtest.CondaEnv(t, at("pixis/.pixi/envs/default"))
	pyenvtest.CondaEnv(t, at("pixis/.pixi/envs/cuda"))
	pyenvtest.Write(t, map[string]string{at("pdm/.pdm-python"): other + "/bin/python\n", pixi + "/conda-meta/pixi": "{}"})
	for _, test := range []struct {
		config Config
		want   string   // prefix
		errors []string // parts of the error
	}{
		{Config{VenvPath: at("plain")}, at("plain/.venv"), nil},
		{Config{UVVenvPath: at("named")}, at("named/venv"), nil},
		{Config{VenvPath: at("two")}, "", []string{"2 environments", at("two/.venv"), at("two/env")}},
		{Config{VenvPath: at("pdm")}, other, nil},
		{Config{VenvPath: at("poetry")}, poetry, nil},
		{Config{VenvPath: at("poetry-in")}, at("poetry-in/.venv"), nil},
		{Config{VenvPath: at("pipenv")}, pipenv, nil},
		{Config{VenvPath: poetry}, poetry, nil},
		{Config{VenvPath: at("dir-of-envs")}, "", []string{"not a virtual environment", "did you mean " + at("dir-of-envs/one")}},
		{Config{VenvPath: at("pixi")}, pixi, nil},
		{Config{CondaName: at("pixi")}, pixi, nil},
		{Config{CondaName: at("pixi/.pixi")}, pixi, nil},
		{Config{CondaName: at("pixi/.pixi/envs")}, pixi, nil},
		{Config{CondaName: pixi}, pixi, nil},
		{Config{CondaName: at("pixis")}, "", []string{"2 environments", at("pixis/.pixi/envs/cuda")}},
		{Config{CondaName: at("pixis/.pixi/envs/cuda")}, at("pixis/.pixi/envs/cuda"), nil},
	} {
		env, err := f.Resolve(t.Context(), test.config)
		if test.want != "" && (err != nil || env.Prefix != test.want) {
			t.Errorf("%+v: got %+v, %v, want %s", test.config, env, err, test.want)
		}
		if test.want == "" && err == nil {
			t.Errorf("%+v: no error but %s", test.config, env.Prefix)
		}
		for _, part := range test.errors {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: %q does not say %q", test.config, err, part)
			}
		}
	}
	env, err := f.Resolve(t.Context(), Config{VenvPath: at("poetry")})
	if err != nil || len(env.Warnings) != 1 || !strings.Contains(env.Warnings[0], poetry) {
		t.Errorf("which one is used is not said: %q, %v", env.Warnings, err)
	}
}

// projectHash is part of the names that Poetry and Pipenv give environments.
func projectHash(path string) string {
	sum := sha256.Sum256([]byte(path))
	return base64.URLEncoding.EncodeToString(sum[:])[:8]
}

// A shim is asked once; what it starts is used, and looked up again when pyenv
// chooses another. One that fails tells what there is to choose from.
func TestPyenv(t *testing.T) {
	f := newFinder(t, "PATH=/usr/bin:/bin")
	root := filepath.Join(f.Host.Home, ".pyenv")
	python := pyenvtest.BasePython(t)
	shim := filepath.Join(root, "shims", "python3")
	pyenvtest.Write(t, map[string]string{
		filepath.Join(root, "version"):                   "one\n",
		filepath.Join(root, "versions", "3.10.4", "x"):   "",
		filepath.Join(root, "versions", "3.9.1", "link"): "",
		shim: "#!/bin/sh\nversion=${PYENV_VERSION-$(cat '" + root + "/version')}\n" +
			"case $version in one|two) exec '" + python + "' \"$@\";; esac\necho \"pyenv: version \\`$version' is not installed\" >&2\nexit 1\n",
	})
	env, err := f.Resolve(t.Context(), Config{VenvPath: shim})
	if err != nil || env.Kind != kinds.System || env.Python != python {
		t.Fatalf("got %+v, %v", env, err)
	}
	if len(env.Warnings) != 1 || !strings.Contains(env.Warnings[0], python+": none of pyenv's own") {
		t.Errorf("warnings: %q", env.Warnings)
	}
	pyenvtest.Write(t, map[string]string{filepath.Join(root, "version"): "three\n"})
	_, err = f.Resolve(t.Context(), Config{VenvPath: shim})
	for _, part := range []string{"version `three' is not installed", "shim of pyenv", filepath.Join(root, "versions", "3.10.4")} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	f.Host.Environ = func() []string { return []string{"HOME=" + f.Host.Home, "PATH=/usr/bin:/bin", "PYENV_VERSION=two"} }
	if env, err := f.Resolve(t.Context(), Config{VenvPath: shim}); err != nil || env.Python != python {
		t.Errorf("PYENV_VERSION: %+v, %v", env, err)
	}
	// An installation's directory, as pyenv and uv have them, means its python.
	installation := filepath.Dir(filepath.Dir(python))
	for _, path := range []string{installation, filepath.Join(installation, "bin")} {
		if env, err := f.Resolve(t.Context(), Config{VenvPath: path}); err != nil || env.Kind != kinds.System || host.RealPath(env.Python) != host.RealPath(python) {
			t.Errorf("%s: %+v, %v", path, env, err)
		}
	}
	// pyenv-virtualenv links its environments into versions.
	venv := pyenvtest.MakeVenv(t, filepath.Join(root, "versions", "3.10.4", "envs", "work"))
	if err := os.Symlink(venv, filepath.Join(root, "versions", "work")); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{filepath.Join(root, "versions", "work"), "work"} {
		if env, err := f.Resolve(t.Context(), Config{VenvPath: value}); err != nil || env.Kind != kinds.Venv || env.Label() != "venv work" {
			t.Errorf("%s: %+v, %v", value, env, err)
		}
	}
}

// These open a dialog when they are started.
func TestDialogStub(t *testing.T) {
	link := filepath.Join(t.TempDir(), "python3")
	if err := os.Symlink("/usr/bin/env", link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		goos, path string
		want       bool
	}{
		{"darwin", "/usr/bin/python3", true},
		{"darwin", link, true},
		{"darwin", "/opt/homebrew/bin/python3", false},
		{"darwin", "/usr/local/bin/python3", false},
		{"linux", "/usr/bin/python3", false},
		{"windows", `C:\Users\x\AppData\Local\Microsoft\WindowsApps\python.exe`, true},
		{"windows", `C:\Python312\python.exe`, false},
	} {
		if got := dialogStub(test.goos, test.path); got != test.want {
			t.Errorf("%s on %s: %v", test.path, test.goos, got)
		}
	}
}

// Programs of an environment that was moved or copied start another Python.
func TestMoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	here := func(name string) string { return filepath.Join(dir, name) }
	pyenvtest.MakeVenv(t, here("old"))
	long := here(strings.Repeat("long name ", 15))
	pyenvtest.Write(t, map[string]string{here("old/bin/pip"): "#!" + here("old/bin/python3") + "\nimport sys\n"})
	pyenvtest.Run(t, "cp", "-a", here("old"), here("copy"))
	pyenvtest.Run(t, "cp", "-a", here("old"), long)
	pyenvtest.Write(t, map[string]string{long + "/bin/pip": "#!/bin/sh\n'''exec' \"" + here("old/bin/python3") + "\" \"$0\" \"$@\"\n' '''\n"})
	f := newFinder(t)
	warnings := func(prefix string) string {
		t.Helper()
		env, err := f.Resolve(t.Context(), Config{VenvPath: prefix})
		if err != nil || env.Info.Prefix != prefix {
			t.Fatalf("%s: %+v, %v", prefix, env, err)
		}
		return strings.Join(env.Warnings, "\n")
	}
	if got := warnings(here("old")); got != "" {
		t.Errorf("where it was made: %s", got)
	}
	for _, prefix := range []string{here("copy"), long} {
		if got := warnings(prefix); !strings.Contains(got, "moved or copied") || !strings.Contains(got, "another environment's") || !strings.Contains(got, "python -m pip") {
			t.Errorf("%s: %s", prefix, got)
		}
	}
	if err := os.Rename(here("old"), here("new")); err != nil {
		t.Fatal(err)
	}
	if got := warnings(here("new")); !strings.Contains(got, here("old/bin/python3")) || !strings.Contains(got, "does not exist") {
		t.Errorf("moved: %s", got)
	}
	// A link to an environment is no move.
	pyenvtest.Write(t, map[string]string{here("new/bin/pip"): "#!" + here("new/bin/python") + "\n"})
	if err := os.Symlink(here("new"), here("link")); err != nil {
		t.Fatal(err)
	}
	if got := warnings(here("link")); got != "" {
		t.Errorf("through a link: %s", got)
	}
	// No script of ours: what env finds, a relocatable one, a binary.
	for _, text := range []string{"#!/usr/bin/env python3\n", "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n", "\x7fELF", "", "#!"} {
		pyenvtest.Write(t, map[string]string{here("script"): text})
		if got := startedBy(here("script")); got != "" {
			t.Errorf("%q: started by %q", text, got)
		}
	}
}

func TestSomeOf(t *testing.T) {
	items := strings.Split("a b c d e f g h i j k l", " ")
	for n, want := range map[int]string{1: "a", 2: "a or b", 3: "a, b or c", 12: "a, b, c, d, e, f, g, h, i, j or one of 2 more"} {
		if got := someOf(slices.Clone(items[:n])); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
