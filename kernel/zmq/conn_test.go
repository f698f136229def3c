package zmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

// echo is a ROUTER that sends every message back.
func echo(nc net.Conn) {
	zc, err := zmq4.Open(nc, null.Security(), zmq4.Router, nil, true, nil)
	if err != nil {
		return
	}
	for {
		m, err := zc.RecvMsg()
		if err != nil || zc.SendMsg(m) != nil {
			return
		}
	}
}

func TestSendRecv(t *testing.T) {
	c := mustDial(t, listen(t, echo))
	for _, want := range [][][]byte{
		{[]byte("a")},
		{{}, []byte("b"), {}},
		{bytes.Repeat([]byte("x"), 255), bytes.Repeat([]byte("y"), 256)},
		{bytes.Repeat([]byte("z"), 3<<20)},
	} {
		if err := c.Send(want); err != nil {
			t.Fatal(err)
		}
		got, err := c.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !equal(got, want) {
			t.Errorf("got %d frames of other content than the %d sent", len(got), len(want))
		}
	}
	if err := c.Send(nil); err == nil {
		t.Error("a message without frames was sent")
	}
}

// TestReuse: messages are whole whatever memory they are in, and a frame that was not
// given back stays what it was.
func TestReuse(t *testing.T) {
	c := mustDial(t, listen(t, echo))
	var kept, wanted [][]byte
	for i := range 20 {
		want := [][]byte{[]byte("topic"), bytes.Repeat([]byte{byte(i)}, 50_000+i*7919%30_000*5)}
		if err := c.Send(want); err != nil {
			t.Fatal(err)
		}
		got, err := c.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !equal(got, want) {
			t.Errorf("message %d is not what was sent", i)
		}
		if i%3 == 0 {
			kept, wanted = append(kept, got...), append(wanted, want...)
			continue
		}
		c.Reuse(got)
	}
	if !equal(kept, wanted) {
		t.Error("a message that was not given back has changed")
	}
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func TestConcurrentSend(t *testing.T) {
	const senders, each = 8, 50
	c := mustDial(t, listen(t, echo))
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				id := fmt.Appendf(nil, "%d-%d", i, j)
				if err := c.Send([][]byte{id, bytes.Repeat(id, 100)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen := map[string]bool{}
	for range senders * each {
		m, err := c.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if len(m) != 2 || !bytes.Equal(m[1], bytes.Repeat(m[0], 100)) {
			t.Fatalf("torn message: %q", m[0])
		}
		seen[string(m[0])] = true
	}
	wg.Wait()
	if len(seen) != senders*each {
		t.Errorf("%d different messages of %d", len(seen), senders*each)
	}
}

func TestDialWaitsForListener(t *testing.T) {
	dir := shortDir(t)
	path, closed := filepath.Join(dir, "s"), filepath.Join(dir, "closed")
	type result struct {
		c   *Conn
		err error
	}
	dialed := make(chan result, 1)
	go func() {
		c, err := Dial(within(t, 20*time.Second), Options{Network: "unix", Address: path})
		dialed <- result{c, err}
	}()
	// First nothing, then a socket nobody listens on, which has never had that name while
	// somebody did, then a listener.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: closed})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := os.Rename(closed, path); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetDeadline(time.Now().Add(20 * time.Second))
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	go echo(nc)
	r := <-dialed
	if r.err != nil {
		t.Fatal(r.err)
	}
	r.c.Close()
}

func TestDialErrors(t *testing.T) {
	t.Run("nobody comes", func(t *testing.T) {
		_, err := Dial(within(t, 100*time.Millisecond), Options{Network: "unix", Address: filepath.Join(shortDir(t), "s")})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error = %v, want the deadline and the last attempt", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		exited := errors.New("kernel exited")
		cancel(exited)
		if _, err := Dial(ctx, Options{Network: "unix", Address: "/nowhere"}); !errors.Is(err, exited) {
			t.Errorf("error = %v, want the cause", err)
		}
	})
	t.Run("hopeless", func(t *testing.T) {
		start := time.Now()
		_, err := Dial(within(t, 20*time.Second), Options{Network: "unix", Address: "/" + string(bytes.Repeat([]byte("x"), 300))})
		if err == nil || time.Since(start) > 10*time.Second {
			t.Errorf("error = %v after %v, want one at once", err, time.Since(start))
		}
	})
}

// TestHandshake gives the client servers that do it wrong: each is an error by
// the deadline, none a panic.
func TestHandshake(t *testing.T) {
	readyBody := func(properties string) []byte {
		return append(greeting(), frame(flagCommand, []byte("\x05READY"+properties))...)
	}
	tests := []struct {
		name  string
		serve func(nc net.Conn)
		slow  bool // ends by the deadline
	}{
		{"silent", func(net.Conn) {}, true},
		{"slow drip", func(nc net.Conn) {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for _, b := range greeting() {
				if _, err := nc.Write([]byte{b}); err != nil {
					return
				}
				<-tick.C
			}
		}, true},
		{"half a greeting", func(nc net.Conn) { nc.Write(greeting()[:30]) }, true},
		{"no ready", func(nc net.Conn) { nc.Write(greeting()) }, true},
		{"closed", func(nc net.Conn) { nc.Close() }, false},
		{"garbage", func(nc net.Conn) { nc.Write(bytes.Repeat([]byte("HTTP/1.1 400 "), 20)) }, false},
		{"old version", func(nc net.Conn) { g := greeting(); g[10] = 2; nc.Write(g) }, false},
		{"other mechanism", func(nc net.Conn) { g := greeting(); copy(g[12:], "CURVE"); nc.Write(g) }, false},
		{"other socket", func(nc net.Conn) { nc.Write(append(greeting(), ready("PUSH")...)) }, false},
		{"ready as message", func(nc net.Conn) { nc.Write(append(greeting(), frame(0, []byte("\x05READY"))...)) }, false},
		{"ready with more", func(nc net.Conn) {
			nc.Write(append(greeting(), frame(flagCommand|flagMore, []byte("\x05READY"))...))
		}, false},
		{"reserved flags", func(nc net.Conn) { nc.Write(append(greeting(), frame(0xf0, []byte("\x05READY"))...)) }, false},
		{"giant ready", func(nc net.Conn) { nc.Write(append(greeting(), header(flagCommand, 1<<40)...)) }, false},
		{"impossible ready", func(nc net.Conn) { nc.Write(append(greeting(), header(flagCommand, 1<<63-1)...)) }, false},
		{"empty ready", func(nc net.Conn) { nc.Write(append(greeting(), frame(flagCommand, nil)...)) }, false},
		{"property without value", func(nc net.Conn) { nc.Write(readyBody("\x01a")) }, false},
		{"property with half a length", func(nc net.Conn) { nc.Write(readyBody("\x01a\x00\x00")) }, false},
		{"property name too long", func(nc net.Conn) { nc.Write(readyBody("\x05ab")) }, false},
		{"property value too long", func(nc net.Conn) { nc.Write(readyBody("\x01a\xff\xff\xff\xff")) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limit := 20 * time.Second
			if tt.slow {
				limit = 200 * time.Millisecond
			}
			o := listen(t, tt.serve)
			start := time.Now()
			c, err := Dial(within(t, limit), o)
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			if took := time.Since(start); took > limit+5*time.Second {
				t.Errorf("took %v", took)
			}
			if got := errors.Is(err, context.DeadlineExceeded); got != tt.slow {
				t.Errorf("error = %v, deadline %v, want %v", err, got, tt.slow)
			}
		})
	}
}

func TestRecvErrors(t *testing.T) {
	tests := []struct {
		name string
		send []byte
		want error
	}{
		{"end", nil, io.EOF},
		{"end after a message", frame(0, []byte("x")), io.EOF},
		{"end in a header", []byte{flagLong, 0, 0}, io.ErrUnexpectedEOF},
		{"end in a short header", []byte{0}, io.ErrUnexpectedEOF},
		{"half a frame", frame(0, bytes.Repeat([]byte("x"), 1000))[:500], io.ErrUnexpectedEOF},
		{"no last frame", frame(flagMore, []byte("x")), io.ErrUnexpectedEOF},
		{"half a refused frame", frame(0, bytes.Repeat([]byte("x"), 3000))[:2500], io.ErrUnexpectedEOF},
		{"reserved flags", []byte{0x80, 1, 'x'}, errFlags},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := listen(t, func(nc net.Conn) { shake(nc); nc.Write(tt.send); nc.Close() })
			o.FrameLimit = 2000
			c := mustDial(t, o)
			var err error
			for err == nil {
				_, err = c.Recv()
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
			if _, again := c.Recv(); !errors.Is(again, tt.want) {
				t.Errorf("second error = %v, want the same", again)
			}
			if err := c.Send([][]byte{{1}}); !errors.Is(err, tt.want) {
				t.Errorf("send error = %v, want why the connection ended", err)
			}
		})
	}
}

func TestCloseUnblocks(t *testing.T) {
	for _, tt := range []struct {
		name string
		send []byte
	}{
		{"waiting", nil},
		{"in a frame", frame(0, bytes.Repeat([]byte("x"), 1000))[:500]},
		{"in a refused frame", append(header(0, 1<<32), 'x')},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := make(chan struct{})
			o := listen(t, func(nc net.Conn) { shake(nc); nc.Write(tt.send); close(sent) })
			c := mustDial(t, o)
			received := make(chan error)
			go func() { _, err := c.Recv(); received <- err }()
			<-sent
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { c.Close() })
			}
			if err := <-received; !errors.Is(err, net.ErrClosed) {
				t.Errorf("error = %v, want net.ErrClosed", err)
			}
			wg.Wait()
			if err := c.Send([][]byte{{1}}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("send error = %v, want net.ErrClosed", err)
			}
		})
	}
}

func TestSendDeadline(t *testing.T) {
	o := listen(t, shake) // reads nothing afterwards
	o.WriteTimeout = 100 * time.Millisecond
	c := mustDial(t, o)
	if err := c.Send([][]byte{make([]byte, 8<<20)}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error = %v, want the deadline", err)
	}
	if _, err := c.Recv(); err == nil {
		t.Error("the connection lives on with half a message out")
	}
}

// TestCommands: a PING between messages, and between the frames of one, is
// neither answered nor seen.
func TestCommands(t *testing.T) {
	o := listen(t, func(nc net.Conn) {
		shake(nc)
		ping := frame(flagCommand, []byte("\x04PING\x00\x00"))
		nc.Write(ping)
		nc.Write(frame(flagMore, []byte("a")))
		nc.Write(ping)
		nc.Write(frame(0, []byte("b")))
		nc.Write(frame(flagCommand|flagMore, nil))
		nc.Write(frame(0, []byte("c")))
	})
	c := mustDial(t, o)
	for _, want := range [][][]byte{{[]byte("a"), []byte("b")}, {[]byte("c")}} {
		got, err := c.Recv()
		if err != nil || !equal(got, want) {
			t.Errorf("Recv = %q, %v, want %q", got, err, want)
		}
	}
}

// TestHeard: a part of a message counts, long before Recv returns it.
func TestHeard(t *testing.T) {
	more := make(chan struct{})
	o := listen(t, func(nc net.Conn) {
		shake(nc)
		<-more
		nc.Write(header(0, 1<<20))
		nc.Write(make([]byte, 1<<19))
		<-more
		nc.Write(make([]byte, 1<<19))
	})
	c := mustDial(t, o)
	go c.Recv()
	for range 2 {
		before := c.Heard()
		more <- struct{}{}
		for !c.Heard().After(before) {
			runtime.Gosched()
		}
	}
}
