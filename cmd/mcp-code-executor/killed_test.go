package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStartedAnew: the first answer of each server says what one that was killed has
// left, until the run that it died during has been read; none says so after a normal end.
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
		!strings.Contains(r.text(), "\n[note: session default of the dead server: was running "+running+" (unknown: the server died during this run); lost: x (int); get_execution reads its runs "+old+" to "+running+", export_session id="+old+".."+running+" has the code to build it again]") {
		t.Errorf("%s", r.text())
	}
	if r := launch(t, same...).call("list_sessions", nil); !strings.Contains(r.text(), "[note: the server was started anew") {
		t.Errorf("a third, after a run of the second: %s", r.text())
	}
	if r := second.call("get_execution", args{"id": old}); strings.Contains(r.text(), "started anew") || !strings.Contains(r.text(), "[note: a run of an earlier server, from its record") {
		t.Errorf("%s", r.text())
	}
	looksBack(t, second, figure, failed, running)
	second.stdin.Close()
	second.wait(time.Minute)
	if r := launch(t, same...).call("list_sessions", nil); strings.Contains(r.text(), "started anew") {
		t.Errorf("after its run was read, and a normal end: %s", r.text())
	}
}

// TestKilledInVain: a killed server that ran nothing has lost nothing, and none is told
// of it.
func TestKilledInVain(t *testing.T) {
	t.Parallel()
	first := launch(t, "ENV_TYPE=venv", "VENV_PATH=/nowhere")
	if r := first.call("execute_code", args{"code": "x = 1"}); !r.IsError || !strings.Contains(r.text(), "/nowhere") {
		t.Errorf("%s", r.text())
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	second := launch(t, "HOME="+first.home, "CODE_STORAGE_DIR="+first.storage)
	if r := second.call("list_sessions", nil); strings.Contains(r.text(), "[note: ") {
		t.Errorf("%s", r.text())
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

// TestLostNames: the first answer after a kernel's death names the variables that are
// lost, and where the code is to make them again; the next ones do not.
func TestLostNames(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	for i, end := range []struct{ name, code, status string }{
		{"in a run", "import os; os._exit(1)", "[died | "},
		{"by exit()", "exit()", "[exited | "},
		{"between runs", exitsWhenAsked, ""},
	} {
		first := p.run("class Model: pass\ndf, model = [1], Model()").field("id")
		awaitRecorded(t, p.home, "model Model", i+1)
		r := p.call("execute_code", args{"code": end.code})
		last := r.field("id")
		if end.status == "" {
			askToExit(t, p)
			until(t, "the kernel's end", func() bool { return strings.Contains(p.call("list_sessions", nil).text(), "no kernel") })
			r = p.call("execute_code", args{"code": "df"})
			end.status = "[not run | "
		}
		want := "\n[lost: Model (type), df (list), model (Model); get_execution reads its runs " + first + " to " + last + ", export_session id=" + first + ".." + last + " has the code to build it again]"
		if !strings.HasPrefix(r.text(), end.status) || !strings.Contains(r.text(), want) {
			t.Errorf("%s: %s\nwant: %s", end.name, r.text(), want)
		}
		if r := p.call("execute_code", args{"code": "1"}); strings.Contains(r.text(), "lost: ") {
			t.Errorf("%s, again: %s", end.name, r.text())
		}
		p.call("stop_session", args{"restart": true}) // the ids of the next kernel begin with its first run
	}
}

// exitsWhenAsked is code whose kernel ends by os._exit(23) after askToExit.
const exitsWhenAsked = "import os, threading\nos.mkfifo('ask')\nthreading.Thread(target=lambda: (open('ask'), os._exit(23))).start()"

// askToExit waits until the thread of exitsWhenAsked reads.
func askToExit(t *testing.T, p *program) {
	t.Helper()
	name := filepath.Join(p.storage, "ask")
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	os.Remove(name)
}

// awaitRecorded waits until n of the records below a home have a text.
func awaitRecorded(t *testing.T, home, text string, n int) {
	t.Helper()
	until(t, text+" in the records", func() bool {
		found := 0
		for _, name := range recordNames(t, home) {
			journal, err := os.ReadFile(filepath.Join(home, ".local", "state", "mcp-code-executor", "records", name, "record.jsonl"))
			if err == nil && strings.Contains(string(journal), text) {
				found++
			}
		}
		return found >= n
	})
}

// until polls what has no event.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so within 30 s", what)
		}
	}
}
