package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
)

// sandboxMeans are the means that make a sandbox, by name.
func sandboxMeans() map[string]struct {
	needs  func(*testing.T)
	launch func(t *testing.T, settings ...string) *program
} {
	return map[string]struct {
		needs  func(*testing.T)
		launch func(t *testing.T, settings ...string) *program
	}{
		"bubblewrap": {needsBubblewrap, func(t *testing.T, settings ...string) *program { return launch(t, settings...) }},
		"landlock": {needsLandlock, func(t *testing.T, settings ...string) *program {
			return launchMounted(t, withoutBubblewrap, append(settings, "SANDBOX_ALLOW_PARTIAL=on")...)
		}},
	}
}

// readsWhat is code that says which of the paths in a file it can read: JSON.
const readsWhat = `
import json, pathlib
def read(path):
    path = pathlib.Path(path)
    return b"SECRET" in (path / "key" if path.is_dir() else path).read_bytes()
def can(path):
    try: return read(path)
    except OSError: return False
def listed(path):
    try: return path.is_dir() and bool(list(path.iterdir()))
    except OSError: return False
print("READ" + json.dumps([p for p in json.load(open("paths.json")) if can(p) or listed(pathlib.Path(p))]))
`

// TestSandboxSecrets: every path that is taken for a secret, one a file and the next a
// directory, where the home has it and where a variable says that it is, can be read
// without a sandbox and not in one.
func TestSandboxSecrets(t *testing.T) {
	t.Parallel()
	home, work := t.TempDir(), t.TempDir()
	files, paths, settings := map[string]string{}, []string{}, append(inVenv(t), "HOME="+home, "WORK_DIR="+work)
	secret := func(path string) {
		if paths = append(paths, path); len(paths)%2 == 0 {
			path = filepath.Join(path, "key")
		}
		files[path] = "SECRET"
	}
	for _, name := range sandbox.Secrets() {
		secret(filepath.Join(home, name))
	}
	for variable, below := range sandbox.Moves() {
		place := filepath.Join(home, "elsewhere", variable)
		settings = append(settings, variable+"="+place)
		for _, name := range below {
			secret(filepath.Join(place, name))
		}
	}
	for variable, name := range map[string]string{"XDG_CONFIG_HOME": "opencode", "XDG_DATA_HOME": "keyrings", "XDG_CACHE_HOME": "huggingface/token"} {
		settings = append(settings, variable+"="+filepath.Join(home, variable))
		secret(filepath.Join(home, variable, name))
	}
	files[filepath.Join(work, "paths.json")] = jsonOf(t, paths)
	write(t, files)
	reads := func(t *testing.T, p *program) (read []string) {
		t.Helper()
		_, text, _ := strings.Cut(p.run(readsWhat).text(), "READ")
		if err := json.NewDecoder(strings.NewReader(text)).Decode(&read); err != nil {
			t.Fatal(err, text)
		}
		return read
	}
	if read := reads(t, launch(t, settings...)); !slices.Equal(read, paths) {
		t.Errorf("without a sandbox code reads %d of %d", len(read), len(paths))
	}
	for name, means := range sandboxMeans() {
		t.Run(name, func(t *testing.T) {
			means.needs(t)
			if read := reads(t, means.launch(t, append(settings, "SANDBOX=workspace")...)); len(read) > 0 {
				t.Errorf("in the sandbox code reads %q", read)
			}
		})
	}
}

// TestSandboxClientFiles: the file of each client that setup knows is a secret, wherever
// its variables say that it lies, and those that it reads in a project are protected.
func TestSandboxClientFiles(t *testing.T) {
	t.Parallel()
	home, work := t.TempDir(), t.TempDir()
	moved := map[string]string{}
	for variable := range sandbox.Moves() {
		moved[variable] = filepath.Join(home, "moved", variable)
	}
	moved["XDG_CONFIG_HOME"] = filepath.Join(home, "moved", "config")
	bwrap := filepath.Join(t.TempDir(), "bwrap")
	if err := os.WriteFile(bwrap, []byte("#!/bin/true\n"), 0o700); err != nil { // found, and not started
		t.Fatal(err)
	}
	for _, variables := range []map[string]string{nil, moved} {
		getenv := func(name string) string {
			if name == "HOME" {
				return home
			}
			return variables[name]
		}
		for _, c := range config.Clients() {
			files := c.Files(config.Here(getenv))
			there := map[string]string{files[0]: "SECRET"}
			for _, words := range files[1:] {
				name, _, _ := strings.Cut(words, " in a ")
				there[filepath.Join(work, name)] = "{}"
			}
			write(t, there)
			plan, err := sandbox.Rules{Level: sandbox.Workspace}.Plan(sandbox.Place{Home: home, WorkDir: work, Path: []string{filepath.Dir(bwrap)}, Variable: getenv})
			if err != nil {
				t.Fatal(err)
			}
			for path := range there {
				real, err := filepath.EvalSymlinks(path)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(slices.Concat(plan.Hide, plan.Protect), func(dir string) bool { return real == dir || strings.HasPrefix(real, dir+"/") }) {
					t.Errorf("%s: %s is neither hidden nor protected", c.Title, path)
				}
				os.Remove(path)
			}
		}
	}
}

// TestSandboxSettings: what each setting of the sandbox opens, by both means, and that the
// instructions follow SANDBOX.
func TestSandboxSettings(t *testing.T) {
	t.Parallel()
	const none = "There is no sandbox."
	if p := launch(t, inVenv(t)...); !strings.Contains(p.instructions, none) {
		t.Errorf("without a sandbox the instructions do not say so:\n%s", p.instructions)
	}
	for name, means := range sandboxMeans() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			means.needs(t)
			home, work := t.TempDir(), t.TempDir()
			in := func(name string) string { return filepath.Join(home, name) }
			write(t, map[string]string{in(".aws/config"): "region", in(".aws/sso/x"): "", in(".kube/config"): "SECRET", in("more/x"): "", in("denied/x"): "SECRET", in("open/x"): ""})
			if err := os.Symlink("/dev/null", in(".bash_history")); err != nil { // as people do who keep none
				t.Fatal(err)
			}
			python := filepath.Dir(filepath.Dir(pythons(t)[0]))
			p := means.launch(t, append(inVenv(t), "SANDBOX=workspace", "HOME="+home, "WORK_DIR="+work, "SERVICE_TOKEN=a", "OTHER_TOKEN=b", "AWS_PROFILE=c", "HISTFILE=/dev/null", "XDG_CACHE_HOME="+in(".cache"),
				"SANDBOX_ENV=SERVICE_*", "SANDBOX_READ="+python+":"+in(".aws"), "SANDBOX_WRITE="+in("more"), "SANDBOX_DENY="+in("denied"))...)
			if strings.Contains(p.instructions, none) || !strings.Contains(p.instructions, "A sandbox limits what it can write, read and reach") {
				t.Errorf("the instructions: %s", p.instructions)
			}
			r := p.call("execute_code", args{"code": "import os, pathlib\nhome = pathlib.Path.home()\n(home / 'more/made').write_text('x')\n(home / '.aws/config').read_text(), [os.environ.get(n) for n in ('SERVICE_TOKEN', 'OTHER_TOKEN', 'AWS_PROFILE')]"})
			has(t, r, "('region', ['a', None, None])", "2 of the server's variables, named like credentials, are not passed on (SANDBOX_ENV)")
			for _, code := range []string{"(home / 'denied/x').read_text()", "(home / '.kube/config').read_text() or 1/0", "(home / 'open/made').write_text('x')", "(home / '.aws/made').write_text('x')"} {
				has(t, p.call("execute_code", args{"code": code}), "[error ", "only the person who configures this server can allow it: ")
			}
			has(t, p.call("execute_code", args{"code": "import subprocess; open('/dev/null', 'w').write('x'), open('/dev/null').read(), subprocess.run('true', stdout=subprocess.DEVNULL).returncode"}), ": (1, '', 0)")
			has(t, p.call("execute_code", args{"code": "cache = pathlib.Path(os.environ['XDG_CACHE_HOME']); cache.mkdir(parents=True, exist_ok=True); (cache / 'x').write_text('x'); cache.is_relative_to(home)"}), ": False")
			if _, err := os.Stat(in("more/made")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSandboxLoopback: SANDBOX_NETWORK=loopback is an interface of the sandbox's own: code's
// client reaches code's server, and nothing outside.
func TestSandboxLoopback(t *testing.T) {
	t.Parallel()
	outside := listenAt(t, "tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	for name, means := range sandboxMeans() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			means.needs(t)
			p := means.launch(t, append(inVenv(t), "SANDBOX=workspace", "WORK_DIR="+t.TempDir(), "SANDBOX_NETWORK=loopback")...)
			r := p.call("execute_code", args{"code": "import socket\ns = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(s.getsockname()).getpeername()[0]"})
			if name == "landlock" {
				refused(t, name, r, "nothing was run", "no loopback interface of the sandbox's own", "SANDBOX_NETWORK=off")
				return
			}
			has(t, r, "[ok | ", "'127.0.0.1'")
			has(t, p.call("execute_code", args{"code": fmt.Sprintf("socket.create_connection(('127.0.0.1', %d))", outside)}), "[error ConnectionRefusedError", "SANDBOX_NETWORK=on")
		})
	}
}
