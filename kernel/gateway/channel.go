package gateway

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// delimiter and an empty signature stand before a message's parts in frames; on
// this way nothing is signed.
const delimiter = "<IDS|MSG>"

// Channel carries messages as frames, like that of kernel/zmq.
type Channel interface {
	Send(frames [][]byte) error
	Recv() ([][]byte, error)
	Reuse(frames [][]byte)
	Close() error
}

// channel is one of the four that share a websocket. Its frames are those of ZeroMQ.
type channel struct {
	kernel *Kernel
	name   jupyter.Channel
	queue  chan received
	closed chan struct{}
	once   sync.Once
}

type received struct {
	frames [][]byte
	err    error // of this message alone
}

// queued is how many messages of a channel wait for its reader, which is fast: more
// wait in the socket.
const queued = 64

func newChannel(k *Kernel, name jupyter.Channel) *channel {
	return &channel{kernel: k, name: name, queue: make(chan received, queued), closed: make(chan struct{})}
}

// deliver hands a message on, and waits for the reader.
func (c *channel) deliver(parts [][]byte, err error) {
	frames := append(append(make([][]byte, 0, len(parts)+2), []byte(delimiter), nil), parts...)
	select {
	case c.queue <- received{frames, err}:
	case <-c.closed:
	}
}

// Recv is that of [Channel].
func (c *channel) Recv() ([][]byte, error) {
	select {
	case m, open := <-c.queue:
		if !open {
			return nil, io.EOF
		}
		return m.frames, m.err
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

// Heard returns when bytes last came, on any channel, also those of a message that is not
// whole yet.
func (c *channel) Heard() time.Time { return c.kernel.heard() }

// Reuse is that of [Channel]: a websocket's message has memory of its own.
func (*channel) Reuse([][]byte) {}

// Send is that of [Channel]. Where the connection is being made again it waits.
func (c *channel) Send(frames [][]byte) error {
	for i, f := range frames {
		if string(f) == delimiter && len(frames)-i-2 >= messageParts {
			return c.kernel.send(c.name, frames[i+2:])
		}
	}
	return fmt.Errorf("%w: no parts", errWire)
}

// Close is that of [Channel].
func (c *channel) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
