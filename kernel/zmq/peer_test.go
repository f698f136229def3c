package zmq

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// greeting and ready are what a well-behaved server says in the handshake.
func greeting() []byte {
	g := make([]byte, greetingSize)
	g[0], g[9], g[10] = 0xff, 0x7f, 3
	copy(g[12:], "NULL")
	return g
}

func ready(socketType string) []byte {
	body := "\x05READY\x0bSocket-Type\x00\x00\x00" + string(rune(len(socketType))) + socketType
	return frame(flagCommand, []byte(body))
}

// frame is one frame on the wire.
func frame(flags byte, body []byte) []byte {
	if len(body) > 255 {
		return append(header(flags, uint64(len(body))), body...)
	}
	return append([]byte{flags, byte(len(body))}, body...)
}

// header is a long frame's header, true or not.
func header(flags byte, size uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{flags | flagLong}, size)
}

// shortDir is a directory whose path fits a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// listen serves one connection with serve and returns the address. The
// connection is closed, and serve waited for, when the test ends.
func listen(t testing.TB, serve func(nc net.Conn)) Options {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		served := make(chan struct{})
		go func() { defer close(served); serve(nc) }()
		select {
		case <-stop:
		case <-served:
			<-stop
		}
		nc.Close()
		<-served
	}()
	t.Cleanup(func() { close(stop); l.Close(); <-done })
	return Options{Network: "unix", Address: path, WriteTimeout: 5 * time.Second}
}

// shake makes the server's half of the handshake and reads the client's.
func shake(nc net.Conn) {
	nc.Write(append(greeting(), ready("ROUTER")...))
	hello := make([]byte, greetingSize+2)
	readFull(nc, hello)
	readFull(nc, make([]byte, hello[greetingSize+1]))
}

func readFull(nc net.Conn, p []byte) {
	for n := 0; n < len(p); {
		m, err := nc.Read(p[n:])
		if err != nil {
			return
		}
		n += m
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func mustDial(t testing.TB, o Options) *Conn {
	t.Helper()
	c, err := Dial(within(t, 20*time.Second), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
