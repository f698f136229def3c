package zmq

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
)

var (
	_ Channel = (*Conn)(nil)
	_ Channel = (*PairEnd)(nil)
)

func TestPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := NewPair()
		go func() {
			buf := []byte("one")
			a.Send([][]byte{buf})
			copy(buf, "xxx") // the pair has its own copy
			a.Refuse([][]byte{{}}, &FrameTooLargeError{Size: 9, Limit: 8})
			a.Close()
		}()
		if m, err := b.Recv(); err != nil || string(m[0]) != "one" {
			t.Errorf("Recv = %q, %v", m, err)
		}
		var refused *FrameTooLargeError
		if m, err := b.Recv(); m == nil || !errors.As(err, &refused) {
			t.Errorf("Recv = %q, %v, want a refusal", m, err)
		}
		if _, err := b.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after the other's Close: %v, want io.EOF", err)
		}
		if err := b.Send([][]byte{{1}}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Send to nobody: %v", err)
		}
		if _, err := a.Recv(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Recv after Close: %v", err)
		}
		if err := a.Send([][]byte{{1}}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		a.Close()
	})
}

func TestPairCloseUnblocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := NewPair()
		go func() { synctest.Wait(); a.Close() }()
		if _, err := a.Recv(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Recv = %v, want net.ErrClosed", err)
		}
	})
}
