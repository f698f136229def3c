//go:build unix

package keep

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func data(text string) []byte {
	frame := append(make([]byte, frameHeader), text...)
	putHeader(frame, frameData)
	return frame
}

func hasFrame(n int64) []byte {
	frame := make([]byte, hasLength)
	putHas(frame, n)
	return frame
}

func end() []byte {
	frame := make([]byte, frameHeader)
	putHeader(frame, frameEnd)
	return frame
}

// TestIncoming: the client's bytes come out whole, what it has is handed on, also
// after its end, and nothing else is taken.
func TestIncoming(t *testing.T) {
	long := strings.Repeat("x", 200_000) + "\n"
	stream := bytes.Join([][]byte{hasFrame(3), data("{}\n"), data(""), data(long), hasFrame(7), data("half"), end(), hasFrame(9)}, nil)
	r, w := io.Pipe()
	go func() {
		w.Write(stream)
		w.Close()
	}()
	var has []int64
	last := make(chan bool)
	ended := 0
	in := newIncoming(r, func(n int64) {
		if has = append(has, n); n == 9 {
			close(last)
		}
	}, func() { ended++ })
	text, err := io.ReadAll(in)
	if err != nil || string(text) != "{}\n"+long+"half" || ended != 1 {
		t.Errorf("%d bytes, %v, ended %d times", len(text), err, ended)
	}
	<-last
	if len(has) != 3 || has[0] != 3 || has[1] != 7 {
		t.Errorf("has %v", has)
	}

	for name, stream := range map[string][]byte{
		"no kind":       {'x', 0, 0, 0, 0},
		"a short count": {frameHas, 0, 0, 0, 1, 1},
		"a long end":    {frameEnd, 0, 0, 0, 1, 1},
	} {
		ended := 0
		_, err := io.ReadAll(newIncoming(bytes.NewReader(stream), func(int64) {}, func() { ended++ }))
		if !errors.Is(err, errFrame) || ended != 1 {
			t.Errorf("%s: %v, ended %d times", name, err, ended)
		}
	}
	ended = 0
	_, err = io.ReadAll(newIncoming(bytes.NewReader(data("cut")[:6]), func(int64) {}, func() { ended++ }))
	if ended != 1 {
		t.Errorf("cut off: %v, ended %d times", err, ended)
	}
}

func FuzzIncoming(f *testing.F) {
	f.Add(bytes.Join([][]byte{hasFrame(3), data("{}\n"), end(), hasFrame(9)}, nil))
	f.Add([]byte{frameData, 255, 255, 255, 255, 'x'})
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := newIncoming(bytes.NewReader(stream), func(int64) {}, func() {})
		text, _ := io.ReadAll(in)
		if len(text) > len(stream) {
			t.Errorf("%d bytes of %d", len(text), len(stream))
		}
	})
}

// TestOutgoing: a receipt comes when the client has all that was written before it
// was asked for.
func TestOutgoing(t *testing.T) {
	o := &outgoing{w: io.Discard}
	came := func(receipt <-chan struct{}) bool {
		select {
		case <-receipt:
			return true
		default:
			return false
		}
	}
	if !came(o.Receipt()) {
		t.Error("nothing was written")
	}
	o.Write([]byte("12345"))
	first := o.Receipt()
	o.Write([]byte("678"))
	second := o.Receipt()
	o.confirm(4)
	if came(first) {
		t.Error("the first one is not there yet")
	}
	o.confirm(7)
	if !came(first) || came(second) {
		t.Error("the first one is there, the second is not")
	}
	o.confirm(20) // a count that is ahead of what this side has noted
	o.Write([]byte("123"))
	if !came(second) || !came(o.Receipt()) {
		t.Error("all is there")
	}
}
