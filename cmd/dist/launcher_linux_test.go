package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/processtest"
)

// testLauncherKilled: nothing is left of the server when its launcher is killed, while
// the client holds stdin and code runs.
func testLauncherKilled(t *testing.T, launcher string) {
	t.Helper()
	s := begin(t, bare(t, "MCE_TEST_MARK=launcher killed"), node(t), launcher)
	s.run("x = 1")
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	processtest.NothingLeft(t, "MCE_TEST_MARK=launcher killed")
}

// testLauncher: the launcher passes arguments and signals on and ends as the program
// ends; without the program's package it says what to do.
func testLauncher(t *testing.T, launcher string) {
	t.Helper()
	out, err := exec.Command(node(t), launcher, "--version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), program+" ") {
		t.Errorf("--version: %v, %s", err, out)
	}
	out, err = exec.Command(node(t), launcher, "--histroy").CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), "did you mean --history?") {
		t.Errorf("a wrong flag: %v, %s", err, out)
	}
	// The second server has answered long before Node goes on after starting it.
	late := filepath.Join(t.TempDir(), "late.js")
	const held = `const c = require("node:child_process"), { spawn } = c;
c.spawn = (...all) => { const made = spawn(...all); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000); return made; };`
	if err := os.WriteFile(late, []byte(held), 0o644); err != nil {
		t.Fatal(err)
	}
	for signal, env := range map[syscall.Signal][]string{syscall.SIGINT: nil, syscall.SIGTERM: {"NODE_OPTIONS=--require=" + late}} {
		s := begin(t, bare(t, env...), node(t), launcher)
		if err := s.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", signal, err)
		}
	}
	s := begin(t, bare(t), node(t), launcher)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err == nil || err.Error() != "signal: hangup" {
		t.Errorf("SIGHUP: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(filepath.Dir(launcher), "..", "..", npmScope)); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command(node(t), launcher, "--version").CombinedOutput()
	if err == nil || !strings.Contains(string(out), npmScope+"/linux-x64 is not installed") || strings.Contains(string(out), "at ") {
		t.Errorf("without the program: %v, %s", err, out)
	}
}
