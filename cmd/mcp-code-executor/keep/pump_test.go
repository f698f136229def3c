//go:build unix

package keep

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pumped is a pump between a client and a server that are both the test.
type pumped struct {
	say, hear *os.File // the client's
	server    *os.File
	in        *incoming // what the server reads
	has       chan int64
	byClient  chan bool
}

func startPump(t *testing.T, early string) *pumped {
	t.Helper()
	stdin, say, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	hear, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range pair {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	p := &pumped{say: say, hear: hear, server: os.NewFile(uintptr(pair[1]), "server"), has: make(chan int64, 10_000), byClient: make(chan bool, 1)}
	p.in = newIncoming(p.server, func(n int64) { p.has <- n }, func() {})
	t.Cleanup(func() { say.Close(); hear.Close(); p.server.Close() })
	pump := newPump(int(stdin.Fd()), int(stdout.Fd()), pair[0])
	pump.down = []byte(early)
	go func() {
		byClient := pump.run()
		stdin.Close()
		stdout.Close()
		unix.Close(pair[0])
		p.byClient <- byClient
	}()
	return p
}

// within fails the test when something hangs.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s hangs", what)
	}
}

// read reads n bytes.
func read(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestPump: lines go both ways, the server is told what the client has, with the next
// line or by itself, and the client's end is its end.
func TestPump(t *testing.T) {
	p := startPump(t, "early\n")
	within(t, "it", func() {
		if got := read(t, p.hear, 6); got != "early\n" {
			t.Errorf("%q", got)
		}
		go io.WriteString(p.say, "one\n")
		if got := read(t, p.in, 4); got != "one\n" {
			t.Errorf("%q", got)
		}
		io.WriteString(p.server, "two\n")
		read(t, p.hear, 4)
		rest := make(chan []byte, 1)
		go func() { b, _ := io.ReadAll(p.in); rest <- b }()
		for n := <-p.has; n < 10; n = <-p.has { // by itself
		}
		io.WriteString(p.server, "three\n")
		p.say.Close()
		if b := <-rest; len(b) > 0 {
			t.Errorf("after the client's end: %q", b)
		}
		if got := read(t, p.hear, 6); got != "three\n" { // it still reads
			t.Errorf("%q", got)
		}
		for n := <-p.has; n < 16; n = <-p.has {
		}
		p.server.Close()
		if !<-p.byClient {
			t.Error("the server was the first to end")
		}
	})
}

// TestPumpEnds: whoever ends without a word ends it.
func TestPumpEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end      func(p *pumped)
		byClient bool
	}{
		"the server":                           {func(p *pumped) { p.server.Close() }, false},
		"the server, of whom nobody reads":     {func(p *pumped) { io.WriteString(p.server, "late\n"); p.server.Close() }, false},
		"the client, while an answer comes":    {func(p *pumped) { p.hear.Close(); io.WriteString(p.server, "lost\n") }, true},
		"the client, then the server":          {func(p *pumped) { p.say.Close(); io.ReadAll(p.in); p.server.Close() }, true},
		"the server, while the client goes on": {func(p *pumped) { io.WriteString(p.say, "line\n"); p.server.Close() }, false},
	} {
		p := startPump(t, "")
		within(t, name, func() {
			test.end(p)
			if got := <-p.byClient; got != test.byClient {
				t.Errorf("%s: by the client %t", name, got)
			}
		})
	}
}

// TestPumpHeldBack: who does not read holds back what goes to him and nothing else, and
// has all of it in the end, in order. The server is told meanwhile what the client has.
func TestPumpHeldBack(t *testing.T) {
	p := startPump(t, "")
	lines := []byte(strings.Repeat("0123456789abcdef", 1<<17)) // 2 MiB
	within(t, "it", func() {
		go p.server.Write(lines) // the client does not read
		go io.WriteString(p.say, "line\n")
		if got := read(t, p.in, 5); got != "line\n" {
			t.Errorf("%q", got)
		}
		go p.say.Write(lines) // the server does not read
		if got := read(t, p.hear, len(lines)); got != string(lines) {
			t.Error("what came to the client is not what was sent")
		}
		if got := read(t, p.in, len(lines)); got != string(lines) {
			t.Error("what came to the server is not what was sent")
		}
		p.say.Close()
		if rest, err := io.ReadAll(p.in); err != nil || !bytes.Equal(rest, nil) {
			t.Errorf("%q, %v", rest, err)
		}
		for n := <-p.has; n < int64(len(lines)); n = <-p.has {
		}
	})
}

// TestPumpTells: while answers come without a pause the server is told what the client
// has all the same.
func TestPumpTells(t *testing.T) {
	p := startPump(t, "")
	within(t, "it", func() {
		go io.Copy(io.Discard, p.hear)
		go io.Copy(io.Discard, p.in)
		stop := make(chan struct{})
		written := make(chan struct{})
		go func() {
			defer close(written)
			for chunk := make([]byte, 64<<10); ; {
				select {
				case <-stop:
					return
				default:
					p.server.Write(chunk)
				}
			}
		}()
		for range 10 {
			<-p.has
		}
		close(stop)
		<-written
	})
}
