package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// TestMain lets the test binary be the program: as the guard, which is this
// binary executed again, and as the server the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		syscall.Exit(guard.Main(os.Args[2:])) // os.Exit takes a second in race builds
	}
	if os.Getenv("MCE_TEST_SERVER") != "" {
		main()
	}
	status := testneeds.Run(m)
	os.RemoveAll(shared())
	os.Exit(status)
}

// shared is a directory for what several tests use; TestMain removes it.
var shared = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "mce-test-")
	if err != nil {
		panic(err)
	}
	return dir
})

// sharedDir is a directory below shared, which the first test that needs it makes.
// Nothing in it is changed afterwards.
func sharedDir(name string, make func(dir string)) string {
	dir := filepath.Join(shared(), name)
	once, _ := sharedMade.LoadOrStore(name, new(sync.Once))
	once.(*sync.Once).Do(func() { make(dir) })
	return dir
}

var sharedMade sync.Map // of *sync.Once, by name

// split runs the cases of a table in parallel: those that `make test` leaves to a
// TestMatrix, or the others.
func split[C any](t *testing.T, cases map[string]C, left []string, matrix bool, test func(t *testing.T, name string, c C)) {
	t.Helper()
	for _, name := range left {
		if _, ok := cases[name]; !ok {
			t.Errorf("%q is left to the matrix, and is no case", name)
		}
	}
	for name, c := range cases {
		if slices.Contains(left, name) == matrix {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, name, c)
			})
		}
	}
}

// pythons are the interpreters with ipykernel to test with, the newest first.
func pythons(t testing.TB) []string {
	t.Helper()
	if c := confinementOf(t); c != nil {
		return []string{c.python}
	}
	return testneeds.Pythons(t)
}

// program is one running server, driven over its stdin and stdout as a client
// drives it: line by line.
type program struct {
	t       testing.TB
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	home    string
	storage string
	under   string // a program that starts the server, or ""
	chatter string // what comes before the first message, as a login's

	// client and capabilities are what it says in the handshake; nil is a plain test.
	client, capabilities map[string]any
	meta                 map[string]any // of each call of a tool
	offered              map[string]any // the server's capabilities
	instructions         string         // the server's
	// asked answers the server's requests: a result, or an error. nil answers none.
	asked func(method string, params json.RawMessage) (result map[string]any, err *rpcError)

	mu      sync.Mutex // protects the fields below
	next    int
	replies map[int]chan reply
	ended   chan struct{} // closed when stdout ended
}

type reply struct {
	Result result    `json:"result"`
	Error  *rpcError `json:"error"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type result struct {
	Content []struct {
		Type, Text, Data string
		MIME             string `json:"mimeType"`
	} `json:"content"`
	IsError      bool `json:"isError"`
	Tools        []struct{ Name string }
	Capabilities map[string]any
	Instructions string
}

// text joins the result's text blocks.
func (r result) text() string {
	var b strings.Builder
	for _, c := range r.Content {
		b.WriteString(c.Text)
	}
	return b.String()
}

// status is the first line of the answer.
func (r result) status() string {
	first, _, _ := strings.Cut(r.text(), "\n")
	return first
}

// rest is the answer without its status line.
func (r result) rest() string {
	_, rest, _ := strings.Cut(r.text(), "\n")
	return rest
}

// field reads "name=value" from the status line.
func (r result) field(name string) string {
	for _, f := range strings.Split(strings.Trim(r.status(), "[]"), " | ") {
		if value, ok := strings.CutPrefix(f, name+"="); ok {
			return value
		}
	}
	return ""
}

// launch starts the program as it is built for people, or this binary where none is
// built, with nothing in its environment but settings, in a fresh home, and shakes
// hands.
func launch(t testing.TB, settings ...string) *program {
	t.Helper()
	p := start(t, settings...)
	p.shakeHands()
	return p
}

// launchRaced is launch with a server that has the race detector, for tests of what
// happens at the same time. It takes up to three times as long, and more memory.
func launchRaced(t testing.TB, settings ...string) *program {
	t.Helper()
	p := prepare(t, settings...)
	if siteOf(t) == nil { // else the kernel is what is tested
		p.cmd.Path = testBinary(t)
	}
	p.start()
	p.shakeHands()
	return p
}

// run is the program without a notice.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runNoting(ctx, "", args, getenv, stdin, stdout, stderr)
}

// testProgram is the program as it is built for people.
func testProgram(t testing.TB) string { return required(t, "MCE_TEST_PROGRAM", "built program") }

// programFor is the program as it is built for people, or this binary where none is built.
func programFor(t testing.TB) string { return cmp.Or(os.Getenv("MCE_TEST_PROGRAM"), testBinary(t)) }

// testBinary is this binary, which can be the program, see TestMain.
func testBinary(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func (p *program) shakeHands() {
	client, capabilities := p.client, p.capabilities
	if client == nil {
		client = map[string]any{"name": "test", "version": "1"}
	}
	if capabilities == nil {
		capabilities = map[string]any{}
	}
	r := p.request("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": client}).Result
	p.offered, p.instructions = r.Capabilities, r.Instructions
	p.notify("notifications/initialized", nil)
}

// launchMounted is launch after shell commands in a mount space of its own.
func launchMounted(t testing.TB, mounts string, settings ...string) *program {
	t.Helper()
	p := prepare(t, settings...)
	inMounts(t, p.cmd, mounts)
	p.start()
	p.shakeHands()
	return p
}

// inMounts lets a command run after shell commands in a mount space of its own.
func inMounts(t testing.TB, cmd *exec.Cmd, mounts string) {
	t.Helper()
	unshare := strings.Fields(unshareMounts(t))
	cmd.Path = "/usr/bin/unshare"
	cmd.Args = append(append(unshare, "/bin/sh", "-ec", mounts+"\nexec \"$0\" \"$@\""), cmd.Args...)
}

// unshareMounts is the begin of a command line that runs in a mount space of its own.
func unshareMounts(t testing.TB) string {
	t.Helper()
	unshare := "unshare -m"
	if os.Getuid() != 0 {
		unshare += " -r"
	}
	if out, err := exec.Command("/bin/sh", "-c", unshare+" true").CombinedOutput(); err != nil {
		testneeds.Skip(t, testneeds.MountNamespace, fmt.Sprintf("%s: %v: %s", unshare, err, out))
	}
	return unshare
}

// inVenv are the settings for the newest test environment.
func inVenv(t testing.TB) []string {
	return []string{"ENV_TYPE=venv", "VENV_PATH=" + filepath.Dir(filepath.Dir(pythons(t)[0]))}
}

// start starts a server without a handshake. Later settings win.
func start(t testing.TB, settings ...string) *program {
	t.Helper()
	p := prepare(t, settings...)
	p.start()
	return p
}

func prepare(t testing.TB, settings ...string) *program {
	t.Helper()
	p := &program{t: t, home: t.TempDir(), storage: filepath.Join(t.TempDir(), "code"), replies: map[int]chan reply{}, ended: make(chan struct{})}
	if there := siteOf(t); there != nil {
		settings = there.instead(t, p, settings)
	}
	if c := confinementOf(t); c != nil {
		settings, p.under = slices.Concat(settings, c.settings), c.under
	}
	p.cmd = exec.Command(programFor(t))
	p.cmd.Env = append([]string{"MCE_TEST_SERVER=1", "GORACE=atexit_sleep_ms=0 halt_on_error=1", "PATH=/usr/bin:/bin", "HOME=" + p.home, "CODE_STORAGE_DIR=" + p.storage,
		"SPARE_KERNEL=" + cmp.Or(os.Getenv("MCE_TEST_SPARE"), "off")}, settings...) // a spare comes when it likes, and is a process more
	p.cmd.Stderr = &logWriter{t: t}
	return p
}

func (p *program) start() {
	t := p.t
	t.Helper()
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.under == "" {
		p.under = os.Getenv("MCE_TEST_UNDER") // a program that starts each server, a sandbox say
	}
	if p.under != "" {
		p.cmd.Args = append([]string{p.under, p.cmd.Path}, p.cmd.Args[1:]...)
		p.cmd.Path = p.under
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stdout)
	t.Cleanup(func() {
		p.stdin.Close()
		p.wait(30 * time.Second)
	})
}

// wait waits for the program's end and returns how long that took.
func (p *program) wait(patience time.Duration) time.Duration {
	p.t.Helper()
	begun := time.Now()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("the server did not end within %s", patience)
		p.cmd.Process.Signal(syscall.SIGQUIT) // its goroutines, into the log
		select {
		case <-p.ended:
		case <-time.After(5 * time.Second):
			p.cmd.Process.Kill()
		}
	}
	p.cmd.Wait()
	return time.Since(begun)
}

// read hands each reply to who waits for it. Anything but JSON-RPC on stdout is
// a failure, whatever user code wrote to its fd 1.
func (p *program) read(stdout io.Reader) {
	defer close(p.ended)
	r := bufio.NewReader(stdout)
	if said, _ := r.Peek(len(p.chatter)); string(said) != p.chatter {
		p.t.Errorf("stdout begins with %q, want %q", said, p.chatter)
	}
	r.Discard(len(p.chatter))
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		var message struct {
			JSONRPC string
			ID      json.RawMessage
			Method  string
			Params  json.RawMessage
			reply
		}
		if err := json.Unmarshal(line, &message); err != nil || message.JSONRPC != "2.0" {
			p.t.Errorf("stdout: not JSON-RPC: %.200q", line)
			continue
		}
		if len(line) > 900_000 {
			p.t.Errorf("stdout: a line of %d bytes", len(line))
		}
		if message.ID != nil && message.Method != "" && p.asked != nil {
			go p.answer(message.ID, message.Method, message.Params)
		}
		if message.ID == nil || message.Method != "" {
			continue
		}
		var id int
		if err := json.Unmarshal(message.ID, &id); err != nil {
			p.t.Errorf("stdout: a reply to no request of ours: %.200q", line)
			continue
		}
		p.mu.Lock()
		c := p.replies[id]
		delete(p.replies, id)
		p.mu.Unlock()
		if c == nil {
			p.t.Errorf("stdout: a reply to no request: %.200q", line)
			continue
		}
		c <- message.reply
	}
}

// answer answers a request of the server.
func (p *program) answer(id json.RawMessage, method string, params json.RawMessage) {
	reply := map[string]any{"jsonrpc": "2.0", "id": id}
	if result, err := p.asked(method, params); err != nil {
		reply["error"] = map[string]any{"code": err.Code, "message": err.Message}
	} else {
		reply["result"] = result
	}
	line, _ := json.Marshal(reply)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.stdin.Write(append(line, '\n')) // the server may have ended
}

// send writes a request and returns where its reply will come.
func (p *program) send(method string, params any) (id int, answer chan reply) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	answer = make(chan reply, 1)
	p.replies[p.next] = answer
	p.writeLocked(map[string]any{"jsonrpc": "2.0", "id": p.next, "method": method, "params": params})
	return p.next, answer
}

func (p *program) notify(method string, params any) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeLocked(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
}

func (p *program) writeLocked(message any) {
	p.t.Helper()
	line, err := json.Marshal(message)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		p.t.Fatalf("writing to the server: %v", err)
	}
}

func (p *program) await(answer chan reply, what string) reply {
	p.t.Helper()
	select {
	case r := <-answer:
		if siteOf(p.t) != nil {
			r.Result = withoutSite(r.Result)
		}
		if confinementOf(p.t) != nil {
			r.Result = withoutSandbox(r.Result)
		}
		return r
	case <-p.ended:
		p.t.Fatalf("%s: the server ended", what)
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("%s: no answer", what)
	}
	panic("unreachable")
}

func (p *program) request(method string, params any) reply {
	p.t.Helper()
	_, answer := p.send(method, params)
	r := p.await(answer, method)
	if r.Error != nil {
		p.t.Fatalf("%s: %+v", method, r.Error)
	}
	return r
}

// args are a tool's arguments.
type args = map[string]any

// begin calls a tool without waiting for the answer.
func (p *program) begin(tool string, a args) (id int, answer chan reply) {
	p.t.Helper()
	params := map[string]any{"name": tool, "arguments": a}
	if p.meta != nil {
		params["_meta"] = p.meta
	}
	return p.send("tools/call", params)
}

// call calls a tool and returns its answer.
func (p *program) call(tool string, a args) result {
	p.t.Helper()
	_, answer := p.begin(tool, a)
	r := p.await(answer, fmt.Sprint(tool, a))
	if r.Error != nil {
		p.t.Fatalf("%s %v: %+v", tool, a, r.Error)
	}
	return r.Result
}

// run executes code in the default session; the outcome must be ok.
func (p *program) run(code string) result {
	p.t.Helper()
	r := p.call("execute_code", args{"code": code})
	if !strings.HasPrefix(r.text(), "[ok | ") {
		p.t.Fatalf("%s:\n%s", code, r.text())
	}
	return r
}

// has fails unless all parts are in an answer.
func has(t *testing.T, r result, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(r.text(), part) {
			t.Errorf("%q is missing in:\n%s", part, r.text())
		}
	}
}

// logWriter sends a server's log to the test's.
type logWriter struct{ t testing.TB }

func (w *logWriter) Write(b []byte) (int, error) {
	fmt.Fprintf(os.Stderr, "server of %s: %s", w.t.Name(), b)
	return len(b), nil
}

// execute runs a program that must succeed and returns what it printed.
func execute(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return strings.TrimSpace(string(out))
}
