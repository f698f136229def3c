package main

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway/gatewaytest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// notOurs is what is said of a kernel that no sandbox of ours confines.
const notOurs = "this kernel is not confined by us: the settings name it"

// TestSandboxOutside: with a sandbox, a kernel that this server has not started is used
// only where the settings name exactly that one, and everything that tells of the sandbox
// says that it is not confined. No tool leads to another one.
func TestSandboxOutside(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	work := t.TempDir()
	file, _ := startKernel(t, pythons(t)[0], t.TempDir())
	other, _ := startKernel(t, pythons(t)[0], t.TempDir())
	settings := []string{"SANDBOX=workspace", "WORK_DIR=" + work, "CONNECTION_FILE=" + file}
	p := launch(t, settings...)
	has(t, p.call("get_environment_config", nil), `"sandbox":"not used: `+notOurs)
	has(t, p.call("execute_code", args{"code": "theirs = 7\nopen('here', 'w').close()"}), "[ok | ", "[note: somebody else has started this kernel", "[note: sandbox not used: "+notOurs)
	has(t, p.call("list_sessions", nil), "sandbox=not used: "+notOurs)
	has(t, p.call("get_environment_config", nil), `"sandbox":"not used: `+notOurs)
	refused(t, "another kernel", p.call("configure_environment", args{"type": "jupyter", "server": "local", "kernel_id": other, "session": "b"}), "no kernel ", "CONNECTION_FILE names kernel-1")

	// The kernel's key is not for code in the sandbox.
	has(t, p.call("configure_environment", args{"type": "venv", "venv_path": filepath.Dir(filepath.Dir(pythons(t)[0])), "session": "c"}), "success")
	r := p.call("execute_code", args{"code": "import pathlib\npathlib.Path(" + strconv.Quote(file) + ").read_text() or 1/0", "session": "c"})
	has(t, r, "[error ", "[note: sandbox workspace (bubblewrap): ")

	found, status := patient{settings: settings}.examine(t)
	if said := findingsOf(found, "sandbox", "warn"); status != 0 || said == "" {
		t.Errorf("the doctor, with status %d: %v", status, found)
	}

	p = launch(t, append(settings, "SANDBOX=client")...)
	p.meta = policyIn(t, work, "restricted", readsAll, writesProject)
	refused(t, "under a client's policy", p.call("execute_code", args{"code": "1"}), "nothing was run", "does not follow the client's policy")
}

// TestMatrixSandboxElsewhere: the same of a Jupyter server, of which the settings name what
// to start.
func TestMatrixSandboxElsewhere(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	needsBubblewrap(t)
	s := gatewaytest.Start(t)
	settings := append(inVenv(t), "ENV_TYPE=jupyter", "SANDBOX=workspace", "WORK_DIR="+t.TempDir(), "JUPYTER_SERVER_URL="+s.URL()+"?token="+gatewaytest.Token)
	p := launch(t, settings...)
	refused(t, "any kernel", p.call("execute_code", args{"code": "1"}), "nothing was run", "the settings do not name exactly this one", "KERNEL_NAME")
	p = launch(t, append(settings, "KERNEL_NAME=python3")...)
	has(t, p.call("execute_code", args{"code": "x = 41"}), "[ok | ", "[note: sandbox not used: "+notOurs)
	running := s.Until(1)
	for name, a := range map[string]args{
		"one that runs": {"type": "jupyter", "kernel_id": running[0].ID, "session": "b"},
		"another name":  {"type": "jupyter", "kernel_name": "other", "session": "b"},
	} {
		refused(t, name, p.call("configure_environment", a), "the settings do not name exactly this one")
	}
	has(t, p.call("execute_code", args{"code": "x"}), ": 41")
	has(t, p.call("configure_environment", args{"type": "venv", "venv_path": filepath.Dir(filepath.Dir(pythons(t)[0])), "session": "c"}), "success")
	has(t, p.call("execute_code", args{"code": "import os\n[n for n in os.environ if n.startswith('JUPYTER_S')]", "session": "c"}), ": []", "1 of the server's variables")
}
