package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/streamable"
)

// attack is a bad request and the only statuses it may get.
type attack struct {
	name, text string
	statuses   []int
}

// attacks are bad requests of all kinds.
func attacks(s *running) (all []attack) {
	add := func(name, text string, statuses ...int) { all = append(all, attack{name, text, statuses}) }
	post := func(header ...string) string { return s.request("POST", "/mcp", initialize, header...) }
	secret := s.secrets["a"]
	for _, value := range []string{
		"", "Bearer", "Bearer ", "Bearer x", "bearer " + secret + "x", "Bearer " + secret[:len(secret)-1], "Basic " + secret, secret, "Token " + secret,
		"Bearer mce_", "Bearer " + strings.ToLower(secret), "Bearer " + strings.Repeat("A", 20_000), "Bearer \x00" + secret[1:], "Bearer a\r\nAuthorization: Bearer " + secret,
		"Bearer a", "Bearer null", "Bearer undefined", "Digest username=a", "Bearer " + secret + ",x", "Bearer \"" + secret + "\"",
	} {
		want := 401
		if strings.Contains(value, "\x00") {
			want = 400
		}
		add("token "+fmt.Sprintf("%.30q", value), post("Authorization:"+value), want)
	}
	add("token in the address", s.request("POST", "/mcp?access_token="+secret, initialize, "Authorization"), 401)
	add("token in a cookie", post("Authorization", "Cookie:token="+secret), 401)
	for _, host := range []string{
		"evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example#127.0.0.1", "2130706433", "0x7f.1", "0.0.0.0", "[::]", "10.0.0.1", "169.254.169.254", "localhost@evil.example", "127.0.0.1:80:80", "xn--localhost", "évil", "127.1",
	} {
		add("host "+host, post("Host:"+host), 403, 400)
	}
	add("no host", post("Host"), 400)
	add("empty host", strings.Replace(post("Host"), "\r\n\r\n", "\r\nHost:\r\n\r\n", 1), 403, 400)
	add("two hosts", post("Host:"+s.address, "Host:evil.example"), 400)
	for _, origin := range []string{
		"null", "http://evil.example", "https://evil.example", "http://127.0.0.1", "http://localhost:1", "file://", "chrome-extension://abc", "http://" + s.address + ".evil.example", "http://evil.example/" + s.address, "ftp://" + s.address, "//" + s.address, s.address, "http://user@evil.example", "%zz", "http://[::1",
	} {
		add("origin "+origin, post("Origin:"+origin), 403)
	}
	add("two origins", post("Origin:http://"+s.address, "Origin:http://evil.example"), 403)
	for _, path := range []string{
		"/", "//", "/mcp/", "//mcp", "/./mcp", "/../mcp", "/x/../mcp", "/mcp/..", "/%6dcp", "/MCP", "/mcp%00", "/mcp%2f", "/mcp;x", "/mcp/x", "/.env", "/.git/config", "/etc/passwd", "/..%2f..%2fetc/passwd", "/admin", "/sse", "/messages", "/healthz/", "/healthz/../mcp", "/mcp.php",
	} {
		add("path "+path, s.request("POST", path, initialize), 404, 400)
	}
	add("absolute address of another", s.request("POST", "http://evil.example/mcp", initialize), 403)
	add("CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 403, 400, 404)
	add("*", "OPTIONS * HTTP/1.1\r\nHost: "+s.address+"\r\n\r\n", 404, 200)
	for _, method := range []string{"PUT", "PATCH", "OPTIONS", "TRACE", "HEAD", "FOO"} {
		add("method "+method, s.request(method, "/mcp", ""), 405)
	}
	add("health by POST", s.request("POST", "/healthz", ""), 405)
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "{", "a list": "[" + initialize + "]", "a number": "1", "deep": strings.Repeat("[", 100_000), "no version": `{"id":1,"method":"initialize"}`,
		"id of an object": `{"jsonrpc":"2.0","id":{},"method":"initialize"}`, "two messages": initialize + initialize, "not UTF-8 twice": "\xff\xfe", "params of a list": `{"jsonrpc":"2.0","id":1,"method":"initialize","params":[]}`,
		"no session": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_code","arguments":{"code":"1"}}}`,
	} {
		add("body: "+name, s.request("POST", "/mcp", body), 400)
	}
	run := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"execute_code","arguments":{"code":"1"}}}`
	add("a session of nobody", s.request("POST", "/mcp", run, "Mcp-Session-Id:AAAA"), 404)
	add("a stream of nobody", s.request("GET", "/mcp", "", "Mcp-Session-Id:AAAA", "Last-Event-ID:1-1"), 404)
	add("DELETE of nobody", s.request("DELETE", "/mcp", "", "Mcp-Session-Id:AAAA"), 404)
	add("modern without its headers", s.request("POST", "/mcp", run, "MCP-Protocol-Version:2026-07-28"), 400)
	add("an old version", s.request("POST", "/mcp", run, "MCP-Protocol-Version:1"), 400)
	add("a form", post("Content-Type:application/x-www-form-urlencoded"), 415)
	add("text", post("Content-Type:text/plain"), 415)
	add("no type", post("Content-Type"), 415)
	add("only HTML", post("Accept:text/html"), 406)
	add("too large", s.request("POST", "/mcp", initialize, fmt.Sprint("Content-Length:", streamable.MaxBody+1)), 413)
	add("huge", s.request("POST", "/mcp", initialize, "Content-Length:999999999999"), 413)
	add("negative length", s.request("POST", "/mcp", initialize, "Content-Length:-1"), 400)
	add("two lengths", s.request("POST", "/mcp", initialize, "Content-Length:5", "Content-Length:6"), 400)
	add("length and chunks of nonsense", s.request("POST", "/mcp", "zz\r\n", "Content-Length", "Transfer-Encoding:chunked"), 408, 400)
	add("unknown coding", s.request("POST", "/mcp", "", "Content-Length", "Transfer-Encoding:gzip"), 501, 400)
	add("a large head", post("X-Large:"+strings.Repeat("x", 64<<10)), 431)
	add("many headers", post("X-Many:1"+strings.Repeat("\r\nX-Many: 1", 20_000)), 431)
	add("not HTTP", "hello\r\n\r\n", 400)
	add("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400)
	add("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 404, 400, 403)
	add("a folded header", strings.Replace(post(), "\r\nAccept", "\r\n folded\r\nAccept", 1), 400)
	add("a space before the colon", post("X :1"), 400)
	return all
}

// TestHostile: bad requests of all kinds get their status and nothing else; nothing
// runs, nothing stays in memory, and a good client is served as before.
func TestHostile(t *testing.T) {
	s := run(t, "a", "b")
	all := attacks(s)
	if len(all) < 100 {
		t.Errorf("%d attacks", len(all))
	}
	good := s.visit("a")
	round := func() {
		for _, a := range all {
			statuses, body := s.raw(a.text, 1)
			if len(statuses) != 1 || !contains(a.statuses, statuses[0]) {
				t.Errorf("%s: %v %.200s, want %v", a.name, statuses, body, a.statuses)
			}
			if strings.Contains(body, s.secrets["a"]) {
				t.Errorf("%s: the token is in %s", a.name, body)
			}
		}
	}
	round()
	before := heap()
	for range 3 {
		round()
	}
	if after := heap(); after > before+2<<20 {
		t.Errorf("%d bytes more in memory", after-before)
	}
	if text := good.call("list_sessions", `{}`); !strings.Contains(text, "no session is open") {
		t.Errorf("something runs: %s", text)
	}
}

func contains(all []int, one int) bool {
	for _, n := range all {
		if n == one {
			return true
		}
	}
	return false
}

// heap is what is in use, after garbage has gone.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestPipelined: requests that come without waiting are answered in their order, each
// by its own token; nothing after one that was refused.
func TestPipelined(t *testing.T) {
	t.Parallel()
	s := run(t, "a")
	ping := s.request("GET", "/healthz", "")
	statuses, _ := s.raw(ping+s.request("POST", "/mcp", initialize)+ping, 3)
	if fmt.Sprint(statuses) != "[200 200 200]" {
		t.Error(statuses)
	}
	statuses, _ = s.raw(ping+s.request("POST", "/mcp", initialize, "Authorization")+s.request("POST", "/mcp", initialize), 3)
	if fmt.Sprint(statuses) != "[200 401]" {
		t.Error(statuses)
	}
	// A body that hides a request is a body.
	hidden := s.request("POST", "/mcp", "")
	statuses, _ = s.raw(s.request("POST", "/mcp", hidden), 2)
	if len(statuses) == 0 || statuses[0] != 400 {
		t.Error(statuses)
	}
}

// TestSlow: who sends a head or a body slowly, or half, is not waited for long.
func TestSlow(t *testing.T) {
	t.Parallel()
	s := run(t, "a")
	for name, part := range map[string]string{"nothing": "", "half a head": "POST /mcp HTTP/1.1\r\nHost: " + s.address + "\r\n", "half a body, no token": "POST /mcp HTTP/1.1\r\nHost: " + s.address + "\r\nContent-Length: 100\r\n\r\nx"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, part)
			conn.SetReadDeadline(time.Now().Add(4 * (headerPatience + doorPatience)))
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("it is still open: %v", err)
			}
		})
	}
	t.Run("a stream stays", func(t *testing.T) {
		t.Parallel()
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, s.request("GET", "/mcp", "", "Mcp-Session-Id:"+s.visit("a").id))
		conn.SetReadDeadline(time.Now().Add(doorPatience + time.Second)) // longer than what is refused has
		if text, err := io.ReadAll(conn); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(string(text), "HTTP/1.1 200") {
			t.Errorf("%s, %v", text, err)
		}
	})
	t.Run("half a body", func(t *testing.T) {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		text := s.request("POST", "/mcp", initialize)
		io.WriteString(conn, text[:len(text)-10])
		conn.(*net.TCPConn).CloseWrite()
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408") {
			t.Errorf("%.100s, %v", answer, err)
		}
	})
}

// TestFlood: of 1,000 connections 256 are served, and the rest is refused at once.
func TestFlood(t *testing.T) {
	t.Parallel()
	flood(t, 1000)
}

// TestMatrixFlood is TestFlood with 10,000.
func TestMatrixFlood(t *testing.T) {
	testneeds.All(t)
	flood(t, 10_000)
}

func flood(t *testing.T, connections int) {
	s := run(t, "a")
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	health := "GET /healthz HTTP/1.1\r\nHost: " + s.address + "\r\n\r\n"
	served, refused := 0, 0
	for range connections {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(conn, health)
		answer := make([]byte, 16)
		n, _ := io.ReadFull(conn, answer)
		switch {
		case strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200"):
			served++
			held = append(held, conn)
			continue
		case n == 0 || strings.HasPrefix(string(answer[:n]), "HTTP/1.1 503"):
			refused++
		default:
			t.Fatalf("%q", answer[:n])
		}
		conn.Close()
	}
	if served != maxConnections || refused != connections-maxConnections {
		t.Errorf("%d served, %d refused", served, refused)
	}
	for _, c := range held {
		c.Close()
	}
	held = nil
	for begun := time.Now(); ; time.Sleep(time.Millisecond) { // polling: the server must see the end of one
		if statuses, _ := s.raw(health, 1); len(statuses) == 1 && statuses[0] == 200 {
			break
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("nobody is served after the flood")
		}
	}
}
