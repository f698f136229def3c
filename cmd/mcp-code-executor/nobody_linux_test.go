package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMatrixSandboxNobody: both means for a user without any capability: code runs, writes in
// the project alone, is interrupted, dies and starts again, and nothing is left.
func TestMatrixSandboxNobody(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	open := t.TempDir()
	server := openServer(t, open)
	env := filepath.Join(open, "env")
	_, python := asNobody(t)
	execute(t, testUV(t), "venv", "-q", "--no-python-downloads", "--python", python, env)
	execute(t, testUV(t), "pip", "install", "-q", "--python", filepath.Join(env, "bin", "python"), "ipykernel")
	execute(t, "chmod", "-R", "a+rX", env)
	for name, means := range map[string]struct {
		needs    func(*testing.T)
		mounts   string
		settings []string
		note     string
	}{
		"bubblewrap": {needsBubblewrap, "", nil, "[note: sandbox workspace (bubblewrap): "},
		"landlock":   {needsLandlock, withoutBubblewrap, []string{"SANDBOX_ALLOW_PARTIAL=on"}, "[note: sandbox partial workspace (Landlock): "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			means.needs(t)
			dir := t.TempDir()
			home, work, tmp, under := filepath.Join(dir, "home"), filepath.Join(dir, "home", "work"), filepath.Join(dir, "tmp"), filepath.Join(dir, "under")
			for _, made := range []string{work, tmp} {
				if err := os.MkdirAll(made, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write(t, map[string]string{filepath.Join(home, ".ssh", "id_rsa"): "SECRET", filepath.Join(home, "notes"): "n"})
			drop := ""
			if os.Getuid() == 0 {
				drop = "setpriv --reuid 65534 --regid 65534 --clear-groups "
				execute(t, "chown", "-R", "65534:65534", home, tmp)
				execute(t, "chmod", "a+x", filepath.Dir(dir), dir)
			}
			text := "#!/bin/sh\nexec " + unshareMounts(t) + " /bin/sh -ec '" + means.mounts + "\ncd /; exec " + drop + "\"$0\" \"$@\"' \"$@\"\n"
			if err := os.WriteFile(under, []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
			p := prepare(t, append(append(typeSettings("venv", env), means.settings...), "SANDBOX=workspace", "HOME="+home, "WORK_DIR="+work, "CODE_STORAGE_DIR="+filepath.Join(home, "code"), "TMPDIR="+tmp)...)
			p.cmd.Path, p.cmd.Args[0], p.under = server, server, under
			p.start()
			p.shakeHands()
			r := p.call("execute_code", args{"code": "import os, time\nkept = 1\nopen('made', 'w').write('x')\nprint(os.getuid(), [l.split()[1] for l in open('/proc/self/status') if l[:6] == 'CapEff'])"})
			has(t, r, means.note, "[files changed meanwhile: made")
			if os.Getuid() == 0 {
				has(t, r, "65534 ['0000000000000000']")
			}
			for _, code := range []string{"open(os.path.expanduser('~/new'), 'w')", "open(os.path.expanduser('~/.ssh/id_rsa')).read(1) or 1/0", "import socket; socket.create_connection(('127.0.0.1', 9))"} {
				if r := p.call("execute_code", args{"code": code}); !strings.HasPrefix(r.text(), "[error ") {
					t.Errorf("%s: %s", code, r.text())
				}
			}
			has(t, p.call("execute_code", args{"code": "time.sleep(60)", "timeout_seconds": 0.5}), "[interrupted | ")
			has(t, p.run("kept"), ": 1")
			has(t, p.call("execute_code", args{"code": "os._exit(3)"}), "[died | ", "exit code 3")
			p.run("1")
			has(t, p.call("stop_session", args{"restart": true}), "restarted")
			p.run("open('made').read()")
			p.stdin.Close()
			p.wait(30 * time.Second)
			nothingIn(t, tmp)
		})
	}
}
