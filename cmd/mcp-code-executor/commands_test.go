package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// commandLine runs a command line without any variable.
func commandLine(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return commandLineIn(t, func(string) string { return "" }, args...)
}

// commandLineIn runs a command line with variables.
func commandLineIn(t *testing.T, getenv func(string) string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, getenv, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// TestWrongCommandLine: what is no command, flag or argument is refused in one
// line that names it, what may have been meant, and where to read on.
func TestWrongCommandLine(t *testing.T) {
	for line, parts := range map[string][]string{
		"docter":               {`unknown command "docter"`, "did you mean doctor?", "see mcp-code-executor --help"},
		"run":                  {`unknown command "run"`},
		"serve":                {"say where to listen", "--http 127.0.0.1:8765"},
		"--histroy off":        {"unknown flag --histroy", "did you mean --history?"},
		"--history":            {"needs an argument", "--history"},
		"-x":                   {"-x"},
		"help doctr":           {`"doctr"`, "did you mean doctor?"},
		"doctor now":           {`unknown argument "now"`, "see mcp-code-executor doctor --help"},
		"doctor --jso":         {"unknown flag --jso", "did you mean --json?"},
		"doctor --quick":       {"unknown flag --quick"},
		"doctor --env poetry=": {`"poetry="`, "conda=NAME, venv=PATH or venv-uv=PATH"},
		"doctor --env venv":    {`"venv"`, "conda=NAME, venv=PATH or venv-uv=PATH"},
		"config":               {"give one client", "claude-desktop, cursor, vscode, windsurf"},
		"config emacs":         {`unknown client "emacs"`, "claude-desktop, cursor, vscode, windsurf"},
		"config cursr":         {"did you mean cursor?"},
		"config cursor vscode": {"give one client"},
		"setup emacs":          {`unknown client "emacs"`, "claude-desktop, cursor, vscode"},
		"setup cursr":          {"did you mean cursor?"},
		"setup --dryrun":       {"unknown flag --dryrun", "did you mean --dry-run?"},
		"environment delete":   {`unknown argument "delete"`, "remove"},
		"version 2":            {`unknown argument "2"`},
		"completion":           {"give one shell", "bash, zsh, fish, powershell"},
		"completion zhs":       {`unknown shell "zhs"`, "did you mean zsh?"},
		"--json":               {"--json is for --version"},
	} {
		status, out, errs := commandLine(t, strings.Fields(line)...)
		if status != exitUsage || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d\n%s%s", line, status, out, errs)
		}
		for _, part := range parts {
			if !strings.Contains(errs, part) {
				t.Errorf("%s: %q is missing in %s", line, part, errs)
			}
		}
	}
}

// TestHelp: each way to ask for help prints to stdout, each command is in
// it, each setting in that of the settings, and it fits a terminal of 80 columns, the first page 24 lines.
func TestHelp(t *testing.T) {
	_, first, _ := commandLine(t, "--help")
	for _, args := range [][]string{{"help"}, {"-h"}, {"--history", "off", "help"}} {
		if status, out, errs := commandLine(t, args...); status != 0 || out != first || errs != "" {
			t.Errorf("%q: status %d, %s%s", args, status, out, errs)
		}
	}
	if n := strings.Count(first, "\n"); n > 24 {
		t.Errorf("--help has %d lines", n)
	}
	all := first
	for _, c := range (&app{}).root().Commands() {
		if !strings.Contains(first, "\n  "+c.Name()) || c.Short == "" || c.Long == "" {
			t.Errorf("--help does not tell of %s", c.Name())
		}
		_, text, _ := commandLine(t, c.Name(), "--help")
		status, same, errs := commandLine(t, "help", c.Name())
		if status != 0 || same != text || !strings.Contains(text, "usage: mcp-code-executor "+c.Use) || errs != "" {
			t.Errorf("help %s: status %d\n%s%s--help:\n%s", c.Name(), status, same, errs, text)
		}
		all += text
	}
	if !strings.Contains(first, "\n  WORK_DIR CODE_STORAGE_DIR ENV_TYPE ") {
		t.Errorf("--help names no settings:\n%s", first)
	}
	_, explained, _ := commandLine(t, "help", "settings")
	for _, s := range settings.Table() {
		if !strings.Contains(explained, "\n  "+s.Name+" ") {
			t.Errorf("help does not tell of %s", s.Name)
		}
	}
	for line := range strings.Lines(all + explained) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// TestVersion: three ways to ask for the same line.
func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "--version", "-v"} {
		if status, out, errs := commandLine(t, arg); status != 0 || out != versionLine()+"\n" || errs != "" {
			t.Errorf("%s: status %d, %s%s", arg, status, out, errs)
		}
	}
}

// TestVersionJSON: one line that a program can read, from both ways to ask.
func TestVersionJSON(t *testing.T) {
	for _, args := range [][]string{{"--version", "--json"}, {"version", "--json"}} {
		status, out, errs := commandLine(t, args...)
		var b build
		if err := json.Unmarshal([]byte(out), &b); err != nil || status != 0 || errs != "" || strings.Count(out, "\n") != 1 {
			t.Fatalf("%q: status %d, %v, %s%s", args, status, err, out, errs)
		}
		if b.Version != version || b.Go != runtime.Version() || b.OS != runtime.GOOS || b.Arch != runtime.GOARCH {
			t.Errorf("%+v", b)
		}
	}
}

// TestCompletion: each shell's script is there, and the shell takes it where it is
// installed. What the script asks the program are commands, clients, flags, and the
// words of a setting.
func TestCompletion(t *testing.T) {
	for _, shell := range shells() {
		status, script, errs := commandLine(t, "completion", shell)
		if status != 0 || !strings.Contains(script, "mcp-code-executor") || errs != "" {
			t.Errorf("%s: status %d, %s", shell, status, errs)
		}
		installed, err := exec.LookPath(shell)
		if err != nil || shell == "powershell" { // which has no way to read without running
			continue
		}
		check := exec.Command(installed, "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	for line, want := range map[string]string{
		"se": "setup", "setup cur": "cursor", "config ze": "zed", "doctor --f": "--fix", "completion f": "fish",
		"--kernel-install ": "sidecar", "--history o": "off", "--log-level ": "debug",
	} {
		status, out, _ := commandLine(t, append([]string{"__complete"}, strings.Split(line, " ")...)...)
		if status != 0 || !strings.Contains("\n"+out, "\n"+want) {
			t.Errorf("%q completes to\n%s", line, out)
		}
	}
}

// TestManPage: it has every command and setting, and man's own checker finds nothing
// in it to complain of, where there is one.
func TestManPage(t *testing.T) {
	status, page, errs := commandLine(t, "help", "man")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, %s", status, errs)
	}
	for _, c := range (&app{}).root().Commands() {
		if !strings.Contains(page, "\n.B "+roff(c.Use)+"\n") {
			t.Errorf("the manual page does not tell of %s", c.Name())
		}
	}
	for _, s := range settings.Table() {
		if !strings.Contains(page, ".BR "+s.Name+" ") || !strings.Contains(page, roff("--"+s.Flag())) {
			t.Errorf("the manual page does not tell of %s", s.Name)
		}
	}
	if groff, err := exec.LookPath("groff"); err == nil {
		check := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		check.Stdin = strings.NewReader(page)
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff: %v\n%s", err, out)
		}
	}
}
