package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wrongSettings are values that nobody knows, and what must be told of each.
func wrongSettings() map[string][]string {
	return map[string][]string{
		"HISTORY=perhaps":         {`HISTORY="perhaps"`, "no record is kept", "HISTORY=on or HISTORY=off"},
		"PRELUDE=perhaps":         {`PRELUDE="perhaps"`, "it is ignored", "PRELUDE=on or PRELUDE=off"},
		"SPARE_KERNEL=perhaps":    {`SPARE_KERNEL="perhaps"`, "auto is used", "SPARE_KERNEL=auto, plain, on or off"},
		"KERNEL_INSTALL=perhaps":  {`KERNEL_INSTALL="perhaps"`, "no ipykernel is installed", "KERNEL_INSTALL=auto"},
		"UV_INSTALL=perhaps":      {`UV_INSTALL="perhaps"`, "uv is not fetched", "UV_INSTALL=auto"},
		"RECORD_LIMIT=512":        {`RECORD_LIMIT="512"`, "without a unit", "RECORD_LIMIT=512MiB"},
		"MEMORY_LIMIT=8":          {`MEMORY_LIMIT="8"`, "no kernel is started", "MEMORY_LIMIT=8MiB"},
		"CPU_LIMIT=all":           {`CPU_LIMIT="all"`, "no kernel is started", "CPU_LIMIT=2, 1.5 or none"},
		"SESSION_IDLE_LIMIT=30":   {`SESSION_IDLE_LIMIT="30"`, "without a unit", "SESSION_IDLE_LIMIT=30m"},
		"LOG_LEVEL=verbose":       {`LOG_LEVEL="verbose"`, "is not a log level", "LOG_LEVEL=debug"},
		"ENV_DENY=[x-":            {`ENV_DENY="[x-"`, "no Python is started", "AWS_*"},
		"ENV_TYPE=poetry":         {`ENV_TYPE="poetry"`, "no Python is started", "conda, venv, venv-uv or jupyter"},
		"CONDA_ENV_NAME=/nowhere": {"ENV_TYPE is not set, and CONDA_ENV_NAME and VENV_PATH are", "set ENV_TYPE"},
		"UV_VENV_PATH=/nowhere":   {"ENV_TYPE is not set, and VENV_PATH and UV_VENV_PATH are", "set ENV_TYPE"},
		"CODE_STORAGE_DIR=/":      nil, // nobody can tell a wrong path from a right one before it is used
		"VENV_PATH=/nowhere/env":  nil,
	}
}

// TestWrongSettings: the first answer tells each wrong value, with what is done
// instead and what to set; the second does not repeat it.
func TestWrongSettings(t *testing.T) {
	t.Parallel()
	venv := "VENV_PATH=" + filepath.Dir(filepath.Dir(pythons(t)[0]))
	for setting, parts := range wrongSettings() {
		p := launch(t, venv, setting)
		r := p.call("list_sessions", nil)
		for _, part := range parts {
			if !strings.Contains(r.text(), part) {
				t.Errorf("%s: %q is missing in:\n%s", setting, part, r.text())
			}
		}
		if told := strings.Count(r.text(), "wrong setting: "); told != min(1, len(parts)) {
			t.Errorf("%s: told %d times:\n%s", setting, told, r.text())
		}
		if r := p.call("list_sessions", nil); strings.Contains(r.text(), "wrong setting: ") {
			t.Errorf("%s: the second answer tells it again:\n%s", setting, r.text())
		}
	}
}

// TestWrongSettingsInAnyTool: several wrong values are in the first answer of
// whatever tool, once, and code runs where it may.
func TestWrongSettingsInAnyTool(t *testing.T) {
	t.Parallel()
	wrong := slices.DeleteFunc(slices.Collect(maps.Keys(wrongSettings())), func(s string) bool {
		return slices.Contains([]string{"CODE", "VENV", "UV_V", "COND", "ENV_", "MEMO", "CPU_"}, s[:4])
	})
	for tool, ask := range map[string]args{
		"execute_code":             {"code": "print('ran')"},
		"list_sessions":            nil,
		"get_environment_config":   nil,
		"check_installed_packages": {"packages": []string{"ipykernel"}},
		"read_code_file":           {"file_path": "absent.py"}, // an error in words
		"send_input":               {},                         // an error in its arguments
	} {
		p := launch(t, append(inVenv(t), wrong...)...)
		r := p.call(tool, ask)
		if n := strings.Count(r.text(), "wrong setting: "); n != len(wrong) {
			t.Errorf("%s: %d notes of %d:\n%s", tool, n, len(wrong), r.text())
		}
		if strings.HasPrefix(r.text(), "{") && !json.Valid([]byte(r.text())) {
			t.Errorf("%s: no JSON any more:\n%s", tool, r.text())
		}
		if tool == "execute_code" && !strings.HasSuffix(r.text(), "ran") {
			t.Errorf("%s", r.text())
		}
		if r := p.call(tool, ask); strings.Contains(r.text(), "wrong setting: ") {
			t.Errorf("%s: the second answer tells it again:\n%s", tool, r.text())
		}
	}
}

// TestSettingsAsFlags: a flag wins over its variable, in the server as a client
// starts it and in what config prints.
func TestSettingsAsFlags(t *testing.T) {
	t.Parallel()
	p := prepare(t, "VENV_PATH=/nowhere/env", "HISTORY=on", "LOG_LEVEL=verbose")
	venv := filepath.Dir(filepath.Dir(pythons(t)[0]))
	p.cmd.Args = append(p.cmd.Args, "--venv-path", venv, "--history=off", "--log-level", "warn")
	p.start()
	p.shakeHands()
	r := p.run("import sys; print(sys.prefix)")
	if strings.TrimSpace(r.rest()) != venv {
		t.Errorf("%s", r.text())
	}
	if names := recordNames(t, p.home); len(names) > 0 {
		t.Errorf("records: %q", names)
	}
	status, out, errs := commandLine(t, "config", "cursor", "--history", "off", "--prelude=perhaps", "--venv-path=env")
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"HISTORY": "off"`, `"VENV_PATH": "` + filepath.Join(wd, "env") + `"`} {
		if status != 0 || !strings.Contains(out, part) {
			t.Errorf("%q is missing in status %d:\n%s", part, status, out)
		}
	}
	if !strings.Contains(errs, `PRELUDE="perhaps" is neither on nor off`) {
		t.Errorf("%s", errs)
	}
}
