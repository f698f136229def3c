package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const (
	// backTime is how long a lost connection is tried again.
	backTime = 8 * time.Second
	// killTime bounds the deletion of a kernel: a Jupyter server gives one 5 s to end by
	// itself, and asks twice more. Nobody waits so long at our own end: the server goes on.
	killTime = 15 * time.Second
	endTime  = 5 * time.Second
	// lookEvery is how often a kernel that says nothing is looked for: a server that ends
	// one leaves its connection open, and connections can be gone without a word (a
	// laptop that slept, a proxy that forgot them). lookTime is how long that may take: a
	// server that packs much output does nothing else. pongTime is for one that has just
	// answered, and not what was sent to it last: it may never have got that.
	lookEvery = 4 * time.Second
	lookTime  = 10 * time.Second
	pongTime  = 3 * time.Second
)

// Want says which kernel.
type Want struct {
	// Kernelspec is what to start, "" the server's default.
	Kernelspec string
	// ID is a kernel that runs already; it is never ended by us.
	ID string
	// Env are variables for a gateway, KERNEL_*.
	Env map[string]string
	// Note is called before a kernel is asked for: see [Noted]. Nil is nobody's affair.
	Note func(id string) Noted
	// Lost is called when the connection is lost, with the time of the last message. What
	// it returns is called, in a goroutine of its own, when the connection is there again.
	Lost func(since time.Time) (back func())
	Log  *slog.Logger
}

// Kernel is a kernel on a server, and the connection to it, which is made again when
// it breaks. Its methods are safe for concurrent use.
//
// Its goroutines: (1) receive reads the websocket and makes it again, ended by the
// kernel's death or Close; (2) one per connection that looks whether both are still there, ended with it.
type Kernel struct {
	server   *Server
	id, name string
	ours     bool  // we started it
	noted    Noted // who is told of its start and end
	session  string
	want     Want
	channels map[jupyter.Channel]*channel
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	done     chan struct{} // closed when the kernel is gone, or out of reach
	once     sync.Once

	mu     sync.Mutex // protects the fields below
	conn   *websocket.Conn
	up     chan struct{} // closed while connected
	other  string        // the kernel's own session
	reason string        // why it is gone
	last   time.Time     // when bytes last came
	sent   time.Time     // when something was last sent
	lost   bool          // out of reach, and may still run
}

// Open starts a kernel, or finds the one that is wanted, and connects to it. ctx
// bounds that only. The caller must Close the Kernel.
func (s *Server) Open(ctx context.Context, want Want) (*Kernel, error) {
	k := &Kernel{server: s, want: want, noted: Nobody(), session: newSession(), channels: map[jupyter.Channel]*channel{}, done: make(chan struct{}), up: make(chan struct{})}
	for _, name := range []jupyter.Channel{jupyter.IOPub, jupyter.Shell, jupyter.Control, jupyter.Stdin} {
		k.channels[name] = newChannel(k, name)
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	found, err := k.find(ctx)
	if err != nil {
		return nil, err
	}
	k.id, k.name = found.ID, found.Name
	if err := k.connect(ctx); err != nil {
		k.Close()
		return nil, err
	}
	go k.receive()
	return k, nil
}

func newSession() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ID is the server's name for it, Kernelspec what it was started from.
func (k *Kernel) ID() string         { return k.id }
func (k *Kernel) Kernelspec() string { return k.name }

// Session goes into the headers of messages to it: the server keeps what comes while
// nobody is connected for the same one.
func (k *Kernel) Session() string { return k.session }

func (k *Kernel) hear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = time.Now()
}

func (k *Kernel) heard() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// Ours reports whether we started it: then Close ends it.
func (k *Kernel) Ours() bool { return k.ours }

// Channel returns one of shell, iopub, control and stdin.
func (k *Kernel) Channel(name jupyter.Channel) Channel { return k.channels[name] }

// Done is closed when the kernel is gone or cannot be reached any more.
func (k *Kernel) Done() <-chan struct{} { return k.done }

// Reason says why, in a sentence. Call it after Done is closed.
func (k *Kernel) Reason() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reason
}

// OutOfReach reports whether the kernel may still run, and only the connection is gone.
// Call it after Done is closed.
func (k *Kernel) OutOfReach() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lost
}

// Renew makes the connection anew.
func (k *Kernel) Renew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn != nil {
		k.conn.CloseNow()
	}
}

// Interrupt asks the server to interrupt what runs.
func (k *Kernel) Interrupt() error {
	ctx, cancel := context.WithTimeout(k.ctx, requestTime)
	defer cancel()
	return k.server.interrupt(ctx, k.id)
}

// ErrNotOurs is returned for the end of a kernel that somebody else has started.
var ErrNotOurs = errors.New("the kernel was started by somebody else: it is left alone")

// Kill ends a kernel that we started.
func (k *Kernel) Kill() error { return k.kill(killTime) }

func (k *Kernel) kill(within time.Duration) error {
	if !k.ours {
		return ErrNotOurs
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for {
		err := k.server.delete(ctx, k.id)
		if err == nil || NotFound(err) {
			k.end("it was ended by this server")
			k.noted.Ended()
			return nil
		}
		select { // a server that is starting it again answers with an error
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// Close ends the connection, and the kernel if we started it. Safe twice.
func (k *Kernel) Close() (err error) {
	k.once.Do(func() {
		if k.ours && k.id != "" {
			err = k.kill(endTime)
		}
		k.end("the connection was closed")
		k.cancel()
	})
	return err
}

// end notes why the kernel is gone; the first reason counts.
func (k *Kernel) end(reason string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	select {
	case <-k.done:
		return
	default:
	}
	k.reason = reason
	if k.conn != nil {
		k.conn.CloseNow()
	}
	close(k.done)
}

// look finds out that the kernel, or the connection, is gone.
func (k *Kernel) look(conn *websocket.Conn) {
	for quiet := time.Duration(0); ; {
		select {
		case <-time.After(lookEvery - quiet):
		case <-k.done:
			return
		}
		k.mu.Lock()
		last, current := k.last, k.conn == conn
		k.mu.Unlock()
		if !current {
			return
		}
		if quiet = time.Since(last); quiet < lookEvery {
			continue
		}
		quiet = 0
		err := k.answers(conn)
		switch {
		case NotFound(err):
			k.end(noSuchKernel)
			return
		case err != nil:
			conn.CloseNow()
			return
		}
	}
}

// answers asks the server for the kernel, and the connection for a sign of life. What comes
// on it is one too: a server answers neither while it packs and sends large messages.
func (k *Kernel) answers(conn *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(k.ctx, lookTime)
	defer cancel()
	asked := time.Now()
	if _, err := k.server.get(ctx, k.id); err != nil {
		if !NotFound(err) && k.heard().After(asked) {
			return nil
		}
		return err
	}
	asked = time.Now()
	k.mu.Lock()
	unheard := k.sent.After(k.last)
	k.mu.Unlock()
	if unheard {
		ctx, cancel = context.WithTimeout(ctx, pongTime)
		defer cancel()
	}
	if err := conn.Ping(ctx); err != nil && !k.heard().After(asked) {
		return err
	}
	return nil
}

const noSuchKernel = "the Jupyter server has no such kernel any more: it was ended there, or the server was started anew"

// receive hands on what comes until the kernel is gone.
func (k *Kernel) receive() {
	defer func() {
		for _, c := range k.channels {
			close(c.queue)
		}
	}()
	for {
		k.mu.Lock()
		conn := k.conn
		k.mu.Unlock()
		err := k.read(conn)
		conn.CloseNow()
		select {
		case <-k.done:
			return
		default:
		}
		k.want.Log.Info("connection to the Jupyter server lost", "kernel", k.id, "err", reason(err))
		k.mu.Lock()
		k.up = make(chan struct{})
		since := k.last
		k.mu.Unlock()
		back := func() {}
		if k.want.Lost != nil {
			back = k.want.Lost(since)
		}
		if err := k.reconnect(); err != nil {
			k.end(err.Error())
			return
		}
		go back()
	}
}

// reconnect tries for a while; an error says why the kernel is given up.
func (k *Kernel) reconnect() error {
	ctx, cancel := context.WithTimeout(k.ctx, backTime)
	defer cancel()
	pause := 100 * time.Millisecond
	for {
		_, err := k.server.get(ctx, k.id)
		if NotFound(err) {
			return errors.New(noSuchKernel)
		}
		if err == nil {
			if err = k.connect(ctx); err == nil {
				return nil
			}
		}
		select {
		case <-k.done:
			return nil
		case <-ctx.Done():
			k.mu.Lock()
			k.lost = true
			k.mu.Unlock()
			return fmt.Errorf("the connection to the Jupyter server is lost (%s); kernel %s may still run there", reason(err), k.id)
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Second)
	}
}

// send sends a message, and waits while the connection is being made again.
func (k *Kernel) send(name jupyter.Channel, parts [][]byte) error {
	for {
		k.mu.Lock()
		up := k.up
		k.mu.Unlock()
		select {
		case <-up:
		case <-k.done:
			return errors.New(k.Reason())
		}
		k.mu.Lock()
		conn, still := k.conn, k.up == up
		k.sent = time.Now()
		k.mu.Unlock()
		if !still {
			continue
		}
		return write(k.ctx, conn, name, parts)
	}
}

func write(ctx context.Context, conn *websocket.Conn, name jupyter.Channel, parts [][]byte) error {
	if conn.Subprotocol() == subprotocol {
		return conn.Write(ctx, websocket.MessageBinary, encodeV1(name, parts))
	}
	text, err := encodeOlder(name, parts)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}

// note reads in a message of the kernel's whether it is another process than before,
// and reports whether it still is the one.
func (k *Kernel) note(name jupyter.Channel, parts [][]byte) (same bool) {
	var header struct {
		Session string `json:"session"`
		MsgType string `json:"msg_type"`
	}
	if json.Unmarshal(parts[0], &header) != nil {
		return true
	}
	k.mu.Lock()
	other := k.other
	if other == "" && header.Session != k.session {
		k.other = header.Session
	}
	k.mu.Unlock()
	if header.MsgType == jupyter.MsgStatus && name == jupyter.IOPub {
		var status jupyter.Status
		if json.Unmarshal(parts[3], &status) == nil {
			switch status.ExecutionState {
			case "restarting", "autorestarting":
				k.end("the kernel died on the Jupyter server, which has started a new one in its place")
				return false
			case "dead":
				k.end("the kernel died on the Jupyter server")
				return false
			}
		}
	}
	if header.MsgType == jupyter.MsgShutdownReply && name == jupyter.IOPub { // to whoever has asked
		k.end("the Jupyter server has ended the kernel: somebody asked for that there, or that server ended, or it ends kernels in which nothing runs for a while (cull_idle_timeout)")
		return false
	}
	// The server's own words carry our session. Replies to others are not sent to us.
	if other != "" && header.Session != k.session && header.Session != other {
		k.end("the kernel on the Jupyter server is another process than before: it was restarted there")
		return false
	}
	return true
}
