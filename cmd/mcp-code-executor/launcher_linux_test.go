package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLauncherGone: the server ends with the launcher that named itself, while its
// client is still there and code runs; what it started has no part in that.
func TestLauncherGone(t *testing.T) {
	t.Parallel()
	p := prepare(t, append(inVenv(t), launcherVariable+"=3", mark+t.Name())...)
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.start()
	theirs.Close()
	p.shakeHands()
	r := p.run("import os; print(os.environ.get('" + launcherVariable + "'))")
	if strings.TrimSpace(r.rest()) != "None" {
		t.Errorf("code sees the launcher's variable: %s", r.text())
	}
	p.call("execute_code", args{"code": "while True: pass", "wait_seconds": 0.2})
	ours.Close()
	p.wait(10 * time.Second)
	nothingLeft(t, t.Name())
}

// TestNoLauncher: a variable that leads to no pipe means nothing.
func TestNoLauncher(t *testing.T) {
	t.Parallel()
	file, err := os.Open(os.DevNull) // at its end at once
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, value := range []string{"3", "4", "0", "-1", "x", "3 "} {
		p := prepare(t, launcherVariable+"="+value)
		p.cmd.ExtraFiles = []*os.File{file}
		p.start()
		p.shakeHands()
		if tools := p.request("tools/list", nil).Result.Tools; len(tools) == 0 {
			t.Errorf("%s=%s: no tools", launcherVariable, value)
		}
	}
}

// TestLauncherGoneKeeping: a front ends with its launcher; what it reached stays, and
// is the next client's.
func TestLauncherGoneKeeping(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, inVenv(t)...)
	p := prepare(t, append(slices.Clone(k.settings), launcherVariable+"=3")...)
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.start()
	theirs.Close()
	p.shakeHands()
	p.run("x = 41")
	ours.Close()
	p.wait(10 * time.Second)
	if r := k.client().run("x + 1"); !strings.Contains(r.text(), "42") {
		t.Errorf("%s", r.text())
	}
}
