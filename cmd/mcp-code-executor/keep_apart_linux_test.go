package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKeepSlowClient: a client that does not read holds back its own answers, and
// nobody else's. It has all of them in the end, and its pipes are its front's alone.
func TestKeepSlowClient(t *testing.T) {
	t.Parallel()
	const many = 300 // answers of 20 kB, more than all buffers between hold
	k := newKeeper(t)
	_, stdin, stdout := unread(t, k)
	for i := range many {
		fmt.Fprintf(stdin, `{"jsonrpc":"2.0","id":%d,"method":"tools/list","params":{}}`+"\n", i)
	}
	k.until("it is there", func() bool { s := k.servers(); return len(s) == 1 && len(s[0].Clients) == 1 })
	p := k.client()
	for range 10 {
		p.call("list_sessions", nil)
	}
	if len(p.request("tools/list", map[string]any{}).Result.Tools) == 0 {
		t.Error("no tools")
	}

	answers := json.NewDecoder(stdout)
	read := make(chan string, 1)
	go func() {
		seen := map[string]bool{}
		for range many + 1 {
			var answer struct {
				ID     json.RawMessage
				Result struct{ Tools []any }
			}
			if err := answers.Decode(&answer); err != nil {
				read <- fmt.Sprintf("after %d answers: %v", len(seen), err)
				return
			}
			id := string(answer.ID)
			if seen[id] || id != `"hands"` && len(answer.Result.Tools) == 0 {
				read <- "answered twice, or without tools: " + id
				return
			}
			seen[id] = true
		}
		stdin.Close()
		rest, err := io.ReadAll(io.MultiReader(answers.Buffered(), stdout)) // ends while the server lives
		read <- strings.TrimSpace(fmt.Sprint(string(rest), strings.TrimPrefix(fmt.Sprint(err), "<nil>")))
	}()
	select {
	case problem := <-read:
		if problem != "" {
			t.Error(problem)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the client that had not read hangs")
	}
	if pids := k.backgrounds(); len(pids) != 1 {
		t.Errorf("background servers: %v", pids)
	}
}

// TestKeepOwnRequests: of two clients that share a session, the one that runs code is
// asked what the code asks, and nobody else cancels its calls.
func TestKeepOwnRequests(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, inVenv(t)...)
	client := func(name string) *program {
		p := prepare(t, k.settings...)
		p.capabilities = map[string]any{"elicitation": map[string]any{}}
		p.asked = func(string, json.RawMessage) (map[string]any, *rpcError) {
			return map[string]any{"action": "accept", "content": map[string]any{"answer": name}}, nil
		}
		p.start()
		p.shakeHands()
		return p
	}
	one, two := client("one"), client("two")
	for _, p := range []*program{one, two} {
		p.call("execute_code", args{"code": "asked = globals().get('asked', []) + [input('Who? ')]", "session": "shared"})
	}
	if r := two.call("execute_code", args{"code": "asked", "session": "shared"}); !strings.HasSuffix(r.text(), ": ['one', 'two']") {
		t.Errorf("asked: %s", r.text())
	}
	gate := filepath.Join(k.home, "gate")
	id, answer := one.begin("execute_code", args{"code": fmt.Sprintf("import os, time\nwhile not os.path.exists(%q): time.sleep(0.01)\n'not cancelled'", gate), "session": "shared"})
	k.until("it runs", func() bool { return k.servers()[0].Busy() })
	two.notify("notifications/cancelled", map[string]any{"requestId": id, "reason": "by the user"})
	two.call("list_sessions", nil) // read after the cancel
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := one.await(answer, "the run").Result; !strings.HasPrefix(r.text(), "[ok | ") || !strings.HasSuffix(r.text(), ": 'not cancelled'") {
		t.Errorf("%s", r.text())
	}
}

// unread starts a front whose answers nobody reads so far, and sends its initialize.
func unread(t *testing.T, k *keeper) (process *os.Process, stdin io.WriteCloser, stdout io.Reader) {
	t.Helper()
	slow := prepare(t, k.settings...)
	in, inErr := slow.cmd.StdinPipe()
	out, outErr := slow.cmd.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := slow.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); slow.cmd.Wait() })
	fmt.Fprintln(in, `{"jsonrpc":"2.0","id":"hands","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"slow","version":"1"}}}`)
	return slow.cmd.Process, in, out
}
