package zmq

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// TestRefusedFrame: what is too large is named and skipped, the next message
// comes.
func TestRefusedFrame(t *testing.T) {
	const limit = 1000
	big := func(n int) []byte { return bytes.Repeat([]byte("x"), n) }
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	many := func(n int) []byte {
		return append(bytes.Repeat(frame(flagMore, []byte("p")), n-1), frame(0, []byte("p"))...)
	}
	tests := []struct {
		name   string
		send   []byte
		frames []int // lengths received
		want   error
	}{
		{"at the limit", frame(0, big(limit)), []int{limit}, nil},
		{"one above", frame(0, big(limit+1)), []int{0}, &FrameTooLargeError{Part: 0, Size: limit + 1, Limit: limit}},
		{"in the middle", join(frame(flagMore, big(3)), frame(flagMore, big(5000)), frame(0, big(4))),
			[]int{3, 0, 4}, &FrameTooLargeError{Part: 1, Size: 5000, Limit: limit}},
		{"the first is named", join(frame(flagMore, big(2000)), frame(0, big(3000))),
			[]int{0, 0}, &FrameTooLargeError{Part: 0, Size: 2000, Limit: limit}},
		{"parts at the limit", many(partLimit), repeat(1, partLimit), nil},
		{"one part above", many(partLimit + 1), append(repeat(1, partLimit), 0), &TooManyPartsError{Limit: partLimit}},
		{"many parts above", many(partLimit + 900), append(repeat(1, partLimit), 0), &TooManyPartsError{Limit: partLimit}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := listen(t, func(nc net.Conn) { shake(nc); nc.Write(tt.send); nc.Write(frame(0, []byte("idle"))) })
			o.FrameLimit = limit
			c := mustDial(t, o)
			frames, err := c.Recv()
			if frames == nil {
				t.Fatal(err)
			}
			if (err == nil) != (tt.want == nil) || err != nil && err.Error() != tt.want.Error() {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
			var tooLarge, want *FrameTooLargeError
			if errors.As(err, &tooLarge) && errors.As(tt.want, &want) && *tooLarge != *want {
				t.Errorf("error = %+v, want %+v", tooLarge, want)
			}
			if len(frames) != len(tt.frames) {
				t.Fatalf("%d frames, want %d", len(frames), len(tt.frames))
			}
			for i, f := range frames {
				if len(f) != tt.frames[i] {
					t.Errorf("frame %d has %d bytes, want %d", i, len(f), tt.frames[i])
				}
			}
			if next, err := c.Recv(); err != nil || string(next[0]) != "idle" {
				t.Errorf("next message = %q, %v", next, err)
			}
		})
	}
}

func repeat(n, times int) []int {
	out := make([]int, times)
	for i := range out {
		out[i] = n
	}
	return out
}

func TestRefusedTotal(t *testing.T) {
	const limit = 1 << 20
	body := make([]byte, limit)
	o := listen(t, func(nc net.Conn) {
		shake(nc)
		for range 50 {
			nc.Write(frame(flagMore, body))
		}
		nc.Write(frame(0, []byte("end")))
		nc.Write(frame(0, []byte("idle")))
	})
	o.FrameLimit = limit
	c := mustDial(t, o)
	frames, err := c.Recv()
	var tooLarge *FrameTooLargeError
	if !errors.As(err, &tooLarge) || !tooLarge.Total || tooLarge.Part != 2 {
		t.Fatalf("error = %+v, want the total at part 2", err)
	}
	total := 0
	for _, f := range frames {
		total += len(f)
	}
	if len(frames) != 51 || total > limit+messageSlack {
		t.Errorf("%d frames with %d bytes", len(frames), total)
	}
	if next, err := c.Recv(); err != nil || string(next[0]) != "idle" {
		t.Errorf("next message = %q, %v", next, err)
	}
}

// TestLyingHeader: sizes no peer can mean end the connection at once, without
// allocating.
func TestLyingHeader(t *testing.T) {
	for _, size := range []uint64{drainLimit + 1, 128 << 30, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		o := listen(t, func(nc net.Conn) { shake(nc); nc.Write(header(0, size)) })
		c := mustDial(t, o)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		frames, err := c.Recv()
		runtime.ReadMemStats(&after)
		var tooLarge *FrameTooLargeError
		if frames != nil || !errors.As(err, &tooLarge) || tooLarge.Size != size {
			t.Errorf("size %d: %v, %v", size, frames, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("size %d: allocated %d bytes", size, grown)
		}
		if _, err := c.Recv(); err == nil {
			t.Errorf("size %d: the connection lives on", size)
		}
	}
}

// TestDrainLimit: frames that are refused one by one end the connection when
// their sum is out of all bounds.
func TestDrainLimit(t *testing.T) {
	w := newWire(nil, 1000)
	w.ready, w.inside, w.drained = true, true, drainLimit-100
	if _, err := w.messageFrame(flagMore, 2000); err == nil {
		t.Error("no error")
	}
}

// FuzzServer: whatever follows a handshake, Recv ends without panic and within
// the limits.
func FuzzServer(f *testing.F) {
	f.Add(frame(0, []byte("x")))
	f.Add(append(frame(flagMore, []byte("a")), frame(0, nil)...))
	f.Add(header(0, 1<<63-1))
	f.Add(append(header(flagMore, 5000), make([]byte, 6000)...))
	f.Add(frame(flagCommand, []byte("\x04PING\x00\x00")))
	f.Add(frame(flagCommand|flagMore, nil))
	f.Add([]byte{0xff})
	f.Add(append(header(0, 3), "abcd"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 4096
		stream := append(append(greeting(), ready("ROUTER")...), data...)
		nc := &script{in: bytes.NewReader(stream)}
		c, err := open(context.Background(), nc, Options{FrameLimit: limit})
		if err != nil {
			t.Fatal(err)
		}
		for {
			frames, err := c.Recv()
			if frames == nil {
				if err == nil {
					t.Fatal("neither frames nor error")
				}
				return
			}
			total := 0
			for _, fr := range frames {
				if len(fr) > limit {
					t.Fatalf("frame of %d bytes", len(fr))
				}
				total += len(fr)
			}
			if total > limit+messageSlack || len(frames) > partLimit+1 {
				t.Fatalf("%d frames, %d bytes", len(frames), total)
			}
		}
	})
}

// FuzzHandshake: whatever a server says first, open ends without panic.
func FuzzHandshake(f *testing.F) {
	f.Add(append(greeting(), ready("ROUTER")...))
	f.Add(append(greeting(), frame(flagCommand, []byte("\x05READY\x01a\x00"))...))
	f.Add(append(greeting(), header(flagCommand, 1<<40)...))
	f.Add(greeting())
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		c, err := open(context.Background(), &script{in: bytes.NewReader(stream)}, Options{Type: Dealer})
		if err == nil {
			c.Close()
		}
	})
}

// script is a connection that reads from memory and throws away what is written.
type script struct {
	net.Conn
	in io.Reader
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return len(p), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
