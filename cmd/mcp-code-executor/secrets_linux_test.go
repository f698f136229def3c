package main

import (
	"encoding/json"
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
