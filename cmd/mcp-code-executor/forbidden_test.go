//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallNever: with INSTALL=never nothing is installed and nothing fetched, whatever
// the other settings say; code runs, and each refusal names the variable.
func TestInstallNever(t *testing.T) {
	t.Parallel()
	dir, settings := makeEnv(t, "venv-uv")
	data := t.TempDir()
	before := sitePackages(t, dir)
	settings = append(append(settings, wheels(t)...), "UV="+testUV(t), "INSTALL=never", "KERNEL_INSTALL=auto", "UV_INSTALL=auto", "XDG_DATA_HOME="+data)
	p := launch(t, settings...)
	p.run("x = 41")
	for _, arguments := range []args{{"packages": []string{"mceother"}}, {"file": "requirements.txt"}, {"packages": []string{"mceother"}, "upgrade": true, "session": "other"}} {
		refused(t, fmt.Sprint(arguments), p.call("install_dependencies", arguments), "nothing was installed", "INSTALL=never forbids installing packages", "only the person", "INSTALL=auto")
	}
	if config := p.done("get_environment_config", nil); !strings.HasPrefix(fmt.Sprint(config["install"]), "never (INSTALL)") {
		t.Errorf("%v", config["install"])
	}

	// An environment without ipykernel gets none, neither in it nor beside it.
	empty := emptyEnv(t, "venv-uv")
	refused(t, "without ipykernel", p.call("configure_environment", args{"session": "a", "type": "venv-uv", "uv_venv_path": empty}), "ipykernel is not installed", ": INSTALL=never forbids", "uv pip install --python "+filepath.Join(empty, "bin", "python"))
	// The managed one is not made.
	refused(t, "managed", p.call("configure_environment", args{"session": "b", "type": "managed"}), "INSTALL=never forbids making the default Python environment", "VENV_PATH", "INSTALL=auto")
	if after := sitePackages(t, dir); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the environment has changed: %v", after)
	}
	for _, place := range []string{"envs", "kernels", "tools"} {
		if made, _ := filepath.Glob(filepath.Join(data, "mcp-code-executor", place, "*")); len(made) > 0 {
			t.Errorf("made: %v", made)
		}
	}
	if r := p.run("print(x)"); !strings.Contains(r.text(), "41") {
		t.Errorf("%s", r.text())
	}
}
