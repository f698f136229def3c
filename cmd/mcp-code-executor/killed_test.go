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
	figure := first.run("print('line one')\nprint('line two')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()").field("id")
	failed := first.call("execute_code", args{"code": "1/0"}).field("id")
	running := first.call("execute_code", args{"code": "import time\nprint('before', flush=True)\ntime.sleep(100)", "wait_seconds": 1}).field("id")
	same := append(inVenv(t), "HOME="+first.home, "CODE_STORAGE_DIR="+first.storage)
	beside := launch(t, same...)
	if r := beside.call("list_sessions", nil); strings.Contains(r.text(), "started anew") {
		t.Errorf("beside a living one: %s", r.text())
	}
	if r := beside.call("get_execution", args{"id": running}); !strings.HasPrefix(r.text(), "[running | ") || !strings.Contains(r.text(), "\n[note: another server runs this") || !strings.Contains(r.text(), "\nbefore") {
		t.Errorf("%s", r.text())
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	elsewhere := launch(t, append(inVenv(t), "HOME="+first.home)...)
	if r := elsewhere.call("list_sessions", nil); strings.Contains(r.text(), "started anew") {
		t.Errorf("elsewhere: %s", r.text())
	}
	for _, id := range []string{old, running} {
		if r := elsewhere.call("get_execution", args{"id": id}); !r.IsError || !strings.Contains(r.text(), "there is no record of it for this code storage and working directory") {
			t.Errorf("elsewhere: %s", r.text())
		}
	}
	second := launch(t, same...)
	if r := second.call("execute_code", args{"code": "x"}); !strings.Contains(r.text(), "[note: the server was started anew: earlier sessions are gone") ||
		!strings.Contains(r.text(), "\n[note: session default of the dead server: was running "+running+" (unknown: the server died during this run); get_execution reads its runs "+old+" to "+running+", export_session id="+old+".. has the code to build it again]") {
		t.Errorf("%s", r.text())
	}
	if r := second.call("get_execution", args{"id": old}); strings.Contains(r.text(), "started anew") || !strings.Contains(r.text(), "[note: a run of an earlier server, from its record") {
		t.Errorf("%s", r.text())
	}
	looksBack(t, second, figure, failed, running)
	second.stdin.Close()
	second.wait(time.Minute)
	if r := launch(t, same...).call("list_sessions", nil); strings.Contains(r.text(), "started anew") {
		t.Errorf("after a normal end: %s", r.text())
	}
}

// looksBack: runs of the server that was killed are read by their ids, as their record
// has them.
func looksBack(t *testing.T, p *program, figure, failed, running string) {
	t.Helper()
	r := p.call("get_execution", args{"id": figure})
	if !strings.HasPrefix(r.text(), "[ok | ") || !strings.Contains(r.text(), "\nline one\nline two\n") || len(r.Content) < 2 || r.Content[1].Type != "image" {
		t.Errorf("%s", r.text())
	}
	if r := p.call("get_execution", args{"id": figure, "pattern": "two"}); !strings.Contains(r.text(), "\n2: line two") {
		t.Errorf("%s", r.text())
	}
	if r := p.call("get_execution", args{"id": failed}); r.IsError || !strings.HasPrefix(r.text(), "[error ZeroDivisionError | ") || !strings.Contains(r.text(), "ZeroDivisionError: division by zero") {
		t.Errorf("%s", r.text())
	}
	r = p.call("get_execution", args{"id": running})
	if !strings.HasPrefix(r.text(), "[unknown | ") || !strings.Contains(r.text(), "\n[unknown: the server died during this run") || !strings.Contains(r.text(), "\nbefore") {
		t.Errorf("%s", r.text())
	}
	if r := p.call("get_execution", args{"id": running + "0"}); !r.IsError || !strings.Contains(r.text(), "there is no record of it") {
		t.Errorf("%s", r.text())
	}
	if r := p.call("export_session", args{"id": figure + ".."}); !strings.Contains(r.text(), "3 runs") {
		t.Errorf("%s", r.text())
	}
}
