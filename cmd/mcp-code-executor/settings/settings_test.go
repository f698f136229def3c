package settings

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// variables is a getenv.
func variables(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// TestValues: each setting with its legal words, the usual words for off and on,
// blanks, other case, and wrong ones. What is wrong is a problem, and for a
// setting about rights or privacy it means the side that allows less.
func TestValues(t *testing.T) {
	offs := []string{"off", "no", "false", "0", "never", "none", "disabled", "OFF", "False", "off ", "\tNo\n"}
	ons := []string{"on", "yes", "true", "1", "enabled", "ON", " True "}
	none := []string{"", " ", "\t\n"}
	wrong := []string{"perhaps", "offf", "-1", "on off", "ö"}
	type row struct {
		setting string
		values  []string
		want    any
		wrong   bool
	}
	text := func(values ...string) []string { return values }
	for _, test := range []row{
		{"WORK_DIR", none, "", false},
		{"WORK_DIR", text(" ~/shop ", "~/shop"), "~/shop", false},
		{"WORK_DIR", text("${workspaceFolder}", "${PWD}/x"), "", true},
		{"CODE_STORAGE_DIR", none, "", false},
		{"CODE_STORAGE_DIR", text(" ~/code ", "~/code"), "~/code", false},
		{"ENV_TYPE", none, "", false},
		{"ENV_TYPE", text("poetry", "off", "perhaps", "venv uv"), "", true},
		{"ENV_TYPE", text("venv", "VENV ", "conda", "venv-uv"), "", true}, // and its place is not set
		{"CONDA_ENV_NAME", text(" ml ", "ml"), "ml", false},
		{"VENV_PATH", text(" /a b/c "), "/a b/c", false},
		{"UV_VENV_PATH", text("~/x\n"), "~/x", false},
		{"INSTALL", append(none, "auto", "Auto "), "auto", false},
		{"INSTALL", ons, "auto", false},
		{"INSTALL", offs, "never", false},
		{"INSTALL", wrong, "never", true},
		{"KERNEL_INSTALL", none, "auto", false},
		{"KERNEL_INSTALL", append(ons, "auto", "Auto "), "auto", false},
		{"KERNEL_INSTALL", text("env", " ENV"), "env", false},
		{"KERNEL_INSTALL", text("sidecar", "Sidecar"), "sidecar", false},
		{"KERNEL_INSTALL", offs, "never", false},
		{"KERNEL_INSTALL", wrong, "never", true},
		{"UV_INSTALL", append(none, "auto", "AUTO"), "auto", false},
		{"UV_INSTALL", ons, "auto", false},
		{"UV_INSTALL", offs, "never", false},
		{"UV_INSTALL", wrong, "never", true},
		{"ENV_DENY", none, "", false},
		{"ENV_DENY", text(" AWS_*, GITHUB_TOKEN "), "AWS_*, GITHUB_TOKEN", false},
		{"ENV_DENY", text("[x-", "A*, [b-"), "", true},
		{"HISTORY", append(none, ons...), true, false},
		{"HISTORY", offs, false, false},
		{"HISTORY", wrong, false, true},
		{"NOTEBOOK", append(none, offs...), "", false},
		{"NOTEBOOK", append(ons, "."), ".", false},
		{"NOTEBOOK", append(wrong, "${workspaceFolder}/x"), "", true},
		{"NOTEBOOK", text(" ~/notebooks ", "~/notebooks"), "~/notebooks", false},
		{"NOTEBOOK", text("./notebooks"), "./notebooks", false},
		{"RECORD_LIMIT", append(none, "512MiB", " 512 mb", "512M"), int64(512 << 20), false},
		{"RECORD_LIMIT", offs, int64(0), false},
		{"RECORD_LIMIT", text("2GiB", "2g", "2048 MiB"), int64(2 << 30), false},
		{"RECORD_LIMIT", text("1024k"), int64(1 << 20), false},
		{"RECORD_LIMIT", append(wrong, "512", "1KiB", "b", "ib", "MiB", "-5MiB", "1.5GiB", "99999999T", "on"), int64(512 << 20), true},
		{"MEMORY_LIMIT", append(none, offs...), int64(0), false},
		{"MEMORY_LIMIT", text("8GiB", " 8 gb", "8G", "8192M"), int64(8 << 30), false},
		{"MEMORY_LIMIT", append(wrong, "8", "1MiB", "127MB", "8GiBs", "1.5GiB", "on", "-8GiB"), int64(0), true},
		{"FILE_SIZE_LIMIT", append(none, offs...), int64(0), false},
		{"FILE_SIZE_LIMIT", text("1MiB", "1024K"), int64(1 << 20), false},
		{"FILE_SIZE_LIMIT", append(wrong, "100", "1KiB", "on"), int64(0), true},
		{"CPU_LIMIT", append(none, offs...), 0.0, false},
		{"CPU_LIMIT", text("1.5", " 1.5 "), 1.5, false},
		{"CPU_LIMIT", append(wrong, "0.01", "NaN", "inf", "50%", "2 cores", "on", "5000"), 0.0, true},
		{"PROCESS_LIMIT", append(none, offs...), 0, false},
		{"PROCESS_LIMIT", text("50"), 50, false},
		{"PROCESS_LIMIT", append(wrong, "0.5", "-3", "50 processes", "99999999999"), 0, true},
		{"PRELUDE", append(none, ons...), true, false},
		{"PRELUDE", offs, false, false},
		{"PRELUDE", wrong, true, true},
		{"SESSION_IDLE_LIMIT", append(none, offs...), time.Duration(0), false},
		{"SESSION_IDLE_LIMIT", text("30m", " 30M "), 30 * time.Minute, false},
		{"SESSION_IDLE_LIMIT", text("2h"), 2 * time.Hour, false},
		{"SESSION_IDLE_LIMIT", text("30", "soon", "-5m", "on", "1", "2 h", "perhaps"), time.Duration(0), true},
		{"KEEP", append(none, offs...), time.Duration(0), false},
		{"KEEP", text("30m", " 30M "), 30 * time.Minute, false},
		{"KEEP", text("8h"), 8 * time.Hour, false},
		{"KEEP", text("30", "soon", "-5m", "on", "1", "2 h", "perhaps"), time.Duration(0), true},
		{"KEEP_SPLIT", none, "[]", false},
		{"KEEP_SPLIT", text("TOKEN, AWS_PROFILE", "AWS_PROFILE TOKEN;TOKEN,"), "[AWS_PROFILE TOKEN]", false},
		{"LOG_LEVEL", append(none, "warn", "Warning"), slog.LevelWarn, false},
		{"LOG_LEVEL", text("debug", " DEBUG "), slog.LevelDebug, false},
		{"LOG_LEVEL", text("info"), slog.LevelInfo, false},
		{"LOG_LEVEL", text("error"), slog.LevelError, false},
		{"LOG_LEVEL", offs, off, false},
		{"LOG_LEVEL", append(wrong, "verbose", "2"), slog.LevelWarn, true},
	} {
		for _, value := range test.values {
			s := Read(variables(map[string]string{test.setting: value}))
			got := map[string]any{
				"WORK_DIR": s.WorkDir, "CODE_STORAGE_DIR": s.Storage, "ENV_TYPE": s.Environment.Type, "CONDA_ENV_NAME": s.Environment.CondaName,
				"VENV_PATH": s.Environment.VenvPath, "UV_VENV_PATH": s.Environment.UVVenvPath, "KERNEL_INSTALL": s.KernelInstall, "INSTALL": s.Install,
				"UV_INSTALL": s.UVInstall, "ENV_DENY": s.EnvDeny, "HISTORY": s.History, "RECORD_LIMIT": s.RecordLimit, "PRELUDE": s.Prelude, "NOTEBOOK": s.Notebook,
				"SESSION_IDLE_LIMIT": s.IdleLimit, "LOG_LEVEL": s.LogLevel,
				"MEMORY_LIMIT": s.Limits.Memory, "CPU_LIMIT": s.Limits.CPU, "PROCESS_LIMIT": s.Limits.Processes, "FILE_SIZE_LIMIT": s.Limits.FileSize,
				"KEEP": s.Keep, "KEEP_SPLIT": fmt.Sprint(s.KeepSplit),
			}[test.setting]
			refused := len(s.Problems) == 1 && s.Problems[0].Refused // the finder words the value
			if got != test.want && !refused {
				t.Errorf("%s=%q: %v, want %v", test.setting, value, got, test.want)
			}
			if (len(s.Problems) > 0) != test.wrong || len(s.Problems) > 1 {
				t.Errorf("%s=%q: %+v", test.setting, value, s.Problems)
			}
			if strings.HasSuffix(test.setting, "_LIMIT") && s.Limits == (limits.Limits{}) && test.wrong != (s.Unusable() != nil) && test.setting != "RECORD_LIMIT" && test.setting != "SESSION_IDLE_LIMIT" {
				t.Errorf("%s=%q: a kernel would start without the limit", test.setting, value)
			}
			for _, p := range s.Problems {
				if p.Name == "" || p.Reason == "" || p.Effect == "" || p.Fix == "" || strings.Contains(p.String(), "\n") {
					t.Errorf("%s=%q: %+v", test.setting, value, p)
				}
			}
		}
	}
}

// TestExpand: variables in the directories are replaced, as a shell would, if they
// are set.
func TestExpand(t *testing.T) {
	there := filepath.Join(t.TempDir(), "a $HOME")
	if err := os.Mkdir(there, 0o700); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"$HOME/shop":           "/home/otto/shop",
		"${HOME}/shop":         "/home/otto/shop",
		"/srv/$TEAM-x/${TEAM}": "/srv/blue-x/blue",
		"$NOT_SET/shop":        "$NOT_SET/shop",
		"/srv/5$":              "/srv/5$",
		there:                  there,
	} {
		for _, name := range []string{"WORK_DIR", "CODE_STORAGE_DIR"} {
			s := Read(variables(map[string]string{name: value, "HOME": "/home/otto", "TEAM": "blue"}))
			if got := s.WorkDir + s.Storage; got != want || len(s.Problems) > 0 {
				t.Errorf("%s=%s: %q, want %q (%v)", name, value, got, want, s.Problems)
			}
		}
	}
}

// TestTable: every row is complete, and every setting about rights knows a side
// that allows less.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Table() {
		if seen[s.Name] || s.Default == "" || s.Values == "" || s.Does == "" || s.Page == "" || s.read == nil {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
		if s.Flag() != strings.ToLower(s.Flag()) || strings.ContainsAny(s.Flag(), "_ ") {
			t.Errorf("flag %s", s.Flag())
		}
	}
}

// TestProblem: a sentence names the thing, the reason, what is done and what to
// set; a long value is cut.
func TestProblem(t *testing.T) {
	s := Read(variables(map[string]string{"HISTORY": "perhaps\x1b[31m" + strings.Repeat("x", 500), "ENV_TYPE": "poetry", "SESSION_IDLE_LIMIT": "30"}))
	all := strings.Join(s.Sentences(), "\n")
	for _, part := range []string{
		`HISTORY="perhaps\x1b[31mxxx`, "neither on nor off: no record is kept", "fix: HISTORY=on or HISTORY=off",
		`SESSION_IDLE_LIMIT="30" is a number without a unit`, "SESSION_IDLE_LIMIT=30m for minutes",
		`ENV_TYPE="poetry" is not a known type: no Python is started; fix: use conda, venv, venv-uv or jupyter`,
	} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is missing in:\n%s", part, all)
		}
	}
	if len(s.Problems) != 3 || len(all) > 900 {
		t.Errorf("%d problems, %d bytes", len(s.Problems), len(all))
	}
}

// TestFlags: each setting is a flag, which wins over the variable, also when it
// is empty; an environment given as a flag leaves no other one standing.
func TestFlags(t *testing.T) {
	for _, s := range Table() {
		for _, value := range []string{"from the flag", ""} {
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			AddFlags(flags)
			if err := flags.Parse([]string{"--" + s.Flag() + "=" + value}); err != nil {
				t.Fatal(err)
			}
			getenv := Over(flags, variables(map[string]string{s.Name: "from the variable", "OTHER": "kept"}))
			if getenv(s.Name) != value || getenv("OTHER") != "kept" {
				t.Errorf("%s: %q", s.Name, getenv(s.Name))
			}
		}
	}
	shell := variables(map[string]string{"ENV_TYPE": "conda", "CONDA_ENV_NAME": "ml", "HISTORY": "off"})
	got := WithArgs([]string{"--unknown", "--venv-path", "/env"}, shell)
	s := Read(got)
	if s.Environment.VenvPath != "/env" || s.Environment.Type != "" || s.Environment.CondaName != "" || s.History || len(s.Problems) > 0 {
		t.Errorf("%+v", s)
	}
	if s := Read(WithArgs([]string{"--env-type", "venv"}, variables(map[string]string{"VENV_PATH": "/env", "CONDA_ENV_NAME": "ml"}))); s.Environment.VenvPath != "/env" || len(s.Problems) > 0 {
		t.Errorf("%+v", s)
	}
}

// TestAbsolute: paths do not depend on the working directory, names stay.
func TestAbsolute(t *testing.T) {
	rows := map[string]Setting{}
	for _, s := range Table() {
		rows[s.Name] = s
	}
	for _, test := range []struct {
		setting, value, absolute string
		relative                 bool
	}{
		{"VENV_PATH", "~/env", "/home/me/env", false},
		{"VENV_PATH", " /env ", "/env", false},
		{"VENV_PATH", "$HOME/env", "", false},
		{"VENV_PATH", "env", "", true},
		{"CONDA_ENV_NAME", "ml", "ml", false},
		{"CONDA_ENV_NAME", "envs/ml", "", true},
		{"HISTORY", "off", "off", false},
	} {
		s := rows[test.setting]
		if got := s.Absolute(test.value, "/home/me"); test.absolute != "" && got != test.absolute {
			t.Errorf("%s=%s: %s", test.setting, test.value, got)
		}
		if got := s.IsRelative(test.value, "/home/me"); got != test.relative {
			t.Errorf("%s=%s: relative %v", test.setting, test.value, got)
		}
	}
}

// TestOnly: a command line of settings alone, which a front understands without the
// commands.
func TestOnly(t *testing.T) {
	for _, args := range [][]string{nil, {"--keep", "1h"}, {"--keep=1h", "--history", "off"}} {
		over, ok := Only(args, variables(map[string]string{"KEEP": "2h"}))
		if want := map[bool]string{true: "2h", false: "1h"}[args == nil]; !ok || over("KEEP") != want {
			t.Errorf("%q: %t", args, ok)
		}
	}
	for _, args := range [][]string{{"doctor"}, {"--keep", "1h", "ps"}, {"--keep"}, {"--version"}, {"-h"}, {"--help"}, {"--kep", "1h"}} {
		if _, ok := Only(args, variables(nil)); ok {
			t.Errorf("%q", args)
		}
	}
}
