package main

import (
	"strings"
	"testing"
	"time"
)

// TestStartedAnew: the first answer of a server whose predecessor was killed says that
// its sessions are gone; none says so after a normal end.
func TestStartedAnew(t *testing.T) {
	t.Parallel()
	first := launch(t, inVenv(t)...)
	old := first.run("x = 1").field("id")
	same := append(inVenv(t), "HOME="+first.home, "CODE_STORAGE_DIR="+first.storage)
	if r := launch(t, same...).call("list_sessions", nil); strings.Contains(r.text(), "started anew") {
		t.Errorf("beside a living one: %s", r.text())
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	if r := launch(t, append(inVenv(t), "HOME="+first.home)...).call("list_sessions", nil); strings.Contains(r.text(), "started anew") {
		t.Errorf("elsewhere: %s", r.text())
	}
	second := launch(t, same...)
	if r := second.call("execute_code", args{"code": "x"}); !strings.Contains(r.text(), "[note: the server was started anew: earlier sessions are gone") {
		t.Errorf("%s", r.text())
	}
	if r := second.call("get_execution", args{"id": old}); strings.Contains(r.text(), "started anew") || !strings.Contains(r.text(), "it ran before this server was started") {
		t.Errorf("%s", r.text())
	}
	second.stdin.Close()
	second.wait(time.Minute)
	if r := launch(t, same...).call("list_sessions", nil); strings.Contains(r.text(), "started anew") {
		t.Errorf("after a normal end: %s", r.text())
	}
}
