package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// web is a server over HTTP, in a process of its own.
type web struct {
	t       *testing.T
	url     string
	secrets map[string]string // by the name of the token
	program *program          // its settings, and how it is started
	stop    func()
}

// serveWeb starts a server with tokens of those names.
func serveWeb(t *testing.T, settings []string, names ...string) *web {
	t.Helper()
	w := &web{t: t, secrets: map[string]string{}, program: prepare(t, settings...)}
	args := []string{"serve", "--http", "127.0.0.1:0"}
	for _, name := range names {
		args = append(args, "--token", name)
	}
	cmd := exec.Command(w.program.cmd.Path, args...)
	cmd.Env, cmd.Stderr = w.program.cmd.Env, &logWriter{t: t}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	lines := bufio.NewScanner(out)
	w.stop = sync.OnceFunc(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended: %v", err)
			}
		case <-time.After(30 * time.Second):
			cmd.Process.Kill()
			t.Error("the server does not end")
		}
	})
	t.Cleanup(w.stop)
	for w.url == "" && lines.Scan() {
		if found := regexp.MustCompile(`^token (\S+), shown only now: (\S+)$`).FindStringSubmatch(lines.Text()); found != nil {
			w.secrets[found[1]] = found[2]
		}
		if found := regexp.MustCompile(`^serving MCP at (\S+), for the tokens: `).FindStringSubmatch(lines.Text()); found != nil {
			w.url = found[1]
		}
	}
	go func() {
		for lines.Scan() {
		}
		ended <- cmd.Wait()
	}()
	if w.url == "" || len(w.secrets) != len(names) {
		t.Fatalf("address %q, %d tokens", w.url, len(w.secrets))
	}
	return w
}

// webClient is one client of it: with a handshake, or without.
type webClient struct {
	*web
	token, id string
	modern    bool
	calls     int
}

func (w *web) post(token string, body string, header ...string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", w.url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.secrets[token])
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { response.Body.Close() })
	return response
}

func (w *web) shakeHands(token string) *webClient {
	w.t.Helper()
	response := w.post(token, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"web","version":"1"}}}`)
	if response.StatusCode != 200 {
		w.t.Fatal(response.Status)
	}
	return &webClient{web: w, token: token, id: response.Header.Get("Mcp-Session-Id")}
}

// begin sends a call and leaves its answer unread.
func (c *webClient) begin(tool string, arguments args) *http.Response {
	c.t.Helper()
	c.calls++
	params := map[string]any{"name": tool, "arguments": arguments}
	header := []string{"Mcp-Session-Id", c.id, "MCP-Protocol-Version", "2025-11-25"}
	if c.modern {
		header = []string{"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", tool}
		params["_meta"] = map[string]any{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": args{}, "io.modelcontextprotocol/clientInfo": args{"name": c.id, "version": "1"}}
	}
	body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.calls, "method": "tools/call", "params": params})
	return c.post(c.token, string(body), header...)
}

func (c *webClient) call(tool string, arguments args) string {
	c.t.Helper()
	response := c.begin(tool, arguments)
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		c.t.Fatalf("%s: %s %s %v", tool, response.Status, text, err)
	}
	body := string(text)
	if i := strings.LastIndex(body, "\ndata: "); i >= 0 {
		body = body[i+len("\ndata: "):]
	}
	var answer struct {
		Result struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Result.Content) == 0 {
		c.t.Fatalf("%s: %s: %v", tool, text, err)
	}
	return answer.Result.Content[0].Text
}

func (c *webClient) run(code string) string {
	c.t.Helper()
	return c.call("execute_code", args{"code": code})
}

// tells fails unless text has all parts.
func tells(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

// idIn is the id in a status line.
func idIn(text string) string {
	return regexp.MustCompile(`id=(\w+-\d+)`).FindStringSubmatch(text + " id=none-0")[1]
}

// TestHTTP: what a token has run is there for its clients, by the rule of KEEP, and for
// no other token; what is lost on the way is told; revoked, it ends.
func TestHTTP(t *testing.T) {
	t.Parallel()
	w := serveWeb(t, append(inVenv(t), "NOTEBOOK=on"), "mine", "other")
	first := w.shakeHands("mine")
	run := first.run("x = 'secret'")
	tells(t, run, "[ok | ", "In[1]")
	second := w.shakeHands("mine")
	tells(t, second.run("'x' in globals()"), "False", "session=default-2", `calls without a session run in "default-2", because "default" belongs to another client (web)`)
	tells(t, second.call("execute_code", args{"code": "x", "session": "default"}), "'secret'")

	// Another token: the same names, and nothing of the first one's.
	other := w.shakeHands("other")
	tells(t, other.call("list_sessions", nil), "no session is open")
	unknown := other.call("get_execution", args{"id": "aaaa-1"})
	for tool, arguments := range map[string]args{
		"get_execution": {"id": idIn(run)}, "interrupt_execution": {"id": idIn(run)}, "export_session": {"id": idIn(run)}, "send_input": {"text": "x", "id": idIn(run)},
		"stop_session": {"session": "default"}, "inspect_variables": {},
	} {
		if text := other.call(tool, arguments); strings.Contains(text, "secret") || strings.Contains(text, "[ok") && !strings.Contains(text, "no kernel") {
			t.Errorf("%s of another token's: %s", tool, text)
		}
	}
	if got := other.call("get_execution", args{"id": idIn(run)}); strings.ReplaceAll(got, idIn(run), "aaaa-1") != unknown {
		t.Errorf("an id of another token's is not as one that never was:\n%s\n%s", got, unknown)
	}
	others := other.run("'x' in globals()")
	tells(t, others, "In[1]", "False")
	const watch = `kept as a notebook while it runs, for a person to watch: ([^\]]*)\]`
	mine, another := regexp.MustCompile(watch).FindStringSubmatch(run), regexp.MustCompile(watch).FindStringSubmatch(others)
	if mine == nil || another == nil || mine[1] == another[1] {
		t.Fatalf("notebooks: %q, %q", mine, another)
	}
	awaitCells(t, mine[1], "secret")
	awaitCells(t, another[1], "globals()", "False")
	if b, _ := os.ReadFile(another[1]); strings.Contains(string(b), "secret") {
		t.Errorf("another token's run is in %s:\n%s", another[1], b)
	}
	tells(t, other.call("list_sessions", nil), "default")
	tells(t, first.run("x"), "In[3]", "'secret'")

	// A client that has sent DELETE is gone, its session is the next one's.
	first.end()
	third := w.shakeHands("mine")
	tells(t, third.run("x"), "'secret'", `session "default" was kept: generation 1`)

	// Clients without a handshake share a default session, and are told so once each.
	shared := "which all clients with this token share whose protocol has no connections"
	a, b := &webClient{web: w, token: "mine", id: "a", modern: true}, &webClient{web: w, token: "mine", id: "b", modern: true}
	tells(t, a.run("y = 1"), shared, "session=default-3")
	tells(t, b.run("y"), shared, "Out[2]: 1")
	if text := a.run("y"); strings.Contains(text, shared) {
		t.Errorf("told again: %s", text)
	}

	// A stream that is cut ends the waiting: the run goes on, and its output is told.
	for _, c := range []*webClient{third, a} {
		response := c.begin("execute_code", args{"code": "import time; time.sleep(1.5); print('done')"})
		response.Body.Close()
		tells(t, c.call("get_execution", args{}), "[ok | ", "done")
	}

	tokens := exec.Command(w.program.cmd.Path, "tokens", "revoke", "mine")
	tokens.Env = w.program.cmd.Env
	if out, err := tokens.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if response := third.begin("list_sessions", nil); response.StatusCode != 401 {
		t.Errorf("revoked: %s", response.Status)
	}
	tells(t, other.run("1"), "Out[2]: 1")
}

// TestHTTPRecords: what a token has run can be read after the server has ended, by
// that token alone, renewed or not; with KEEP=off a session ends with its client.
func TestHTTPRecords(t *testing.T) {
	t.Parallel()
	w := serveWeb(t, inVenv(t), "mine", "other")
	id := idIn(w.shakeHands("mine").run("print('secret')"))
	w.stop()
	tokens := exec.Command(w.program.cmd.Path, "tokens", "renew", "mine")
	tokens.Env = w.program.cmd.Env
	out, err := tokens.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	again := serveWeb(t, append(inVenv(t), "HOME="+w.program.home, "CODE_STORAGE_DIR="+w.program.storage, "KEEP=off"))
	_, renewed, _ := strings.Cut(strings.TrimSpace(string(out)), "shown only now: ")
	again.secrets = map[string]string{"mine": renewed, "other": w.secrets["other"], "old": w.secrets["mine"]}
	if response := again.post("old", "{}"); response.StatusCode != 401 {
		t.Errorf("the old secret: %s", response.Status)
	}
	mine, other := again.shakeHands("mine"), again.shakeHands("other")
	tells(t, mine.call("get_execution", args{"id": id}), "secret", "a run of an earlier server")
	tells(t, mine.call("export_session", nil), "[ok | exported ", "1 run")
	unknown := other.call("get_execution", args{"id": "aaaa-1"})
	if got := other.call("get_execution", args{"id": id}); strings.ReplaceAll(got, id, "aaaa-1") != unknown {
		t.Errorf("an earlier id of another token's is not as one that never was:\n%s\n%s", got, unknown)
	}
	if text := other.call("export_session", nil); strings.Contains(text, "[ok") {
		t.Errorf("another token's session was exported: %s", text)
	}
	text := mine.run("import os; print('pid', os.getpid())")
	var pid int
	if _, err := fmt.Sscanf(text[strings.LastIndex(text, "pid "):], "pid %d", &pid); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	kernel, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	mine.end()
	for begun := time.Now(); kernel.Signal(syscall.Signal(0)) == nil; time.Sleep(50 * time.Millisecond) { // polling, not ordering
		if time.Since(begun) > 20*time.Second {
			t.Fatal("the session goes on without its client")
		}
	}
	tells(t, again.shakeHands("mine").call("list_sessions", nil), "no session is open")
}

// end sends DELETE.
func (c *webClient) end() {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), "DELETE", c.url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.secrets[c.token])
	r.Header.Set("Mcp-Session-Id", c.id)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 204 {
		c.t.Fatal(response.Status)
	}
}

// TestHTTPClients: the official SDKs hold their conversations over HTTP.
func TestHTTPClients(t *testing.T) {
	t.Parallel()
	converseOverHTTP(t, false)
}

func TestMatrixHTTPClients(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	converseOverHTTP(t, true)
}

// httpClientsLeft add neither an SDK nor an era to those of `make test`.
var httpClientsLeft = []string{"python-auto", "typescript-v1", "typescript-legacy"}

// converseOverHTTP lets clients of one server hold their conversations, each with a
// token of its own, which has its name.
func converseOverHTTP(t *testing.T, matrix bool) {
	t.Helper()
	python, scripts := required(t, "MCE_TEST_CLIENT", "Python with the mcp package"), nodeScripts(t)
	clients := map[string][]string{}
	for _, era := range []string{"legacy", "auto"} {
		clients["python-"+era] = []string{python, filepath.Join(sources(t), "py_http.py"), era}
	}
	for _, era := range []string{"v1", "legacy", "auto"} {
		clients["typescript-"+era] = []string{"node", filepath.Join(scripts, "http.mjs"), era}
	}
	w := serveWeb(t, inVenv(t), slices.Collect(maps.Keys(clients))...)
	split(t, clients, httpClientsLeft, matrix, func(t *testing.T, name string, command []string) {
		ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
		defer cancel()
		cmd := exec.CommandContext(ctx, command[0], append(command[1:], w.url)...)
		cmd.Env = append(os.Environ(), "TOKEN="+w.secrets[name], "NO_PROXY=127.0.0.1", "PYTHONDONTWRITEBYTECODE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
