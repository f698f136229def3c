//go:build unix

package keep

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

const (
	// look is how often the server sees whether its socket is still there.
	look = time.Second
	// firstFront is how long it waits for the front that started it.
	firstFront = 20 * time.Second
	// helloPatience bounds the first line of a connection, in time and bytes.
	helloPatience = 5 * time.Second
	maxHello      = 16 << 20
	// endPatience is how long kernels may take to exit when the server is stopped.
	endPatience = 2 * time.Second
)

// errStopped is why a server ends that was told to.
var errStopped = errors.New("the server was stopped")

// background is a server that outlives its clients.
//
// Its goroutines: run's own; one that accepts for each socket, which ends with it;
// one for each connection, which ends with that.
type background struct {
	place   *place
	address Address
	alive   *os.File // locked; run's own
	parts   *server.Parts
	level   *slog.LevelVar
	log     *slog.Logger
	openLog func() // opens the file that log writes to
	stays   bool   // also without fronts and sessions
	begun   time.Time
	dir     rundir.Dir
	changed chan struct{} // buffered 1: a connection has ended
	ctx     context.Context
	stop    context.CancelCauseFunc
	done    chan struct{} // closed when all has ended
	conns   sync.WaitGroup

	mu       sync.Mutex // protects the fields below
	listener *net.UnixListener
	socket   os.FileInfo       // of the listener
	pending  int               // connections that are no visits yet
	visits   map[*visit]bool   // fronts
	visited  bool              // there was one
	open     map[net.Conn]bool // of all connections
	closing  bool              // no connection is taken any more
}

// visit is one front.
type visit struct {
	conversation *session.Conversation
	pid          int
	since        time.Time
}

// newBackground makes the server of these settings, unless there is one: then it is
// nil without an error.
func newBackground(o Options, level *slog.LevelVar, log *slog.Logger, stays bool) (*background, error) {
	places := server.FindPlaces(o.Getenv)
	p, err := openPlace(places.State)
	if err != nil {
		return nil, err
	}
	key, err := keyOf(o.Getenv, p.secret)
	if err != nil {
		return nil, err
	}
	alive, err := p.claim(key)
	if alive == nil {
		return nil, err
	}
	parts, err := server.AssembleKept(o.Getenv, o.Version, log, p.file(key, "over"))
	if err != nil {
		return nil, err
	}
	b := &background{
		place: p, alive: alive, parts: parts, level: level, log: log, stays: stays, begun: time.Now(),
		address: Address{Key: key, Protocol: protocol, Version: o.Version, PID: os.Getpid(), Started: time.Now().Truncate(time.Second),
			WorkDir: places.WorkDir.Path, Storage: places.Storage, Log: p.file(key, "log")},
		changed: make(chan struct{}, 1), done: make(chan struct{}),
		visits: map[*visit]bool{}, open: map[net.Conn]bool{},
	}
	b.ctx, b.stop = context.WithCancelCause(context.Background())
	return b, b.keepSocket()
}

// run serves until ctx ends, the server is stopped, or nobody needs it.
func (b *background) run(ctx context.Context) {
	defer close(b.done)
	timer := time.NewTimer(look)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			b.stop(context.Cause(ctx))
		case <-b.ctx.Done():
		case <-b.changed:
		case <-timer.C:
		}
		if b.ctx.Err() != nil {
			b.end()
			return
		}
		if err := errors.Join(b.keepPlace(), b.keepSocket()); err != nil {
			b.log.Warn("staying where fronts look for it", "err", err)
		}
		pause := look
		if next := b.parts.Sessions.Expire(time.Now()); !next.IsZero() {
			pause = min(pause, max(time.Until(next), 0)+time.Millisecond)
		}
		if b.unneeded() {
			if b.endUnneeded() {
				return
			}
			pause = 100 * time.Millisecond // somebody is looking for a server
		}
		timer.Reset(pause)
	}
}

// unneeded reports whether there are neither fronts nor sessions.
func (b *background) unneeded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	waited := b.visited || time.Since(b.begun) > firstFront
	return !b.stays && waited && len(b.visits) == 0 && b.pending == 0 && b.parts.Sessions.Idle()
}

// endUnneeded ends the server unless a front has come, or is about to start one.
// Fronts that wait at the socket find that it has gone, and start another.
func (b *background) endUnneeded() bool {
	unlock, err := b.place.lock(0)
	if err != nil {
		return false
	}
	defer unlock()
	b.mu.Lock()
	late := len(b.visits) > 0 || b.pending > 0 || !b.parts.Sessions.Idle()
	b.closing = !late
	b.mu.Unlock()
	if late {
		return false
	}
	b.log.Info("nobody needs this server any more")
	b.close()
	return true
}

// end ends the server with all its sessions. Fronts see the end of their connections.
func (b *background) end() {
	b.log.Info("ending", "why", context.Cause(b.ctx))
	b.mu.Lock()
	b.closing = true
	b.mu.Unlock()
	unlock, err := b.place.lock(lockPatience)
	if err == nil {
		defer unlock()
	}
	b.close()
}

// close ends everything. The caller holds the lock of the place, and has set closing.
func (b *background) close() {
	b.stop(errStopped)
	b.mu.Lock()
	b.listener.Close()
	b.mu.Unlock()
	if b.found() {
		b.place.remove(b.address.Key) // before the kernels' end: who comes now waits for ours
	}
	polite, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	b.parts.Close(polite)
	if err := b.dir.Remove(); err != nil {
		b.log.Warn("removing the socket's directory", "err", err)
	}
	b.alive.Close()
}

// begin counts a connection, unless the server is closing.
func (b *background) begin(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return false
	}
	b.conns.Add(1)
	b.pending++
	b.open[conn] = true
	return true
}

func (b *background) over(conn net.Conn) {
	conn.Close()
	b.mu.Lock()
	delete(b.open, conn)
	b.mu.Unlock()
	b.wake()
	b.conns.Done()
}

func (b *background) wake() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// attend serves one connection.
func (b *background) attend(conn *net.UnixConn) error {
	settled := sync.OnceFunc(func() {
		b.mu.Lock()
		b.pending--
		b.mu.Unlock()
	})
	defer settled()
	pid, err := peer(conn)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(helloPatience)); err != nil {
		return err
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	h, err := readHello(r)
	if err != nil {
		return err
	}
	switch h.Kind {
	case kindStatus:
		return b.answer(conn, greeting{Status: b.status()})
	case kindStop:
		b.stop(errStopped)
		<-b.done
		_ = conn.SetDeadline(time.Now().Add(helloPatience))
		return b.answer(conn, greeting{})
	case kindFront:
		return b.host(conn, r, h, pid, settled)
	}
	return b.answer(conn, greeting{Refused: fmt.Sprintf("the background server (version %s) does not know %q", b.address.Version, h.Kind)})
}

func readHello(r *bufio.Reader) (h hello, err error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case err == nil:
			return h, json.Unmarshal(text, &h)
		case !errors.Is(err, bufio.ErrBufferFull):
			return h, err
		case len(text) > maxHello:
			return h, errors.New("the hello is too long")
		}
	}
}

func (b *background) answer(conn net.Conn, g greeting) error {
	g.Protocol, g.Version = protocol, b.address.Version
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	_, err = conn.Write(append(text, '\n'))
	return err
}

// host serves a front until its client goes.
func (b *background) host(conn *net.UnixConn, r *bufio.Reader, h hello, pid int, settled func()) error {
	getenv, ok := settings.Only(h.Args, variable(h.Environ))
	switch {
	case h.Protocol != protocol:
		return b.answer(conn, greeting{}) // the front sees the protocol's version
	case !ok:
		return b.answer(conn, greeting{Refused: "the background server does not understand these settings"})
	case descends(pid, os.Getpid()):
		return b.answer(conn, greeting{Refused: "this process was started by code of a kept session, whose server it would share"})
	}
	if err := b.answer(conn, greeting{}); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	set := settings.Read(getenv)
	b.level.Set(set.LogLevel)
	v := &visit{pid: pid, since: time.Now(), conversation: b.parts.Sessions.Join(session.Client{
		Keep:        set.Keep,
		Provisioner: b.parts.ProvisionerFor(variable(h.Environ), h.Environ),
		Variables:   h.Environ,
		IdleLimit:   set.IdleLimit,
		PlainPython: !set.Prelude,
		Notebook:    server.FindPlaces(getenv).Notebook,
	})}
	leave := func() { // as soon as the client has gone: the next one may be there already
		v.conversation.Leave()
		b.mu.Lock()
		delete(b.visits, v)
		b.mu.Unlock()
	}
	defer leave()
	b.mu.Lock()
	b.visits[v], b.visited = true, true
	b.mu.Unlock()
	settled()
	out := &outgoing{w: conn}
	in := newIncoming(r, out.confirm, leave)
	err := b.parts.Server.ServeFor(b.ctx, v.conversation, b.told(set, h), in, out)
	if errors.Is(err, errStopped) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return err
}

// told are sentences for the first answer to a front.
func (b *background) told(set settings.Settings, h hello) []string {
	told := set.Sentences()
	if h.Version != b.address.Version {
		told = append(told, fmt.Sprintf("the background server is of version %s, this program of %s; \"mcp-code-executor stop\" ends the old one, with its sessions", b.address.Version, h.Version))
	}
	for i, dir := range h.Others {
		if i == 3 {
			break
		}
		told = append(told, fmt.Sprintf("sessions are also kept by a background server with other settings, whose code runs in %s; \"mcp-code-executor ps\" shows it", dir))
	}
	return told
}

// descends reports whether a process was started by another one, over any number of
// others.
func descends(pid, ancestor int) bool {
	for range 64 {
		switch pid {
		case 0, 1:
			return false
		case ancestor:
			return true
		}
		pid = parent(pid)
	}
	return false
}

// status tells of the server.
func (b *background) status() *Status {
	b.mu.Lock()
	s := &Status{Address: b.address, Clients: []ClientStatus{}, Sessions: []SessionStatus{}}
	for v := range b.visits {
		s.Clients = append(s.Clients, ClientStatus{Name: v.conversation.Called(), PID: v.pid, Since: v.since.Truncate(time.Second)})
	}
	b.mu.Unlock()
	slices.SortFunc(s.Clients, func(x, y ClientStatus) int { return cmp.Or(x.Since.Compare(y.Since), x.PID-y.PID) })
	for _, k := range b.parts.Sessions.Kept() {
		one := SessionStatus{Name: k.Name, State: k.State, Running: k.Running, Seconds: k.Idle.Seconds(), Queued: k.Queued, Environment: k.Environment,
			Generation: k.Generation, Memory: int64(k.Usage.Memory), Clients: len(k.Clients)}
		if k.Running != "" {
			one.Seconds = k.RunningFor.Seconds()
		}
		if !k.Left.IsZero() {
			left := k.Left.Truncate(time.Second)
			one.Ends = &left
		}
		s.Sessions = append(s.Sessions, one)
	}
	return s
}
