package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// insideSettings are for a server that may write to the project alone.
func insideSettings(t *testing.T, p *program) {
	work := t.TempDir()
	p.cmd.Env = append(p.cmd.Env, "WORK_DIR="+work, "CODE_STORAGE_DIR="+filepath.Join(work, "code"), "IPYTHONDIR="+filepath.Join(work, "ipython"), "XDG_STATE_HOME="+filepath.Join(work, "state"))
}

// TestForeignProc: in a sandbox with processes of its own and the machine's /proc, in
// which the server's numbers are other processes', nothing is taken for the kernel's.
func TestForeignProc(t *testing.T) {
	t.Parallel()
	unshare := []string{"unshare", "--pid", "--fork", "--kill-child"}
	if os.Getuid() != 0 {
		unshare = append(unshare, "-r")
	}
	if out, err := exec.Command(unshare[0], append(unshare[1:], "true")...).CombinedOutput(); err != nil {
		testneeds.Skip(t, testneeds.MountNamespace, fmt.Sprintf("%q: %v: %s", unshare, err, out))
	}
	begin := func(settings ...string) *program {
		p := prepare(t, append(inVenv(t), settings...)...)
		insideSettings(t, p)
		p.cmd.Args = append(unshare, append([]string{p.cmd.Path}, p.cmd.Args[1:]...)...)
		p.cmd.Path = "/usr/bin/unshare"
		p.start()
		p.shakeHands()
		return p
	}
	p := begin("TMPDIR=/nowhere/tmp", "HOME=/proc") // where nothing can be made, not even by root
	r := p.run("import os\nkept = 'kept'\nopen('made.txt', 'w').close()\nprint(os.readlink('/proc/self') == str(os.getpid()))")
	has(t, r, "False", "[files changed meanwhile: made.txt (new, 0 bytes)]")
	if r := p.call("execute_code", args{"code": "import time; time.sleep(60)", "timeout_seconds": 0.5}); !strings.HasPrefix(r.text(), "[interrupted | ") {
		t.Errorf("%s", r.text())
	}
	p.run("import subprocess\nchild = subprocess.Popen(['sleep', '1000'])")
	if r := p.call("execute_code", args{"code": "os._exit(3)"}); !strings.HasPrefix(r.text(), "[died | ") {
		t.Errorf("%s", r.text())
	}
	if r := p.run("print('on')"); r.field("generation") != "2" {
		t.Errorf("%s", r.text())
	}
	has(t, p.call("list_sessions", nil), "[ok | 1 session]")
	refused(t, "a limit that nobody can hold", begin("MEMORY_LIMIT=1GiB").call("execute_code", args{"code": "1"}), "MEMORY_LIMIT", "cannot be enforced", "/proc")
}
