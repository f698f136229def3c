package rpc

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
)

// postman is a writer that confirms a line when it is told to.
type postman struct {
	io.Writer
	receipts chan chan struct{}
}

func (p *postman) Receipt() <-chan struct{} {
	receipt := make(chan struct{})
	p.receipts <- receipt
	return receipt
}

// TestReceipts: where another process hands answers on, one is delivered when that
// has said so, later calls wait for it, and one that nobody confirmed never was.
func TestReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newToy()
		serverIn, in := io.Pipe()
		out, serverOut := io.Pipe()
		post := &postman{serverOut, make(chan chan struct{}, 100)}
		ctx, stop := context.WithCancelCause(context.Background())
		p := &peer{t: t, in: in, out: out, replies: make(chan reply, 100), served: make(chan error, 1), stop: stop}
		go func() {
			p.served <- Serve(ctx, s.MCPServer, serverIn, post, Options{})
			serverOut.Close()
		}()
		go p.read()

		p.send(toolCall(1, "after", `{}`))
		p.next()
		first := <-post.receipts
		p.send(toolCall(2, "after", `{}`))
		p.none() // it waits for the first one's delivery
		close(first)
		if r := p.next(); r.text() != "delivered before: 1" {
			t.Errorf("got %s", r.raw)
		}
		<-post.receipts
		if err := p.hangUp(); err != nil { // the second is never confirmed
			t.Error(err)
		}
		if n := s.delivered.Load(); n != 1 {
			t.Errorf("%d delivered", n)
		}
	})
}
