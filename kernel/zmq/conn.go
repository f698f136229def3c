package zmq

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

// Channel is one channel of a kernel: messages as lists of frames.
type Channel interface {
	// Send sends one message. It may be called from any goroutine. The frames
	// are not kept.
	Send(frames [][]byte) error
	// Recv returns the next message; the frames belong to the caller. One
	// goroutine at a time. An error beside frames that are not nil concerns
	// this message alone (*FrameTooLargeError, *TooManyPartsError: what was
	// refused is an empty frame); any other ends the channel.
	Recv() ([][]byte, error)
	// Reuse gives back frames of which the caller keeps nothing, not even a part:
	// a later Recv may use the memory of large ones. To be called by Recv's goroutine.
	Reuse(frames [][]byte)
	// Close ends the channel and whatever waits on it. Safe twice, from any
	// goroutine. Send and Recv return net.ErrClosed afterwards.
	Close() error
}

// Type is the kind of our end of a connection.
type Type int

// Kinds of connection.
const (
	// Dealer talks to a kernel's shell, control, stdin and hb sockets.
	Dealer Type = iota
	// Sub listens to iopub, to every topic.
	Sub
)

func (t Type) socketType() zmq4.SocketType {
	if t == Sub {
		return zmq4.Sub
	}
	return zmq4.Dealer
}

// Defaults of Options.
const (
	DefaultFrameLimit   = 256 << 20
	DefaultWriteTimeout = 10 * time.Second
)

const (
	dialRetry  = 25 * time.Millisecond
	bufferSize = 64 << 10
)

// Options say what to connect to and how.
type Options struct {
	// Network and Address are as in net.Dial, "unix" or "tcp".
	Network, Address string
	Type             Type
	// Identity is our routing id. Shell and stdin must share one, or no
	// input_request reaches us.
	Identity string
	// FrameLimit bounds a frame, and with 1 MiB more a whole message, in
	// bytes; DefaultFrameLimit if 0.
	FrameLimit int64
	// WriteTimeout bounds one Send; DefaultWriteTimeout if 0.
	WriteTimeout time.Duration
}

// Conn is one connection to one channel. It implements Channel.
type Conn struct {
	zc           *zmq4.Conn
	wire         *wire
	writeTimeout time.Duration
	sendMu       sync.Mutex // held while one message is written

	mu  sync.Mutex // protects the fields below
	err error      // why the connection ended, nil while it lives
}

// Dial connects and performs the handshake. While nobody listens at the address
// yet it tries again, until ctx ends: ctx must have an end. A Sub connection is
// subscribed to everything when Dial returns.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	nc, err := dial(ctx, o.Network, o.Address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", o.Address, err)
	}
	c, err := open(ctx, nc, o)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", o.Address, err)
	}
	return c, nil
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	tick := time.NewTicker(dialRetry)
	defer tick.Stop()
	var last error
	for {
		nc, err := d.DialContext(ctx, network, address)
		if err == nil {
			return nc, nil
		}
		if ctx.Err() == nil && !worthRetry(err) {
			return nil, err
		}
		// A timeout is our own deadline: what was wrong before says more.
		if last == nil || !isTimeout(err) {
			last = err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w (last attempt: %w)", context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// worthRetry says whether err can pass when the kernel has started.
func worthRetry(err error) bool {
	const windowsRefused = syscall.Errno(10061) // WSAECONNREFUSED
	return errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, syscall.ECONNRESET) ||
		isTimeout(err) || // also EAGAIN, a unix socket whose backlog is full
		errors.Is(err, windowsRefused)
}

// open performs the handshake on nc, which it owns from now on. The context
// bounds it by moving the deadline into the past, for the library sets none.
func open(ctx context.Context, nc net.Conn, o Options) (*Conn, error) {
	if o.FrameLimit <= 0 {
		o.FrameLimit = DefaultFrameLimit
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = DefaultWriteTimeout
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	w := newWire(nc, o.FrameLimit)
	zc, err := handshake(w, o)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("shaking hands: %w", err)
	}
	w.ready = true
	return &Conn{zc: zc, wire: w, writeTimeout: o.WriteTimeout}, nil
}

// handshake survives what zmq4 does not: a malformed READY indexes out of range.
func handshake(w *wire, o Options) (zc *zmq4.Conn, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed handshake: %v", p)
		}
	}()
	id := zmq4.SocketIdentity(o.Identity)
	zc, err = zmq4.Open(w, null.Security(), o.Type.socketType(), id, false, nil)
	if err != nil || o.Type != Sub {
		return zc, err
	}
	// In ZMTP 3.0 a subscription is a message: 1 and the prefix.
	return zc, zc.SendMsg(zmq4.NewMsg([]byte{1}))
}

// Send sends one message. An error ends the connection, for part of the message
// may be out; a peer that takes nothing for WriteTimeout is such an error
// (os.ErrDeadlineExceeded). That a message was sent does not mean that the peer
// lives to read it.
func (c *Conn) Send(frames [][]byte) error {
	if len(frames) == 0 {
		return errors.New("sending a message without frames")
	}
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	if err := c.ended(); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	err := c.wire.SetWriteDeadline(time.Now().Add(c.writeTimeout))
	if err == nil {
		err = c.zc.SendMsg(zmq4.NewMsgFrom(frames...))
	}
	if err == nil {
		err = c.wire.out.Flush()
	}
	if err != nil {
		return fmt.Errorf("sending: %w", c.fail(err))
	}
	return nil
}

// Recv returns the next message, see Channel. After the peer's end it returns
// io.EOF, or io.ErrUnexpectedEOF within a message, again and again.
func (c *Conn) Recv() (frames [][]byte, err error) {
	if err := c.ended(); err != nil {
		return nil, fmt.Errorf("receiving: %w", err)
	}
	frames, err = c.wire.message()
	if err != nil {
		return nil, fmt.Errorf("receiving: %w", c.fail(err))
	}
	return frames, c.wire.takeRefusal()
}

// Heard returns when bytes last came, also those of a message that is not whole yet.
func (c *Conn) Heard() time.Time { return *c.wire.heard.Load() } // there was a handshake

// Reuse lets a later Recv use the memory of frames, see Channel.
func (c *Conn) Reuse(frames [][]byte) { c.wire.reuse(frames) }

// Close ends the connection.
func (c *Conn) Close() error {
	c.fail(net.ErrClosed)
	return nil
}

// ended returns why the connection ended, nil while it lives.
func (c *Conn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the connection for err, unless it has ended, and returns why it did.
func (c *Conn) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		c.wire.Close()
	}
	return c.err
}
