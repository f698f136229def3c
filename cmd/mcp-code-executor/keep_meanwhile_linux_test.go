package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/processtest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// gatedIndex is a package index that holds back what it serves from dir until the gate
// is opened. asked is closed by the first who asks.
func gatedIndex(t *testing.T, dir string) (url string, asked <-chan struct{}, open func()) {
	t.Helper()
	came, gate := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case came <- struct{}{}:
		default:
		}
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
		name := filepath.Base(r.URL.Path)
		if strings.HasSuffix(name, ".whl") {
			http.ServeFile(w, r, filepath.Join(dir, name))
			return
		}
		w.Header().Set("Content-Type", "text/html")
		for _, wheel := range globbed(t, filepath.Join(dir, name+"-*.whl")) {
			fmt.Fprintf(w, `<a href="/%s">%[1]s</a>`, filepath.Base(wheel))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/simple", came, func() { close(gate) }
}

func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Error(err)
	}
	return files
}

// TestKeepInstall: an installation goes on without a client, and the next one is told
// of it and reads its answer.
func TestKeepInstall(t *testing.T) {
	t.Parallel()
	_, settings := makeEnv(t, "venv-uv")
	dir := t.TempDir()
	makeWheel(t, dir, "mcetoy", "1.0", "mcetoy")
	url, asked, open := gatedIndex(t, dir)
	k := newKeeper(t, append(settings, "UV="+testUV(t), "UV_CACHE_DIR="+t.TempDir(), "PIP_INDEX_URL="+url)...)
	p := k.client()
	id := fmt.Sprint(p.call("install_dependencies", args{"packages": []string{"mcetoy"}, "wait_seconds": 0}).object(t)["id"])
	select {
	case <-asked:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody asks the index")
	}
	p.cmd.Process.Kill()
	p.wait(10 * time.Second)
	k.until("the client has gone", func() bool { s := k.servers(); return len(s) == 1 && len(s[0].Clients) == 0 })
	if status, said := k.command("stop"); status != 1 || !strings.Contains(said, "code runs in it") {
		t.Errorf("stop while it installs: status %d: %s", status, said)
	}
	open()
	k.until("it has ended", func() bool { return !k.servers()[0].Busy() })
	p = k.client()
	has(t, p.call("list_sessions", nil), `session "default" was kept`, "ended meanwhile: "+id+" (")
	if o := p.call("get_execution", args{"id": id}).object(t); o["status"] != "success" || !strings.Contains(changes(o), "mcetoy") {
		t.Errorf("its answer: %v", o)
	}
}

// TestKeepStop: stop asks a person before it ends what runs, and asks nobody where
// nothing does; without a terminal it ends nothing that runs.
func TestKeepStop(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, inVenv(t)...)
	p := k.client()
	r := p.call("execute_code", args{"code": "import time; time.sleep(1000)", "wait_seconds": 0.2})
	k.until("it runs", func() bool { return k.servers()[0].Sessions[0].State == "running" })
	key := k.servers()[0].Key
	stop := func(answer string) (status int, said string) {
		t.Helper()
		person, program := processtest.Terminal(t)
		if _, err := io.WriteString(person, answer); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(p.cmd.Path, "stop")
		cmd.Env, cmd.Stdin = p.cmd.Env, program
		text, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(text)
	}
	const question = "Code runs in it. End it, with all variables? [y/N] "
	for _, no := range []string{"\n", "n\n", "yy\n", "\x04"} {
		if status, said := stop(no); status != 1 || !strings.Contains(said, question) || !strings.Contains(said, "session       default | running, "+r.field("id")) || !strings.Contains(said, key+" was not ended: nothing was done") {
			t.Errorf("%q: status %d: %s", no, status, said)
		}
	}
	if status, said := k.command("stop", "--all"); status != 1 || strings.Contains(said, "[y/N]") || !strings.Contains(said, key+" was not ended: code runs in it: stop --yes ends it all the same") {
		t.Errorf("without a terminal: status %d: %s", status, said)
	}
	if !k.servers()[0].Busy() {
		t.Fatal("it does not run any more")
	}
	if status, said := stop("y\n"); status != 0 || !strings.Contains(said, question) || !strings.Contains(said, "ended "+key) {
		t.Errorf("yes: status %d: %s", status, said)
	}
	k.until("its process has ended", func() bool { return len(k.backgrounds()) == 0 })
	k.client().call("list_sessions", nil)
	if status, said := stop(""); status != 0 || strings.Contains(said, "[y/N]") || !strings.Contains(said, "ended ") {
		t.Errorf("nothing runs: status %d: %s", status, said)
	}
}

// TestMatrixKeepProgress: progress for a client that does not read is dropped, and its
// answer comes whole.
func TestMatrixKeepProgress(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	k := newKeeper(t, inVenv(t)...)
	process, stdin, stdout := unread(t, k)
	const many = 60 // answers of 20 kB: the connection is busy with one from the first on
	gate := filepath.Join(k.home, "gate")
	code, _ := json.Marshal(fmt.Sprintf("import os, time\nwhile not os.path.exists(%q): time.sleep(0.01)\nprint('x' * 20_000)\nprint('its end')", gate))
	fmt.Fprintf(stdin, `{"jsonrpc":"2.0","id":"run","method":"tools/call","params":{"name":"execute_code","arguments":{"code":%s},"_meta":{"progressToken":"p"}}}`+"\n", code)
	for i := range many {
		fmt.Fprintf(stdin, `{"jsonrpc":"2.0","id":%d,"method":"tools/list","params":{}}`+"\n", i)
	}
	k.until("it runs", func() bool { s := k.servers(); return len(s) == 1 && s[0].Busy() })
	seconds := 0.0
	k.until("five times a report was due", func() bool { seconds = k.servers()[0].Sessions[0].Seconds; return seconds > 5 })
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k.until("it has ended", func() bool { return !k.servers()[0].Busy() })
	hung := time.AfterFunc(60*time.Second, func() { process.Kill() })
	defer hung.Stop()
	reports, answers, whole := 0, 0, false
	lines := bufio.NewScanner(stdout)
	for lines.Buffer(nil, 1<<20); answers < many+2 && lines.Scan(); {
		switch line := lines.Text(); {
		case strings.Contains(line, `"notifications/progress"`):
			reports++
		case strings.Contains(line, `"id":"run"`):
			whole = strings.Contains(line, strings.Repeat("x", 20_000)) && strings.Contains(line, "its end")
			answers++
		default:
			answers++
		}
	}
	if answers != many+2 || !whole {
		t.Errorf("%d answers, that of the run whole: %t", answers, whole)
	}
	if reports > 2 {
		t.Errorf("%d reports were kept for it", reports)
	}
}
