package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
)

// TestConfigStartsServer: what is printed, read in the shape of that client's
// file, starts the server with that client's bare environment.
func TestConfigStartsServer(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	here := map[string]string{"HOME": home, "VENV_PATH": filepath.Dir(filepath.Dir(pythons(t)[0])), "CODE_STORAGE_DIR": "~/my code <&> \"x\"", "HISTORY": "off"}
	getenv := func(name string) string { return here[name] }
	for _, c := range config.Clients() {
		t.Run(c.Name, func(t *testing.T) {
			var out, where bytes.Buffer
			if status := run(t.Context(), []string{"config", c.Name}, getenv, nil, &out, &where); status != 0 {
				t.Fatalf("status %d: %s", status, where.String())
			}
			if file := c.Files(config.Here(getenv))[0]; !filepath.IsAbs(file) || !strings.Contains(where.String(), file) {
				t.Errorf("%s does not say where it goes, %s", where.String(), file)
			}
			e := readEntry(t, c.Name, out.Bytes())
			if e.Command != exe || len(e.Args) > 0 {
				t.Errorf("command %q %q", e.Command, e.Args)
			}
			want := map[string]string{"VENV_PATH": here["VENV_PATH"], "CODE_STORAGE_DIR": filepath.Join(home, `my code <&> "x"`), "HISTORY": "off"}
			if !maps.Equal(e.Env, want) {
				t.Errorf("env %q", e.Env)
			}
			settings := []string{"HOME=" + home, "LOGNAME=me", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "SHELL=/bin/sh", "TERM=dumb", "USER=me"}
			for name, value := range e.Env {
				settings = append(settings, name+"="+value)
			}
			p := launch(t, settings...)
			has(t, p.call("get_environment_config", nil), `"works":true`, `"prefix":`+config.Quote(want["VENV_PATH"]), `"directory":`+config.Quote(want["CODE_STORAGE_DIR"]))
			if c.Name != "codex" { // they are all alike from here on
				return
			}
			if r := p.run("import os, sys; print(sys.prefix, os.getcwd())"); strings.TrimSpace(r.rest()) != want["VENV_PATH"]+" "+want["CODE_STORAGE_DIR"] {
				t.Errorf("%s", r.text())
			}
		})
	}
}

// readEntry reads the entry out of the client's file format.
func readEntry(t *testing.T, name string, file []byte) config.Entry {
	t.Helper()
	if name == "codex" {
		return readTOML(t, string(file))
	}
	if name == "opencode" {
		return readOpencode(t, file)
	}
	if name == "goose" {
		return readGoose(t, file)
	}
	key := "mcpServers"
	switch name {
	case "vscode":
		key = "servers"
	case "zed":
		key = "context_servers"
	}
	var content map[string]map[string]config.Entry
	if err := json.Unmarshal(file, &content); err != nil {
		t.Fatalf("%v in %s", err, file)
	}
	if len(content) != 1 || len(content[key]) != 1 {
		t.Fatalf("%s", file)
	}
	e := content[key][config.ServerName]
	if want := map[string]string{"vscode": "stdio", "claude-code": "stdio", "copilot": "local"}[name]; e.Type != want {
		t.Errorf("type %q, want %q", e.Type, want)
	}
	return e
}

// readGoose reads an entry of Goose, which is YAML with words of its own.
func readGoose(t *testing.T, file []byte) config.Entry {
	t.Helper()
	var content struct {
		Extensions map[string]struct {
			Type, Cmd string
			Enabled   bool
			Args      []string
			Envs      map[string]string
		}
	}
	if err := yaml.Unmarshal(file, &content); err != nil || len(content.Extensions) != 1 {
		t.Fatalf("%v in %s", err, file)
	}
	e := content.Extensions[config.ServerName]
	if e.Type != "stdio" || !e.Enabled {
		t.Fatalf("%s", file)
	}
	return config.Entry{Command: e.Cmd, Args: e.Args, Env: e.Envs}
}

// readOpencode reads an entry of opencode, whose command is a list.
func readOpencode(t *testing.T, file []byte) config.Entry {
	t.Helper()
	var content struct {
		MCP map[string]struct {
			Type        string
			Command     []string
			Environment map[string]string
		}
	}
	if err := json.Unmarshal(file, &content); err != nil || len(content.MCP) != 1 {
		t.Fatalf("%v in %s", err, file)
	}
	e := content.MCP[config.ServerName]
	if e.Type != "local" || len(e.Command) == 0 {
		t.Fatalf("%s", file)
	}
	return config.Entry{Command: e.Command[0], Args: e.Command[1:], Env: e.Environment}
}

// TestConfigWorkDir: where the client has a word for the project it is WORK_DIR,
// unless a directory is chosen; no other entry names one.
func TestConfigWorkDir(t *testing.T) {
	for _, c := range config.Clients() {
		for _, set := range []string{"", "WORK_DIR", "CODE_STORAGE_DIR"} {
			var out, errs bytes.Buffer
			getenv := func(name string) string { return map[string]string{"HOME": "/home/me", set: "/chosen"}[name] }
			if status := run(t.Context(), []string{"config", c.Name}, getenv, nil, &out, &errs); status != 0 {
				t.Fatalf("status %d: %s", status, errs.String())
			}
			e := readEntry(t, c.Name, out.Bytes())
			want := map[string]string{}
			switch {
			case set != "":
				want[set] = "/chosen"
			case c.Name == "vscode" || c.Name == "cursor":
				want["WORK_DIR"] = "${workspaceFolder}"
			}
			if !maps.Equal(e.Env, want) {
				t.Errorf("%s with %s: %q", c.Name, set, e.Env)
			}
		}
	}
}

// readTOML reads the little TOML that is printed: tables and strings.
func readTOML(t *testing.T, file string) config.Entry {
	t.Helper()
	e := config.Entry{Env: map[string]string{}}
	table := ""
	line := regexp.MustCompile(`^([A-Za-z_]+) = (".*"|\d+)$`)
	for text := range strings.Lines(file) {
		text = strings.TrimSpace(text)
		if m := line.FindStringSubmatch(text); m != nil && m[2][0] == '"' {
			var value string
			if err := json.Unmarshal([]byte(m[2]), &value); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if table == "[mcp_servers.python.env]" {
				e.Env[m[1]] = value
			} else if m[1] == "command" {
				e.Command = value
			}
		} else if list, ok := strings.CutPrefix(text, "args = "); ok { // TOML's arrays of strings are JSON's
			if err := json.Unmarshal([]byte(list), &e.Args); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		} else if strings.HasPrefix(text, "[") {
			table = text
		} else if text != "" && m == nil {
			t.Fatalf("not TOML: %s", text)
		}
	}
	return e
}

// TestConfigUnknownClient: one line that names the known ones.
func TestConfigUnknownClient(t *testing.T) {
	for _, args := range [][]string{{"emacs"}, nil, {"cursor", "vscode"}} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), append([]string{"config"}, args...), func(string) string { return "" }, nil, &out, &errs); status != exitUsage || out.Len() > 0 {
			t.Errorf("%q: status %d, %s", args, status, out.String())
		}
		if strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "claude-desktop, cursor, vscode, windsurf, zed, cline, claude-code, codex, gemini, qwen, opencode, copilot, goose") {
			t.Errorf("%q: %s", args, errs.String())
		}
	}
}

// TestConfigSaysWhere: the entry is a part of a file with other content.
func TestConfigSaysWhere(t *testing.T) {
	home := t.TempDir()
	for client, file := range map[string]string{"claude-code": ".claude.json", "gemini": ".gemini/settings.json"} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), []string{"config", client}, func(name string) string { return map[string]string{"HOME": home}[name] }, nil, &out, &errs); status != 0 {
			t.Errorf("%s: status %d", client, status)
		}
		if said := errs.String(); !strings.Contains(said, "add this to ") || !strings.Contains(said, file) || !strings.Contains(said, "keep what else is in the file") {
			t.Errorf("%s: %s", client, said)
		}
	}
}

// TestConfigSSH: the entry for a server on another machine starts it there with the
// settings, through a shell that splits its command line, as sshd's does.
func TestConfigSSH(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home, bin := t.TempDir(), t.TempDir()
	there := filepath.Join(home, "bin", "mcp-code-executor") // not on PATH
	if err := os.Mkdir(filepath.Dir(there), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, there); err != nil {
		t.Fatal(err)
	}
	// It has the options before the host, and hands over no variables.
	fake := `#!/bin/sh
[ "$1 $2 $3 $4 $5" = "-T -o BatchMode=yes -o ServerAliveInterval=15" ] || exit 254
[ "$6" = ana@bigbox ] || { echo "ssh: Could not resolve hostname $6" >&2; exit 255; }
shift 6
echo "Welcome to bigbox"
cd /; exec env -i HOME='` + home + `' PATH=/usr/bin:/bin MCE_TEST_SERVER=1 GORACE=atexit_sleep_ms=0 /bin/sh -c "$*"
`
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	work := filepath.Join(home, `it's "my" $HOME`)
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range config.Clients() {
		var out, errs bytes.Buffer
		args := []string{"config", c.Name, "--ssh", "ana@bigbox", "--work-dir", work, "--venv-path", "~/env"}
		if status := run(t.Context(), args, func(string) string { return "" }, nil, &out, &errs); status != 0 {
			t.Fatalf("%s: status %d: %s", c.Name, status, errs.String())
		}
		if !strings.Contains(errs.String(), "--keep 8h") {
			t.Errorf("%s: nothing about KEEP: %s", c.Name, errs.String())
		}
		if c.Name != "claude-desktop" && c.Name != "codex" {
			continue
		}
		e := readEntry(t, c.Name, out.Bytes())
		if e.Command != filepath.Join(bin, "ssh") || len(e.Env) > 0 {
			t.Errorf("%s: %+v", c.Name, e)
		}
		p := prepare(t)
		p.cmd.Path, p.cmd.Args = e.Command, append([]string{e.Command}, e.Args...)
		p.chatter = "Welcome to bigbox\n"
		p.start()
		p.shakeHands()
		has(t, p.call("get_environment_config", nil), `"chosen_by":"WORK_DIR"`, filepath.Join(home, "env"), `"directory":`+config.Quote(work))
	}
	for host, part := range map[string]string{
		"elsewhere":        "asking elsewhere where mcp-code-executor is: ssh: Could not resolve hostname elsewhere",
		"-oProxyCommand=x": "give a host as ssh takes it",
		"":                 "give a host as ssh takes it",
	} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), []string{"config", "codex", "--ssh=" + host}, func(string) string { return "" }, nil, &out, &errs); status != 1 || !strings.Contains(errs.String(), part) || out.Len() > 0 {
			t.Errorf("%q: status %d: %s%s", host, status, out.String(), errs.String())
		}
	}
}
