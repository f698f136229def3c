package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
)

// running is a server over HTTP, in this process.
type running struct {
	t       *testing.T
	address string            // HOST:PORT
	secrets map[string]string // by the name of the token
	state   string
	out     *output
	stop    context.CancelFunc
	ended   chan error
}

// output is what the server prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run starts a server with tokens of those names, on an address of its own.
func run(t *testing.T, names ...string) *running {
	t.Helper()
	return runWith(t, Options{Listening: Listening{Address: "127.0.0.1:0"}, Tokens: names})
}

func runWith(t *testing.T, o Options) *running {
	t.Helper()
	home := t.TempDir()
	getenv := func(name string) string {
		return map[string]string{"HOME": home, "WORK_DIR": home, "PATH": "/usr/bin:/bin"}[name]
	}
	s := &running{t: t, out: &output{}, ended: make(chan error, 1), secrets: map[string]string{}, state: server.FindPlaces(getenv).State}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	ready := make(chan struct{})
	o.Getenv, o.Version, o.Stdout, o.Log = getenv, "test", s.out, slog.New(slog.DiscardHandler)
	o.Ready = func(*server.Parts) { close(ready) }
	go func() { s.ended <- Run(ctx, o) }()
	select {
	case <-ready:
	case err := <-s.ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		select {
		case err := <-s.ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the server does not end")
		}
	})
	for _, found := range regexp.MustCompile(`token (\S+), shown only now: (\S+)`).FindAllStringSubmatch(s.out.String(), -1) {
		s.secrets[found[1]] = found[2]
	}
	s.address = regexp.MustCompile(`https?://(\S+)/mcp`).FindStringSubmatch(s.out.String())[1]
	return s
}

// raw sends bytes on a connection of their own and returns the statuses of what comes
// back until the server closes, or has answered want requests.
func (s *running) raw(text string, want int) (statuses []int, body string) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go io.WriteString(conn, text)
	r := bufio.NewReader(conn)
	method, _, _ := strings.Cut(text, " ")
	for range want {
		response, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return statuses, body
		}
		part, _ := io.ReadAll(response.Body)
		statuses, body = append(statuses, response.StatusCode), body+string(part)
	}
	return statuses, body
}

// request is the text of a request with a good token; header lines replace those of
// the same name, and one without a value takes it away.
func (s *running) request(method, path, body string, header ...string) string {
	lines := map[string]string{
		"Host": s.address, "Authorization": "Bearer " + s.secrets["a"], "Accept": "application/json, text/event-stream",
		"Content-Type": "application/json", "Content-Length": fmt.Sprint(len(body)),
	}
	var more []string
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		delete(lines, name)
		if value != "" {
			more = append(more, line)
		}
	}
	text := method + " " + path + " HTTP/1.1\r\n"
	for name, value := range lines {
		text += name + ": " + value + "\r\n"
	}
	for _, line := range more {
		text += line + "\r\n"
	}
	return text + "\r\n" + body
}

// visitor is a client that has shaken hands.
type visitor struct {
	*running
	token, id string
	calls     int
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

func (s *running) post(token, id, body string, header ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequest("POST", "http://"+s.address+"/mcp", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.secrets[token])
	if id != "" {
		r.Header.Set("Mcp-Session-Id", id)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, string(text)
}

func (s *running) visit(token string) *visitor {
	s.t.Helper()
	response, text := s.post(token, "", initialize)
	if response.StatusCode != 200 {
		s.t.Fatalf("initialize: %s %s", response.Status, text)
	}
	return &visitor{running: s, token: token, id: response.Header.Get("Mcp-Session-Id")}
}

// call calls a tool and returns the text of its answer.
func (v *visitor) call(tool, arguments string) string {
	v.t.Helper()
	v.calls++
	response, text := v.post(v.token, v.id, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, v.calls, tool, arguments))
	if response.StatusCode != 200 {
		v.t.Fatalf("%s: %s %s", tool, response.Status, text)
	}
	return answerText(v.t, text)
}

// answerText is the text of a call's answer, JSON or the last event.
func answerText(t *testing.T, body string) string {
	t.Helper()
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
		t.Fatalf("%s: %v", body, err)
	}
	return answer.Result.Content[0].Text
}

// TestRunRefused: what would be unsafe is refused, with the reason and the next step,
// and nothing is made.
func TestRunRefused(t *testing.T) {
	for _, test := range []struct {
		options Options
		part    string
	}{
		{Options{Listening: Listening{Address: "127.0.0.1:0"}}, "nothing is served without a token: --token NAME"},
		{Options{Listening: Listening{Address: "0.0.0.0:0"}, Tokens: []string{"a"}}, "use 127.0.0.1, or add --allow-remote"},
		{Options{Listening: Listening{Address: ":0"}, Tokens: []string{"a"}}, "use 127.0.0.1, or add --allow-remote"},
		{Options{Listening: Listening{Address: "[::]:0"}, Tokens: []string{"a"}}, "use 127.0.0.1, or add --allow-remote"},
		{Options{Listening: Listening{Address: "example.org:0"}, Tokens: []string{"a"}}, "use 127.0.0.1, or add --allow-remote"},
		{Options{Listening: Listening{Address: "0.0.0.0:0", Remote: true}, Tokens: []string{"a"}}, "--allow-remote needs TLS"},
		{Options{Listening: Listening{Address: "127.0.0.1:0", Certificate: "x.pem"}, Tokens: []string{"a"}}, "--tls-cert and --tls-key go together"},
		{Options{Listening: Listening{Address: "8765"}, Tokens: []string{"a"}}, "is not HOST:PORT"},
		{Options{Listening: Listening{Address: "127.0.0.1:0"}, Tokens: []string{"a b"}}, `"a b" is no name for a token`},
		{Options{Listening: Listening{Address: "127.0.0.1:0", Certificate: "no.pem", Key: "no.key"}, Tokens: []string{"a"}}, "reading the TLS files"},
	} {
		home := t.TempDir()
		var out output
		o := test.options
		o.Stdout, o.Log = &out, slog.New(slog.DiscardHandler)
		o.Getenv = func(name string) string { return map[string]string{"HOME": home}[name] }
		o.Ready = func(*server.Parts) { t.Errorf("%+v: it serves", test.options.Listening) }
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%+v: %v", test.options.Listening, err)
		}
		if made, _ := filepath.Glob(filepath.Join(home, "*", "*", "*", "*", "starts", "*")); len(made) > 0 {
			t.Errorf("%+v: %v was made", test.options.Listening, made)
		}
	}
}
