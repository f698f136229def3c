package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/keep"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// keeper is a user whose sessions outlive his clients.
type keeper struct {
	t        *testing.T
	home     string
	mark     string
	settings []string
}

// newKeeper makes a home. When the test ends, so does what is kept, and nothing is left.
func newKeeper(t *testing.T, settings ...string) *keeper {
	t.Helper()
	home := t.TempDir()
	k := &keeper{t: t, home: home, mark: fmt.Sprintf("%d-%s-%s.", os.Getpid(), t.Name(), filepath.Base(home))}
	k.settings = append([]string{"HOME=" + home, "WORK_DIR=" + home, "CODE_STORAGE_DIR=" + filepath.Join(home, "code"), "KEEP=1h", mark + k.mark}, settings...)
	t.Cleanup(func() {
		for pid, name := range marked(t, k.mark) { // one that a test has stopped
			if strings.HasSuffix(strings.TrimSpace(name), " "+keep.BackgroundCommand) {
				syscall.Kill(pid, syscall.SIGCONT)
			}
		}
		if status, out := k.command("stop", "--all", "--yes"); status != 0 {
			t.Errorf("stop: status %d: %s", status, out)
		}
		nothingLeft(t, k.mark)
	})
	return k
}

// front starts a front without a handshake.
func (k *keeper) front(settings ...string) *program {
	k.t.Helper()
	p := prepare(k.t, append(slices.Clone(k.settings), settings...)...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.start()
	return p
}

// client starts a front as a client does.
func (k *keeper) client(settings ...string) *program {
	k.t.Helper()
	p := k.front(settings...)
	p.shakeHands()
	return p
}

// command runs a command of the program.
func (k *keeper) command(args ...string) (status int, out string) {
	k.t.Helper()
	p := prepare(k.t, k.settings...)
	cmd := exec.Command(p.cmd.Path, args...)
	cmd.Env = p.cmd.Env
	text, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(text)
}

// servers asks for the background servers.
func (k *keeper) servers() []keep.Status {
	k.t.Helper()
	status, out := k.command("ps", "--json")
	var servers []keep.Status
	if err := json.Unmarshal([]byte(out), &servers); err != nil || status != 0 {
		k.t.Fatalf("ps: status %d, %v: %s", status, err, out)
	}
	return servers
}

// backgrounds are the processes of background servers.
func (k *keeper) backgrounds() (pids []int) {
	k.t.Helper()
	for pid, name := range marked(k.t, k.mark) {
		if strings.HasSuffix(strings.TrimSpace(name), " "+keep.BackgroundCommand) && !strings.HasPrefix(name, "/bin/sh") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// until waits for something that comes by itself.
func (k *keeper) until(what string, reached func() bool) {
	k.t.Helper()
	for begun := time.Now(); !reached(); time.Sleep(10 * time.Millisecond) { // polling, not ordering
		if time.Since(begun) > 20*time.Second {
			k.t.Fatalf("%s: not after 20 s", what)
		}
	}
}

// keepEnds are the ways in which clients end a server.
var keepEnds = []struct {
	name string
	end  func(p *program)
}{
	{"EOF", func(p *program) { p.stdin.Close() }},
	{"SIGTERM", func(p *program) { p.cmd.Process.Signal(syscall.SIGTERM) }},
	{"SIGKILL", func(p *program) { p.cmd.Process.Kill() }},
	{"SIGKILL to the group", func(p *program) { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }},
}

// TestKeep: variables, what runs, its output and its questions outlive the client,
// and each client is told what it comes back to.
func TestKeep(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, inVenv(t)...)
	restarts(t, k, 1)

	p := k.client("TOKEN=new")
	r := p.call("execute_code", args{"code": "name = input('Who? ')", "wait_seconds": 1})
	has(t, r, "[waiting for input | ", `session "default" was kept: generation 1`, "variables of this client that are not the same in the kernel of session \"default\": TOKEN.")
	id := r.field("id")
	p.cmd.Process.Kill()
	p = k.client()
	has(t, p.call("list_sessions", nil), fmt.Sprintf(`[note: session "default" was kept: generation 1; %s waits for input (Who?): send_input answers]`, id))
	has(t, p.call("send_input", args{"text": "Ana"}), "[ok | ", "id="+id)

	// Another conversation beside it has a default session of its own, and as the only
	// one a notebook to watch, which the background server writes.
	other := k.client("NOTEBOOK=on")
	r = other.call("execute_code", args{"code": "name"})
	has(t, r, "[error NameError", "session=default-2", `[note: calls without a session run in "default-2", because "default" belongs to another client (test), whose last call was `, "[note: this session is kept as a notebook while it runs, for a person to watch: "+k.home+"/default-2-")
	if r = other.call("execute_code", args{"code": "name", "session": "default"}); r.rest() != "Out["+r.field("In")+"]: 'Ana'" && !strings.Contains(r.text(), "'Ana'") {
		t.Errorf("the other's session by its name: %s", r.text())
	}
	if strings.Contains(r.text(), "[note: ") {
		t.Errorf("told again: %s", r.text())
	}
	insideKernel(t, k, p)

	servers := k.servers()
	if len(servers) != 1 || len(servers[0].Clients) != 2 || len(servers[0].Sessions) != 2 || servers[0].Sessions[0].Memory == 0 {
		t.Fatalf("ps: %+v", servers)
	}
	p.call("execute_code", args{"code": "import time; time.sleep(1000)", "wait_seconds": 0.2})
	if _, out := k.command("ps"); !strings.Contains(out, "session       default | running, ") || !strings.Contains(out, "client        test, process "+strconv.Itoa(p.cmd.Process.Pid)) {
		t.Errorf("ps:\n%s", out)
	}
	if status, out := k.command("stop"); status != 1 || !strings.Contains(out, "code runs in it: stop --yes") {
		t.Errorf("stop while code runs: status %d: %s", status, out)
	}
	if status, out := k.command("stop", "--yes"); status != 0 || !strings.Contains(out, "ended "+servers[0].Key) {
		t.Errorf("stop --yes: status %d: %s", status, out)
	}
	p.wait(20 * time.Second)
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("a front whose server has ended: exit status %d", code)
	}
	kept, err := filepath.Glob(filepath.Join(k.home, "*.ipynb"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("notebooks: %q, %v", kept, err)
	}
	awaitCells(t, kept[0], "# Session default-2", "NameError")
	if status, out := k.command("ps"); status != 0 || out != "no background server runs\n" {
		t.Errorf("ps afterwards: status %d: %s", status, out)
	}
	has(t, k.client().call("list_sessions", nil), `[note: session "default" ended `, " ago, with its variables: its server was stopped. get_execution id=", `[note: session "default-2" ended `)
}

// restarts ends the client in each way while code runs, n times, and looks at what
// the next one finds.
func restarts(t *testing.T, k *keeper, n int) {
	t.Helper()
	p := k.client()
	p.run("count = 0")
	for i := range n * len(keepEnds) {
		end := keepEnds[i%len(keepEnds)]
		code := fmt.Sprintf("count += 1\nimport time\nfor i in range(20): print('%d-%%d' %% i, flush=True); time.sleep(0.02)\nprint(count)", i)
		r := p.call("execute_code", args{"code": code, "wait_seconds": 0.1})
		id := r.field("id")
		if i%2 == 1 { // in the middle of a call
			p.begin("get_execution", args{"id": id})
		}
		end.end(p)
		p = k.client()
		r = p.call("get_execution", args{"id": id})
		has(t, r, `session "default" was kept: generation 1`, "[ok | ")
		var want strings.Builder
		for line := range 20 {
			fmt.Fprintf(&want, "%d: %d-%d\n", line+1, i, line)
		}
		fmt.Fprintf(&want, "21: %d", i+1)
		r = p.call("get_execution", args{"id": id, "lines": "1-"})
		if _, lines, _ := strings.Cut(r.rest(), "\n"); lines != want.String() {
			t.Fatalf("after %s, the whole output of %s:\n%s\nwant:\n%s", end.name, id, r.text(), want.String())
		}
	}
	if r := p.run("count"); !strings.HasSuffix(r.text(), fmt.Sprintf(": %d", n*len(keepEnds))) {
		t.Errorf("the runs' count: %s", r.text())
	}
	if pids := k.backgrounds(); len(pids) != 1 {
		t.Errorf("background servers: %v", pids)
	}
	p.stdin.Close()
	p.wait(10 * time.Second)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("a front at EOF: exit status %d", code)
	}
}

// insideKernel: a front that code of a session starts never shares the session's
// server.
func insideKernel(t *testing.T, k *keeper, p *program) {
	t.Helper()
	lines := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"inside","version":"1"}}}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"list_sessions","arguments":{}}}
`
	r := p.run(fmt.Sprintf("import subprocess\nprint(subprocess.run([%q], input=%q.encode(), stdout=subprocess.PIPE, start_new_session=True).stdout.decode())", p.cmd.Path, lines))
	has(t, r, "KEEP has no effect, so sessions end with this server: this process was started by code of a kept session", "no session is open")
}

// TestKeepUndelivered: an answer that a front had when it was killed, and had not
// handed on, is told again.
func TestKeepUndelivered(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, inVenv(t)...)
	undelivered(t, k, 2)
}

func undelivered(t *testing.T, k *keeper, n int) {
	t.Helper()
	k.client().run("1")
	for i := range n {
		for _, pid := range k.fronts() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		k.until("the client before has gone", func() bool { s := k.servers(); return len(s) == 1 && len(s[0].Clients) == 0 })
		p := k.client()
		p.call("list_sessions", nil)
		gate := filepath.Join(k.home, fmt.Sprint("gate-", i))
		p.begin("execute_code", args{"code": fmt.Sprintf("import os, time\nwhile not os.path.exists(%q): time.sleep(0.01)\nprint('lost %d')", gate, i)})
		var running string
		k.until("it runs", func() bool { running = k.servers()[0].Sessions[0].Running; return running != "" })
		syscall.Kill(p.cmd.Process.Pid, syscall.SIGSTOP)
		k.until("the front is stopped", func() bool {
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
			return strings.Contains(string(stat), ") T ")
		})
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		k.until("it has ended", func() bool { return !k.servers()[0].Busy() })
		p.cmd.Process.Kill()
		p = k.client()
		r := p.call("list_sessions", nil)
		has(t, r, "ended meanwhile: "+running+" (ok)")
		has(t, p.call("get_execution", nil), "id="+running, fmt.Sprintf("lost %d", i))
	}
}

// fronts are the processes of fronts.
func (k *keeper) fronts() (pids []int) {
	for _, s := range k.servers() {
		for _, c := range s.Clients {
			pids = append(pids, c.PID)
		}
	}
	return pids
}

// TestMatrixKeep: 52 restarts, 200 fronts killed with an answer that they had not
// handed on, the end of what is kept, three times, and of a kernel that is idle too long.
func TestMatrixKeep(t *testing.T) {
	testneeds.All(t)
	t.Run("restarts", func(t *testing.T) {
		t.Parallel()
		restarts(t, newKeeper(t, inVenv(t)...), 13)
	})
	t.Run("undelivered", func(t *testing.T) {
		t.Parallel()
		undelivered(t, newKeeper(t, inVenv(t)...), 200)
	})
	t.Run("over", func(t *testing.T) {
		t.Parallel()
		k := newKeeper(t, append(inVenv(t), "KEEP=1s")...)
		for range 3 {
			over(t, k)
		}
	})
	t.Run("idle limit", func(t *testing.T) {
		t.Parallel()
		k := newKeeper(t, append(inVenv(t), "SESSION_IDLE_LIMIT=1s")...)
		p := k.client()
		p.run("x = 1")
		p.cmd.Process.Kill()
		k.until("its kernel has ended", func() bool {
			s := k.servers()
			return len(s) == 1 && len(s[0].Sessions) == 1 && s[0].Sessions[0].Memory == 0 && len(s[0].Clients) == 0
		})
		has(t, k.client().call("list_sessions", nil), `session "default" was kept: generation 1, without a kernel, `)
	})
	t.Run("doctor", func(t *testing.T) {
		t.Parallel()
		k := newKeeper(t, inVenv(t)...)
		k.client().call("list_sessions", nil)
		status, out := k.command("doctor")
		for _, part := range []string{"ok    kept         process ", " keeps 0 sessions for 1 client, ", "ok    keep         a front has started a background server and reached it"} {
			if status != 0 || !strings.Contains(out, part) {
				t.Errorf("status %d, %q is missing in:\n%s", status, part, out)
			}
		}
	})
}

// TestKeepOver: when the time is over nothing is left, and before the first call
// nothing is kept.
func TestKeepOver(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, append(inVenv(t), "KEEP=1s")...)
	for range 2 {
		p := k.client()
		p.request("tools/list", map[string]any{})
		p.stdin.Close()
		p.wait(10 * time.Second)
		nothingLeft(t, k.mark) // it was only listed
	}
	over(t, k)
	p := k.client()
	p.request("tools/list", map[string]any{})
	p.stdin.Close() // it has heard nothing
	p.wait(10 * time.Second)
	p = k.client()
	r := p.call("list_sessions", nil)
	has(t, r, `[note: session "default" ended `, " ago, with its variables: it was kept for 1s after its last use (KEEP). get_execution id=", `export_session session="default" has the code`)
	_, id, _ := strings.Cut(r.text(), "get_execution id=")
	id, _, _ = strings.Cut(id, " ")
	has(t, p.call("get_execution", args{"id": id}), "id="+id, "family")
	p.stdin.Close()
	p.wait(10 * time.Second)
	if r := k.client().call("list_sessions", nil); strings.Contains(r.text(), "[note: ") {
		t.Errorf("told again: %s", r.text())
	}
}

// over ends a client whose session is kept for a second, and waits until nothing is left.
func over(t *testing.T, k *keeper) {
	t.Helper()
	p := k.client()
	p.run(family)
	p.cmd.Process.Kill()
	p.wait(10 * time.Second)
	t.Logf("nothing was left after %s", nothingLeft(t, k.mark))
	if files, _ := filepath.Glob(filepath.Join(k.place(), "*.json")); len(files) > 0 {
		t.Errorf("left: %v", files)
	}
}

// TestKeepAtOnce: fronts that start at the same moment share one server.
func TestKeepAtOnce(t *testing.T) {
	k := newKeeper(t)
	const many = 20
	fronts := make([]*program, many)
	for i := range fronts {
		fronts[i] = k.front()
	}
	var wg sync.WaitGroup
	for _, p := range fronts {
		wg.Go(func() {
			p.shakeHands()
			if r := p.call("list_sessions", nil); strings.Contains(r.text(), "KEEP has no effect") {
				t.Error(r.text())
			}
		})
	}
	wg.Wait()
	if pids := k.backgrounds(); len(pids) != 1 {
		t.Errorf("background servers: %v", pids)
	}
	if s := k.servers(); len(s) != 1 || len(s[0].Clients) != many {
		t.Errorf("%+v", s)
	}
}
