package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// marked are the processes with this variable, by pid: their command lines.
func marked(t *testing.T, variable string) map[int]string {
	t.Helper()
	found := map[int]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		environ, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		command, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if len(command) > 0 && bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+variable+"\x00")) {
			found[pid] = strings.ReplaceAll(string(command), "\x00", " ")
		}
	}
	return found
}

// nothingLeft waits until all these processes are gone.
func nothingLeft(t *testing.T, variable string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) { // polls the process table
		left := marked(t, variable)
		if len(left) == 0 {
			return
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("left after 10 s: %v", left)
		}
	}
}

// testLauncherKilled: nothing is left of the server when its launcher is killed, while
// the client holds stdin and code runs.
func testLauncherKilled(t *testing.T, launcher string) {
	t.Helper()
	s := begin(t, bare(t, "MCE_TEST_MARK=launcher killed"), node(t), launcher)
	s.run("x = 1")
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, "MCE_TEST_MARK=launcher killed")
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
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := begin(t, bare(t), node(t), launcher)
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
