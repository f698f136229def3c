package gatewaytest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on until they are cut, silent for a while, or forgotten.
type Proxy struct {
	Addr string
	t    testing.TB

	mu     sync.Mutex    // protects the fields below
	to     string        // where new connections go
	idle   time.Duration // what closes a connection, 0 nothing
	closed bool          // to new connections
	conns  []net.Conn
	forgot chan struct{} // closed for the connections of before
}

// StartProxy starts one to that address. It ends with the test.
func StartProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), t: t, to: to, forgot: make(chan struct{})}
	t.Cleanup(func() { l.Close(); p.Cut() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", p.target())
			if err != nil {
				near.Close()
				continue
			}
			p.mu.Lock()
			if p.closed {
				near.Close()
				far.Close()
			}
			p.conns = append(p.conns, near, far)
			forgot := p.forgot
			p.mu.Unlock()
			go p.pass(near, far, forgot)
			go p.pass(far, near, forgot)
		}
	}()
	return p
}

// pass passes on what comes from one side, as long as it is not silent.
func (p *Proxy) pass(to, from net.Conn, forgot chan struct{}) {
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		p.mu.Lock()
		if p.idle > 0 {
			from.SetReadDeadline(time.Now().Add(p.idle))
		}
		p.mu.Unlock()
		n, err := from.Read(b)
		select {
		case <-forgot: // nobody is told
			<-p.t.Context().Done()
			return
		default:
		}
		if _, failed := to.Write(b[:n]); err != nil || failed != nil {
			return
		}
	}
}

// CloseSilent closes connections that are silent for so long, from the next bytes on.
func (p *Proxy) CloseSilent(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = after
}

// To lets new connections go to another address.
func (p *Proxy) To(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = addr
}

func (p *Proxy) target() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.to
}

// Close cuts all connections, and each new one; Open ends that.
func (p *Proxy) Close() {
	p.setClosed(true)
	p.Cut()
}

// Open lets connections in again: new ones, none that was made before and waits to be
// accepted with a request in it.
func (p *Proxy) Open() {
	if last, err := net.Dial("tcp", p.Addr); err == nil {
		last.Read(make([]byte, 1)) // closed in its turn
		last.Close()
	}
	p.setClosed(false)
}

func (p *Proxy) setClosed(closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = closed
}

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// Forget lets nothing through any more on the connections that there are, and closes none.
// New ones work.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.forgot)
	p.forgot = make(chan struct{})
}

// Until waits for connections; each has two ends.
func (p *Proxy) Until(ends int) {
	p.t.Helper()
	for p.t.Context().Err() == nil {
		p.mu.Lock()
		n := len(p.conns)
		p.mu.Unlock()
		if n >= ends {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
