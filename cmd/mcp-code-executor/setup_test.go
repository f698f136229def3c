package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config/edit"
)

// setUp runs setup in a home, without the doctor, and returns the status and what it
// said.
func setUp(t *testing.T, home string, variables map[string]string, args ...string) (status int, said string) {
	t.Helper()
	var out bytes.Buffer
	getenv := func(name string) string {
		if name == "HOME" {
			return home
		}
		return variables[name]
	}
	status = run(t.Context(), append([]string{"setup", "--no-doctor"}, args...), getenv, strings.NewReader(""), &out, &out)
	return status, out.String()
}

// putFile puts a file into a home.
func putFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
}

func getFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fileIn is a client's file in a home, with no other variable set.
func fileIn(c config.Client, home string) string {
	return c.Files(config.Here(variables(map[string]string{"HOME": home})))[0]
}

func variables(of map[string]string) func(string) string {
	return func(name string) string { return of[name] }
}

// busyFile is a file of a client with another server, comments and settings.
func busyFile(c config.Client) string {
	switch c.Format {
	case edit.TOML:
		return "# mine\nmodel = \"m\"\n\n[" + c.Table + ".other]\ncommand = \"x\" # needed\n"
	case edit.YAML:
		return "# mine\nGOOSE_MODEL: m\n" + c.Table + ":\n  other: # needed\n    cmd: x\n    enabled: false\n"
	}
	return "// mine\n{\n    \"theme\": \"dark\", /* at night */\n    \"" + c.Table + "\": {\n        \"other\": {\"command\": \"x\"} // needed\n    }\n}\n"
}

// TestSetupClients: for each client from nothing and into a file that is in use; the
// second time nothing changes; --remove leads back.
func TestSetupClients(t *testing.T) {
	variables := map[string]string{"VENV_PATH": "/venv", "HISTORY": "off"}
	for _, c := range config.Clients() {
		for name, before := range map[string]string{"nothing": "", "a file in use": busyFile(c)} {
			home := t.TempDir()
			path := fileIn(c, home)
			if before != "" {
				putFile(t, path, before)
			}
			status, said := setUp(t, home, variables, c.Name, "--yes")
			after := getFile(t, path)
			servers, err := edit.Table(c.Format, []byte(after), c.Table)
			if status != 0 || err != nil || servers[config.ServerName] == nil || !strings.Contains(said, "+") || !strings.Contains(said, "wrote "+path) {
				t.Errorf("%s, %s: status %d, %v\n%s%s", c.Name, name, status, err, said, after)
				continue
			}
			for _, part := range []string{"/venv", "mine", "needed", "other"} {
				if strings.Contains(before, part) || part == "/venv" {
					if !strings.Contains(after, part) {
						t.Errorf("%s, %s: %s is not in\n%s", c.Name, name, part, after)
					}
				}
			}
			if status, said := setUp(t, home, variables, c.Name, "--yes"); status != 0 || getFile(t, path) != after || !strings.Contains(said, "is as it should be") {
				t.Errorf("%s, %s, the second time: status %d\n%s", c.Name, name, status, said)
			}
			status, said = setUp(t, home, variables, c.Name, "--yes", "--remove")
			if removed := getFile(t, path); status != 0 || strings.Contains(removed, "/venv") || before != "" && removed != before {
				t.Errorf("%s, %s, removed: status %d\n%s%s", c.Name, name, status, said, removed)
			}
			backups, _ := filepath.Glob(path + ".backup-*")
			if want := map[bool]int{true: 2, false: 1}[before != ""]; len(backups) != want {
				t.Errorf("%s, %s: backups %q", c.Name, name, backups)
			} else if before != "" && getFile(t, backups[0]) != before {
				t.Errorf("%s: the backup is not what was there", c.Name)
			}
		}
	}
}

// TestSetupRefused: what is not written, and that it is then as before: a broken
// file, a read-only one, a link to nothing, without an answer, --dry-run.
func TestSetupRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args    []string
		prepare func(t *testing.T, path string)
		status  int
		parts   []string
	}{
		"broken":       {[]string{"--yes"}, func(t *testing.T, path string) { putFile(t, path, `{"mcpServers": {`) }, 1, []string{"was not changed", "mcp-code-executor config cursor"}},
		"another kind": {[]string{"--yes"}, func(t *testing.T, path string) { putFile(t, path, `{"mcpServers": []}`) }, 1, []string{"was not changed", `"mcpServers" is no table`}},
		"read-only":    {[]string{"--yes"}, func(t *testing.T, path string) { putFile(t, path, "{}"); must(t, os.Chmod(path, 0o440)) }, 1, []string{"read-only", "chmod u+w"}},
		"a link to none": {[]string{"--yes"}, func(t *testing.T, path string) {
			putFile(t, path, "{}")
			must(t, os.Remove(path))
			must(t, os.Symlink("/nowhere/x", path))
		}, 1, []string{"symbolic link to /nowhere/x"}},
		"a directory":   {[]string{"--yes"}, func(t *testing.T, path string) { must(t, os.MkdirAll(path, 0o755)) }, 1, []string{"is no file of a configuration"}},
		"nobody to ask": {nil, func(t *testing.T, path string) { putFile(t, path, "{}\n") }, 1, []string{"not written", "--yes", "+"}},
		"only shown":    {[]string{"--dry-run"}, func(t *testing.T, path string) { putFile(t, path, "{}\n") }, 0, []string{"+  \"mcpServers\": {"}},
		"nothing is ours": {[]string{"--remove", "--yes"}, func(t *testing.T, path string) {
			putFile(t, path, `{"mcpServers": {"python": {"command": "python3"}}}`)
		}, 0, []string{"is as it should be"}},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			path := filepath.Join(home, ".cursor", "mcp.json")
			test.prepare(t, path)
			before, _ := os.ReadFile(path)
			status, said := setUp(t, home, nil, append([]string{"cursor"}, test.args...)...)
			if after, _ := os.ReadFile(path); status != test.status || !bytes.Equal(before, after) {
				t.Errorf("status %d\n%s\nfile: %s", status, said, after)
			}
			for _, part := range test.parts {
				if !strings.Contains(said, part) {
					t.Errorf("%q is missing in\n%s", part, said)
				}
			}
			if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
				t.Errorf("something was left: %v, %v", entries, err)
			}
		})
	}
}

// brokenFile is a file of a client that no reader of its format takes.
func brokenFile(c config.Client) string {
	switch c.Format {
	case edit.TOML:
		return "[" + c.Table + ".other\ncommand = \"x\"\n"
	case edit.YAML:
		return c.Table + ": {other: [\n"
	}
	return "{\"" + c.Table + "\": {"
}

// TestSetupRefusedEach: no client's file is touched that is broken or read-only, and a
// linked one is written where it lies.
func TestSetupRefusedEach(t *testing.T) {
	t.Parallel()
	for _, c := range config.Clients() {
		for name, test := range map[string]struct {
			before string
			mode   os.FileMode
			linked bool
			status int
			says   string
		}{
			"broken":    {brokenFile(c), 0o640, false, 1, "was not changed"},
			"read-only": {busyFile(c), 0o440, false, 1, "read-only"},
			"linked":    {busyFile(c), 0o640, true, 0, "wrote "},
		} {
			home, dotfiles := t.TempDir(), t.TempDir()
			path := fileIn(c, home)
			lies := path
			if test.linked {
				lies = filepath.Join(dotfiles, filepath.Base(path))
				must(t, os.MkdirAll(filepath.Dir(path), 0o755))
				must(t, os.Symlink(lies, path))
			}
			putFile(t, lies, test.before)
			must(t, os.Chmod(lies, test.mode))
			status, said := setUp(t, home, map[string]string{"VENV_PATH": "/venv"}, c.Name, "--yes")
			after := getFile(t, lies)
			if status != test.status || !strings.Contains(said, test.says) || (status != 0) != (after == test.before) {
				t.Errorf("%s, %s: status %d\n%s\n%s", c.Name, name, status, said, after)
			}
			info, err := os.Lstat(path)
			if err != nil || test.linked != (info.Mode()&os.ModeSymlink != 0) {
				t.Errorf("%s, %s: %v, %v", c.Name, name, info, err)
			}
			if entries, err := os.ReadDir(filepath.Dir(path)); test.status != 0 && (err != nil || len(entries) != 1) {
				t.Errorf("%s, %s: something was left: %v, %v", c.Name, name, entries, err)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSetupLink: a file behind a symbolic link is written where it lies; link and
// rights stay.
func TestSetupLink(t *testing.T) {
	home, dotfiles := t.TempDir(), t.TempDir()
	target, path := filepath.Join(dotfiles, "mcp.json"), filepath.Join(home, ".cursor", "mcp.json")
	putFile(t, target, "{}\n")
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.Symlink(target, path))
	if status, said := setUp(t, home, nil, "cursor", "--yes"); status != 0 {
		t.Fatalf("status %d\n%s", status, said)
	}
	link, err := os.Readlink(path)
	info, err2 := os.Stat(target)
	if err != nil || err2 != nil || link != target || info.Mode().Perm() != 0o640 || !strings.Contains(getFile(t, target), config.ServerName) {
		t.Errorf("%q, %v, %v, %v\n%s", link, info, err, err2, getFile(t, target))
	}
}

// TestSetupMissing: an environment that is not there is told where no doctor tells it,
// and its entry is written or shown all the same.
func TestSetupMissing(t *testing.T) {
	there, gone := t.TempDir(), filepath.Join(t.TempDir(), "gone")
	for _, test := range []struct {
		flag, path string
		warned     bool
	}{{"--dry-run", gone, true}, {"--dry-run", there, false}, {"--no-doctor", gone, true}} {
		status, said := setUp(t, t.TempDir(), map[string]string{"VENV_PATH": test.path}, "gemini", "--yes", test.flag)
		if status != 0 || strings.Contains(said, "warning: VENV_PATH="+test.path+" is not there") != test.warned || !strings.Contains(said, "settings.json") {
			t.Errorf("%s %s: status %d\n%s", test.flag, test.path, status, said)
		}
	}
}

// TestSetupEntries: another server called python keeps its name; an entry of ours is
// changed and no second one made; settings in it stay, of environments the new one.
func TestSetupEntries(t *testing.T) {
	for name, test := range map[string]struct {
		before    string
		variables map[string]string
		want      map[string]any // name → env, of all servers
	}{
		"taken": {`{"mcpServers": {"python": {"command": "python3", "args": ["server.py"]}}}`, map[string]string{"VENV_PATH": "/v"},
			map[string]any{"python": nil, "mcp-code-executor": map[string]any{"VENV_PATH": "/v"}}},
		"by npx, under another name": {`{"mcpServers": {"repl": {"command": "npx", "args": ["-y", "mcp-code-executor"], "env": {"CONDA_ENV_NAME": "ml", "LOG_LEVEL": "debug", "MY_KEY": "k"}}}}`, map[string]string{"VENV_PATH": "/v"},
			map[string]any{"repl": map[string]any{"VENV_PATH": "/v", "LOG_LEVEL": "debug", "MY_KEY": "k"}}},
		"nothing is given anew": {`{"mcpServers": {"python": {"command": "/old/mcp-code-executor", "env": {"CONDA_ENV_NAME": "ml"}}}}`, nil,
			map[string]any{"python": map[string]any{"CONDA_ENV_NAME": "ml"}}},
	} {
		home := t.TempDir()
		path := filepath.Join(home, ".gemini", "settings.json")
		putFile(t, path, test.before)
		if status, said := setUp(t, home, test.variables, "gemini", "--yes"); status != 0 {
			t.Fatalf("%s: status %d\n%s", name, status, said)
		}
		servers, err := edit.Table(edit.JSON, []byte(getFile(t, path)), "mcpServers")
		if err != nil || len(servers) != len(test.want) {
			t.Errorf("%s: %v, %v", name, servers, err)
		}
		for server, env := range test.want {
			got := servers[server].(map[string]any)
			if want, ok := env.(map[string]any); ok && !sameMap(got["env"].(map[string]any), want) {
				t.Errorf("%s: %v", name, got)
			}
			if args, _ := got["args"].([]any); env != nil && len(args) > 0 {
				t.Errorf("%s: arguments of the old command are left: %v", name, got)
			}
		}
	}
}

func sameMap(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// TestSetupFinds: without a name those are set up that are here, by their directory
// or their program; and the environment that is likely meant is taken and told.
func TestSetupFinds(t *testing.T) {
	home, bin := t.TempDir(), t.TempDir()
	putFile(t, filepath.Join(home, ".codex", "auth.json"), "{}")
	putFile(t, filepath.Join(home, ".claude", "x"), "")
	putFile(t, filepath.Join(home, ".venv", "pyvenv.cfg"), "")
	putFile(t, filepath.Join(bin, "goose"), "#!/bin/sh\n")
	must(t, os.Chmod(filepath.Join(bin, "goose"), 0o755))
	venv := filepath.Join(home, ".venv")
	status, said := setUp(t, home, map[string]string{"PATH": bin, "VIRTUAL_ENV": venv}, "--yes")
	var found []string
	for _, c := range config.Clients() {
		if b, err := os.ReadFile(fileIn(c, home)); err == nil {
			found = append(found, c.Name)
			if !strings.Contains(string(b), venv) {
				t.Errorf("%s: %s", c.Name, b)
			}
		}
	}
	if status != 0 || !slices.Equal(found, []string{"claude-code", "codex", "goose"}) || !strings.Contains(said, "Environment: the active "+venv) {
		t.Errorf("status %d, %q\n%s", status, found, said)
	}
	if status, said := setUp(t, t.TempDir(), nil, "--yes"); status != 1 || !strings.Contains(said, "No client was found") {
		t.Errorf("status %d\n%s", status, said)
	}
}

// TestSetupMoved: where a client reads a variable for the place of its files, setup
// looks there for the client, and writes there.
func TestSetupMoved(t *testing.T) {
	for name, test := range map[string]struct{ client, variable, file string }{
		"Claude Code":              {"claude-code", "CLAUDE_CONFIG_DIR", ".claude.json"},
		"Codex":                    {"codex", "CODEX_HOME", "config.toml"},
		"Gemini CLI":               {"gemini", "GEMINI_CLI_HOME", ".gemini/settings.json"},
		"Qwen Code":                {"qwen", "QWEN_HOME", "settings.json"},
		"Copilot CLI":              {"copilot", "COPILOT_HOME", "mcp-config.json"},
		"opencode":                 {"opencode", "XDG_CONFIG_HOME", "opencode/opencode.json"},
		"Goose":                    {"goose", "XDG_CONFIG_HOME", "goose/config.yaml"},
		"Goose, a tree of its own": {"goose", "GOOSE_PATH_ROOT", "config/config.yaml"},
		"VS Code, portable":        {"vscode", "VSCODE_PORTABLE", "user-data/User/mcp.json"},
		"VS Code, its own":         {"vscode", "VSCODE_APPDATA", "Code/User/mcp.json"},
		"Cline":                    {"cline", "CLINE_DIR", "data/settings/cline_mcp_settings.json"},
		"Cline, its data":          {"cline", "CLINE_DATA_DIR", "settings/cline_mcp_settings.json"},
		"Cline, the file":          {"cline", "CLINE_MCP_SETTINGS_PATH", ""},
	} {
		home, place := t.TempDir(), filepath.Join(t.TempDir(), "moved")
		file := filepath.Join(place, filepath.FromSlash(test.file))
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		moved := map[string]string{test.variable: place, "VENV_PATH": "/venv"}
		status, said := setUp(t, home, moved, "--yes") // no client is named: it is found
		if status != 0 || !strings.Contains(said, "wrote "+file) {
			t.Errorf("%s: status %d\n%s", name, status, said)
			continue
		}
		if status, said := setUp(t, home, moved, test.client, "--yes", "--remove"); status != 0 || strings.Contains(getFile(t, file), "/venv") {
			t.Errorf("%s, removed: status %d\n%s", name, status, said)
		}
		if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
			t.Errorf("%s: written into the home: %v, %v", name, left, err)
		}
	}
}

// TestSetupDoctor: what was written works: the doctor runs it as the client does.
func TestSetupDoctor(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	cmd := exec.Command(testProgram(t), "setup", "codex", "--yes")
	cmd.Env = append([]string{"HOME=" + home, "PATH=/usr/bin:/bin"}, inVenv(t)...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Trying it as Codex does:") || !strings.Contains(string(out), pythons(t)[0]) {
		t.Errorf("%v\n%s", err, out)
	}
}
