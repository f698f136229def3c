package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// launchNested is launch where bubblewrap is installed, and may not make namespaces: in a
// sandbox that forbids it, as containers do.
func launchNested(t *testing.T, settings ...string) *program {
	t.Helper()
	needsBubblewrap(t)
	needsLandlock(t)
	outer := filepath.Join(t.TempDir(), "outer")
	if err := os.WriteFile(outer, []byte("#!/bin/sh\nexec bwrap --unshare-user --disable-userns --dev-bind / / -- \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := prepare(t, settings...)
	p.under = outer
	p.start()
	p.shakeHands()
	return p
}

// TestLandlockLife: where bubblewrap does not work, code runs in a sandbox of Landlock as
// ever, the answers say what that does not stop, packages are installed into an
// environment elsewhere, and nothing is left.
func TestLandlockLife(t *testing.T) {
	t.Parallel()
	tmp, work, home := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, map[string]string{filepath.Join(work, ".git/config"): "", filepath.Join(work, "data.csv"): "a,b"})
	dir, settings := makeEnv(t, "venv-uv")
	p := launchNested(t, append(append(settings, wheels(t)...), "UV="+testUV(t), readsKernel(t), "HOME="+home, "SANDBOX=workspace", "SANDBOX_ALLOW_PARTIAL=on", "WORK_DIR="+work, "TMPDIR="+tmp, "SERVICE_TOKEN=x", "SANDBOX_WRITE=/dev/shm:/dev/pts")...)
	r := p.call("execute_code", args{"code": "kept = 1\nprint(open('data.csv').read(), 'x' * 3_000_000)"})
	has(t, r, "[note: sandbox partial workspace (Landlock): ", "not in the working directory (.git)", "SANDBOX_WRITE", "the network is off", "not stopped: connections to unix sockets", "new namespace", "1 of the server's variables")
	if r := p.call("execute_code", args{"code": "import time; time.sleep(60)", "timeout_seconds": 0.5}); !strings.HasPrefix(r.text(), "[interrupted | ") {
		t.Errorf("%s", r.text())
	}
	p.call("execute_code", args{"code": "kept += len(input('? '))"})
	has(t, p.call("send_input", args{"text": "too"}), "[ok | ")
	if r := p.run("import tempfile, os, subprocess; t = tempfile.mkstemp()[1]; print(kept, t, subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout)"); !strings.Contains(r.text(), "4 "+tmp+"/") || !strings.Contains(r.text(), "child") || strings.Contains(r.text(), "sandbox") {
		t.Errorf("%s", r.text())
	}
	has(t, p.call("execute_code", args{"code": "open('made', 'w')"}), "[error PermissionError | ", "SANDBOX_WRITE")
	write(t, map[string]string{filepath.Join(home, "late"): "SECRET"}) // what comes to the home directory later
	has(t, p.call("execute_code", args{"code": "open(os.path.expanduser('~/late')).read()"}), "[error PermissionError | ", "SANDBOX_READ")
	has(t, p.call("execute_code", args{"code": "import socket; socket.create_connection(('127.0.0.1', 80))"}), "[error PermissionError | ", "SANDBOX_NETWORK=on")
	has(t, p.call("execute_code", args{"code": "socket.create_connection(('example.com', 80))"}), "[error gaierror | ", "SANDBOX_NETWORK=on")
	if r := p.run("import multiprocessing; print(multiprocessing.Lock())\n!echo shell"); !strings.Contains(r.text(), "SemLock") && !strings.Contains(r.text(), "<Lock") || !strings.Contains(r.text(), "shell") {
		t.Errorf("%s", r.text())
	}
	has(t, p.call("list_sessions", nil), "[sandbox: partial workspace (Landlock)")
	o := p.done("install_dependencies", args{"packages": []string{"mcetoy==1.0"}})
	if changes(o) != "mcetoy <nil> 1.0" || o["environment"] != dir {
		t.Errorf("%v", o)
	}
	if r := p.run("import toymodule; print(toymodule.version, kept)"); !strings.Contains(r.text(), "1.0 4") {
		t.Errorf("%s", r.text())
	}
	has(t, p.call("execute_code", args{"code": "d = subprocess.Popen(['sleep', '1000'], start_new_session=True); os._exit(3)"}), "[died | ", "exit code 3")
	p.run("1")
	p.stdin.Close()
	p.wait(30 * time.Second)
	nothingIn(t, tmp)
}

// TestLandlockRefuses: the weaker sandbox is not taken for the one that was asked for.
func TestLandlockRefuses(t *testing.T) {
	t.Parallel()
	p := launchNested(t, append(inVenv(t), "SANDBOX=workspace", "HOME="+t.TempDir(), "WORK_DIR="+t.TempDir())...)
	r := p.call("execute_code", args{"code": "print('it' + 'ran')"})
	if !r.IsError || strings.Contains(r.text(), "itran") {
		t.Errorf("%s", r.text())
	}
	has(t, r, "nothing was run", "new namespace", "SANDBOX_ALLOW_PARTIAL=on")
}
