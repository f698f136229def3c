package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMatrixKeepClients: three clients that nobody here wrote share one session of one
// background server, 1,000 calls each and several at once; each answer is that of its
// own call, nothing runs twice, and that one of them is killed touches nobody else.
func TestMatrixKeepClients(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	const calls = 1000
	python := required(t, "MCE_TEST_CLIENT", "Python with the mcp package")
	script := filepath.Join(nodeScripts(t), "kept.mjs")
	k := newKeeper(t, inVenv(t)...)
	first := k.client()
	if r := first.call("execute_code", args{"code": "seen = []", "session": "shared"}); !strings.HasPrefix(r.text(), "[ok | ") {
		t.Fatal(r.text())
	}
	clients := []struct {
		name    string
		command []string
		killed  bool
	}{
		{"one", []string{"node", script, "v1", "one", fmt.Sprint(calls)}, false},
		{"two", []string{"node", script, "v2", "two", fmt.Sprint(calls)}, true},
		{"three", []string{python, filepath.Join(sources(t), "kept.py"), "three", fmt.Sprint(calls)}, false},
	}
	t.Run("at once", func(t *testing.T) {
		for _, c := range clients {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				k.converse(t, c.command, c.killed)
			})
		}
	})
	var seen []string
	r := first.call("execute_code", args{"code": "import json; print(json.dumps(seen), file=open('seen', 'w'))", "session": "shared"})
	if err := json.Unmarshal([]byte(execute(t, "cat", filepath.Join(k.home, "seen"))), &seen); err != nil {
		t.Fatalf("%v: %s", err, r.text())
	}
	times := map[string]int{}
	for _, call := range seen {
		times[call]++
	}
	for _, c := range clients {
		ran := 0
		for i := range calls {
			switch call := fmt.Sprintf("%s-%d", c.name, i); {
			case times[call] > 1:
				t.Errorf("%s ran %d times", call, times[call])
			case times[call] == 1:
				ran++
			}
		}
		if c.killed == (ran == calls) || ran < calls/2 {
			t.Errorf("%s: %d of its calls have run", c.name, ran)
		}
	}
	if s := k.servers(); len(s) != 1 || len(s[0].Sessions) != 1 {
		t.Errorf("%+v", s)
	}
}

// converse runs a client, whose server is a front. One to be killed is, with its front,
// in the middle of its calls.
func (k *keeper) converse(t *testing.T, command []string, killed bool) {
	t.Helper()
	p := prepare(t, k.settings...)
	path, err := exec.LookPath(command[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, append(command[1:], p.cmd.Path)...)
	cmd.Env = p.cmd.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var errs strings.Builder
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if last = lines.Text(); last == "500" && killed {
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
	}
	if err := cmd.Wait(); !killed && (err != nil || last != "ok") {
		t.Errorf("%q: %v: %s\n%s", command, err, last, errs.String())
	}
}
