package kernel

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/zmq"
)

// channel is one connection to the kernel and its reader.
type channel struct {
	name   jupyter.Channel
	conn   zmq.Channel
	replay jupyter.Replay
	done   chan struct{} // closed when the reader has ended

	handling atomic.Bool               // a message is with us
	handled  atomic.Pointer[time.Time] // when the last one had been handled
}

// quietFor reports whether nothing has come for d, not even a part of a message,
// and nothing is being handled: a large message can take longer than d to come, and
// to be handled, on a loaded machine.
func (c *channel) quietFor(d time.Duration) bool {
	if c.handling.Load() {
		return false
	}
	last := *c.handled.Load()
	if conn, ok := c.conn.(interface{ Heard() time.Time }); ok {
		if heard := conn.Heard(); heard.After(last) {
			last = heard
		}
	}
	return time.Since(last) >= d
}

// connect dials the four channels. Shell, control and stdin share one identity:
// the kernel sends an input_request to the identity that sent the
// execute_request, on another socket.
func (k *Kernel) connect(ctx context.Context, info jupyter.ConnectionInfo, file, session string) error {
	info, err := awaitPorts(ctx, info, file)
	if err != nil {
		return err
	}
	// iopub first: what is sent before it is subscribed is lost.
	for _, name := range []jupyter.Channel{jupyter.IOPub, jupyter.Shell, jupyter.Control, jupyter.Stdin} {
		network, address := info.Address(name)
		o := zmq.Options{Network: network, Address: address, Type: zmq.Dealer, Identity: session}
		if name == jupyter.IOPub {
			o.Type, o.Identity = zmq.Sub, ""
		}
		conn, err := zmq.Dial(ctx, o)
		if err != nil {
			return fmt.Errorf("%s channel: %w", name, err)
		}
		k.open(name, conn)
	}
	return nil
}

// open makes conn one of the kernel's channels and starts its reader.
func (k *Kernel) open(name jupyter.Channel, conn zmq.Channel) {
	c := &channel{name: name, conn: conn, done: make(chan struct{})}
	now := time.Now()
	c.handled.Store(&now)
	k.channels[name] = c
	k.wg.Go(func() { k.read(c) })
}

// awaitPorts waits until a kernel started with TCP ports 0 has bound its ports
// and written them into its connection file. Ports chosen by us could be taken
// by another process before the kernel binds them.
func awaitPorts(ctx context.Context, info jupyter.ConnectionInfo, file string) (jupyter.ConnectionInfo, error) {
	for info.ShellPort == 0 {
		select {
		case <-ctx.Done():
			return info, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		// The rewrite is not atomic (the file is removed first): one that is missing
		// or cannot be read is read again.
		read, err := jupyter.ReadConnectionFile(file)
		if err == nil && read.ShellPort != 0 && read.Key == info.Key {
			info = read
		}
	}
	return info, nil
}

func (k *Kernel) closeChannels() {
	for _, c := range k.channels {
		c.conn.Close()
	}
}

// read takes messages off one channel until it ends. It never waits for a
// consumer: a subscriber that stops reading would stop the kernel's iopub.
func (k *Kernel) read(c *channel) {
	err := k.readAll(c)
	close(c.done)
	k.log.Debug("channel ended", "channel", c.name, "err", err)
	k.lost(c)
}

// lost ends a kernel whose process goes on without one of its channels (code
// that closed its sockets or replaced the process by exec): it cannot be used
// any more, and nothing else would tell.
func (k *Kernel) lost(c *channel) {
	if a, ok := k.process.(*attached); ok {
		a.gone("the connection to the kernel ended: it has ended, or another client has restarted it")
		return
	}
	select {
	case <-k.process.Done():
	case <-k.closing:
	case <-time.After(lostPatience):
		k.log.Error("channel lost: killing the kernel", "channel", c.name)
		k.process.Kill()
	}
}

// readAll returns why the channel ended.
func (k *Kernel) readAll(c *channel) error {
	for {
		frames, err := c.conn.Recv()
		if err != nil && frames == nil {
			return err
		}
		c.handling.Store(true)
		k.handle(c, frames, err)
		now := time.Now()
		c.handled.Store(&now)
		c.handling.Store(false)
	}
}

// handle takes the message that c received; refusal is why it was not taken whole.
func (k *Kernel) handle(c *channel, frames [][]byte, refusal error) {
	if refusal != nil {
		k.refused(c, frames, refusal)
		return
	}
	msg, err := k.codec.Decode(frames)
	if err == nil {
		err = c.replay.Check(msg)
	}
	if err != nil {
		k.log.Warn("message dropped", "channel", c.name, "err", err)
		return
	}
	k.route(c.name, msg)
	if c.name == jupyter.IOPub && msg.Header.MsgType == jupyter.MsgStream {
		// A flood otherwise leaves twice its size to the garbage collector. The text
		// is in the record; a short one, which is kept, is never in a large frame.
		c.conn.Reuse(frames)
	}
}

// refused notes on the execution it belongs to that a message was too large to
// take. Such a message cannot be verified, so nothing else is believed of it.
func (k *Kernel) refused(c *channel, frames [][]byte, reason error) {
	k.log.Warn("message refused", "channel", c.name, "err", reason)
	msg, err := k.codec.DecodeRefused(frames, reason)
	if err != nil {
		return
	}
	k.mu.Lock()
	e := k.executions[msg.ParentHeader.MsgID]
	k.mu.Unlock()
	if e == nil {
		return
	}
	k.append(e, notice(fmt.Sprintf("an output (%s) is lost: %v", msg.Header.MsgType, reason)))
	if msg.Header.MsgType == jupyter.MsgExecuteReply {
		k.gotReply(e, msg)
	}
}

func notice(text string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputNotice, Time: time.Now(), Text: jupyter.TextValue(text)}
}

// request makes a message and sends it. The message is returned for its id.
func (k *Kernel) request(name jupyter.Channel, msgType string, content any) (*jupyter.Message, error) {
	msg, err := k.codec.NewMessage(name, msgType, content)
	if err != nil {
		return nil, err
	}
	return msg, k.send(msg)
}

func (k *Kernel) send(msg *jupyter.Message) error {
	frames, err := k.codec.Encode(msg)
	if err != nil {
		return err
	}
	c := k.channels[msg.Channel]
	if c == nil {
		return ErrDead
	}
	if err := c.conn.Send(frames); err != nil {
		return fmt.Errorf("sending %s: %w", msg.Header.MsgType, err)
	}
	return nil
}
