package streamable

import (
	"sync"
	"time"
)

// How long a client is waited for that has no request in flight: HTTP has no end of a
// client, so its silence must do.
const (
	// requestPatience is the time after a request: a person may think about it.
	requestPatience = 10 * time.Minute
	// streamPatience is the time after the stream of a client that keeps one open: one
	// that lives opens it again, proxies cut such streams.
	streamPatience = 10 * time.Second
)

// presence tells when a client is away that may not come back.
type presence struct {
	goes, comes func() // called with mu held, and never twice in a row

	mu    sync.Mutex // protects the fields below
	here  int        // requests and streams
	away  bool
	ended bool
	since time.Time // the last time that nothing was in flight
	timer *time.Timer
}

// newPresence returns the presence of a client that is away.
func newPresence(goes, comes func()) *presence {
	return &presence{goes: goes, comes: comes, away: true, since: time.Now()}
}

// enter tells that a request has come, or a stream. leave must follow.
func (p *presence) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here++
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if p.away && !p.ended {
		p.away = false
		p.comes()
	}
}

// leave tells that a request is over; after patience without another the client is away.
func (p *presence) leave(patience time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.here--
	p.since = time.Now()
	if p.here == 0 && !p.away {
		p.timer = time.AfterFunc(patience, p.silent)
	}
}

func (p *presence) silent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.here == 0 {
		p.goLocked()
	}
}

func (p *presence) goLocked() {
	if !p.away {
		p.away = true
		p.goes()
	}
}

// end makes the client go for ever.
func (p *presence) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.goLocked()
}

// silentSince reports whether nothing of the client is in flight, and since when.
func (p *presence) silentSince() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since, p.here == 0
}
