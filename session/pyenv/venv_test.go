package pyenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

func TestResolveVenv(t *testing.T) {
	dir := pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "my env"))
	f := newFinder(t, "WHERE="+filepath.Dir(dir), "PATH=/usr/bin:/bin")
	if err := os.Symlink(filepath.Dir(dir), filepath.Join(f.Host.Home, "envs")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, value string }{
		{"directory", dir},
		{"trailing slash", dir + "/"},
		{"programs", filepath.Join(dir, "bin")},
		{"python", filepath.Join(dir, "bin", "python3")},
		{"pyvenv.cfg", filepath.Join(dir, "pyvenv.cfg")},
		{"variable", "$WHERE/my env"},
		{"braces", "${WHERE}/my env"},
		{"home", "~/envs/my env"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, config := range []Config{{VenvPath: test.value}, {Type: "venv-uv", UVVenvPath: test.value}} {
				env, err := f.Resolve(t.Context(), config)
				if err != nil {
					t.Fatal(err)
				}
				if env.Kind != kinds.Venv || env.Name != "my env" || filepath.Base(env.Prefix) != "my env" {
					t.Errorf("got %+v", env)
				}
				if env.Info.Version == "" || env.Info.HasPip || !env.Info.Writable || env.Info.ExternallyManaged != "" || env.Info.Prefix == env.Info.BasePrefix {
					t.Errorf("got %+v", env.Info)
				}
				if !strings.HasPrefix(env.Python, env.Prefix) {
					t.Errorf("python %s is not in %s: its link was resolved", env.Python, env.Prefix)
				}
			}
		})
	}
}

func TestResolveUVVenv(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".venv")
	pyenvtest.Run(t, pyenvtest.UV(t), "venv", "--no-project", "--python", pyenvtest.BasePython(t), dir)
	env, err := newFinder(t).Resolve(t.Context(), Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	if env.Kind != kinds.UV || env.Info.HasPip || env.Label() != "venv-uv .venv" {
		t.Errorf("got %+v", env)
	}
}

func TestResolveSystemPython(t *testing.T) {
	python := pyenvtest.BasePython(t)
	f := newFinder(t, "PATH=/usr/bin:/bin")
	// A shim as pyenv's: a script in a place of its own.
	shim := filepath.Join(t.TempDir(), "shims", "python3")
	pyenvtest.Write(t, map[string]string{shim: "#!/bin/sh\nexec '" + python + "' \"$@\"\n"})
	env, err := f.Resolve(t.Context(), Config{VenvPath: shim})
	if err != nil {
		t.Fatal(err)
	}
	if env.Kind != kinds.System || env.Python == shim || env.Prefix != env.Info.BasePrefix {
		t.Errorf("got %+v", env)
	}
}

func TestResolveVenvErrors(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	pyenvtest.MakeVenv(t, at("good"))
	pyenvtest.Write(t, map[string]string{
		at("plain/file.txt"):        "",
		at("project/.venv/bin/x"):   "",
		at("nopython/pyvenv.cfg"):   "home = /usr/bin\n",
		at("dangling/pyvenv.cfg"):   "home = /gone/python/bin\n",
		at("dangling/bin/activate"): "",
		at("uvgone/pyvenv.cfg"):     "home = /gone/python/bin\nuv = 0.13.9\n",
		at("uvgone/bin/activate"):   "",
		at("dead/pyvenv.cfg"):       "home = /usr/bin\n",
		at("dead/bin/python"):       "#!/bin/sh\necho 'Fatal Python error: no encodings' >&2\nexit 1\n",
		at("mute/pyvenv.cfg"):       "home = /usr/bin\n",
		at("mute/bin/python"):       "#!/bin/sh\nexit 0\n",
		at("old/pyvenv.cfg"):        "home = /usr/bin\n",
		at("old/bin/python"):        "#!/bin/sh\necho 'mce-probe:{\"version\": \"3.7.16\", \"executable\": \"/x\"}'\n",
		at("liar/pyvenv.cfg"):       "home = /usr/bin\n",
		at("liar/bin/python"):       "#!/bin/sh\necho 'mce-probe:[1, 2'\n",
		at("program/notpython"):     "#!/bin/sh\n",
		at("cut/bin/activate"):      "",
		at("cut/bin/python"):        "#!/bin/sh\n",
	})
	pyenvtest.Write(t, map[string]string{at("project/.venv/pyvenv.cfg"): ""})
	for _, link := range []string{"dangling/bin/python", "uvgone/bin/python", "loose"} {
		if err := os.Symlink("/gone/python/bin/python3", at(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(at("plain/file.txt"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, value string
		want        []string // in the error's text
	}{
		{"missing, with the nearest", at("goood"), []string{"no venv environment", "did you mean", at("good")}},
		{"missing", "/no/such/place", []string{"no venv environment", "/no/such/place"}},
		{"not an environment", at("plain"), []string{"not a virtual environment", "pyvenv.cfg", "-m venv"}},
		{"one level up", at("."), []string{"not a virtual environment", "did you mean", at("good")}},
		{"a project's broken one", at("project"), []string{at("project/.venv"), "no python in it"}},
		{"half removed", at("cut"), []string{"half-removed", "pyvenv.cfg is gone", "-m venv --clear " + at("cut")}},
		{"half removed, python given", at("cut/bin/python"), []string{"half-removed", at("cut")}},
		{"no python", at("nopython"), []string{"no python in it", "-m venv --clear"}},
		{"base gone", at("dangling"), []string{"/gone/python/bin", "is gone", "python3 -m venv --clear " + at("dangling")}},
		{"base gone, python given", at("dangling/bin/python"), []string{"is gone"}},
		{"base gone, uv", at("uvgone"), []string{"is gone", "uv venv --clear"}},
		{"broken link", at("loose"), []string{"symbolic link", "/gone/python"}},
		{"does not start", at("dead"), []string{"does not start", "exit status 1", "no encodings"}},
		{"no answer", at("mute"), []string{"gave no answer"}},
		{"nonsense", at("liar"), []string{"cannot be read"}},
		{"too old", at("old"), []string{"3.7.16", "3.8"}},
		{"a file", at("plain/file.txt"), []string{"no program"}},
		{"another program", at("program/notpython"), []string{"not a python"}},
		{"unset variable", "$NOT_SET_ANYWHERE/x", []string{"VENV_PATH", "NOT_SET_ANYWHERE", "not set"}},
		{"NUL", "/a\x00b", []string{"NUL"}},
		{"too long", "/" + strings.Repeat("x", 5000), []string{"name too long"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			env, err := newFinder(t).Resolve(t.Context(), Config{VenvPath: test.value})
			if err == nil {
				t.Fatalf("no error, but %+v", env)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestProbeTimeout(t *testing.T) {
	dir := t.TempDir()
	pyenvtest.Write(t, map[string]string{
		filepath.Join(dir, "pyvenv.cfg"):    "",
		filepath.Join(dir, "bin", "python"): "#!/bin/sh\nexec sleep 600\n",
	})
	f := newFinder(t, "PATH=/usr/bin:/bin")
	f.ProbeTimeout = 50 * time.Millisecond
	_, err := f.Resolve(t.Context(), Config{VenvPath: dir})
	var broken *BrokenError
	if !errors.As(err, &broken) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a BrokenError of a deadline", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the caller went away")
	cancel(cause)
	if _, err := f.Resolve(ctx, Config{VenvPath: dir}); !errors.Is(err, cause) {
		t.Errorf("got %v, want the caller's cause", err)
	}
}

func TestCommandQuotes(t *testing.T) {
	if got, want := host.CommandLine("pip", "install", "a>=1", "it's"), `pip install 'a>=1' 'it'\''s'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
