package streamable

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestPresence: a client is away after a silence, and there again with its next
// request; a stream that ends is waited for less.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		p := newPresence(func() { told = append(told, "away") }, func() { told = append(told, "back") })
		check := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if fmt.Sprint(told) != fmt.Sprint(want) {
				t.Errorf("%v, want %v", told, want)
			}
			told = nil
		}
		p.enter()
		check("back")
		time.Sleep(time.Hour) // a long call
		p.leave(requestPatience)
		time.Sleep(requestPatience - time.Second)
		check()
		p.enter()
		p.enter()
		p.leave(streamPatience)
		time.Sleep(time.Hour)
		check()
		p.leave(streamPatience)
		time.Sleep(streamPatience + time.Second)
		check("away")
		if at, silent := p.silentSince(); !silent || time.Since(at) != streamPatience+time.Second {
			t.Errorf("%v %v", at, silent)
		}
		p.enter()
		p.leave(requestPatience)
		p.end()
		p.end()
		check("back", "away")
		p.enter()
		p.leave(requestPatience)
		time.Sleep(time.Hour)
		check()
	})
}

// TestSweep: a client that has been silent for very long has no connection any more.
func TestSweep(t *testing.T) {
	s := newToy(t)
	c, there := s.shake(`{}`), s.shake(`{}`)
	s.quiet(c)
	s.quiet(there)
	stream := s.do("GET", "", "Mcp-Session-Id", there.id, "Accept", "text/event-stream")
	s.endpoint.Sweep(time.Now().Add(idleMost - time.Hour))
	if r := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); r.StatusCode != 200 {
		t.Error(r.Status)
	}
	s.quiet(c)
	s.endpoint.Sweep(time.Now().Add(idleMost + time.Hour))
	if r := c.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); r.StatusCode != 404 {
		t.Error(r.Status)
	}
	if r := there.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); r.StatusCode != 200 || stream.StatusCode != 200 {
		t.Error(r.Status)
	}
}

// TestKeptBounded: what is kept for clients that resume is bounded; the oldest goes.
func TestKeptBounded(t *testing.T) {
	s := newToy(t)
	c := s.shake(`{}`)
	served := s.endpoint.connections[c.id]
	var first string
	for i := range 2 * keptStreams {
		stream := served.open(fmt.Sprint("n", i), false)
		stream.resumable()
		stream.Answer(make([]byte, keptBytes/64), nil)
		stream.Close()
		if i == 0 {
			first = stream.name
		}
	}
	served.mu.Lock()
	defer served.mu.Unlock()
	if n := len(served.streams); n > 65+1 || served.streams[first] != nil || len(served.pending) != 0 {
		t.Errorf("%d streams are kept, %d pending", n, len(served.pending))
	}
	s.endpoint.kept.mu.Lock()
	defer s.endpoint.kept.mu.Unlock()
	if s.endpoint.kept.bytes > keptBytes {
		t.Errorf("%d bytes", s.endpoint.kept.bytes)
	}
}

// FuzzSplitID: an event's id of any client is taken apart, or refused.
func FuzzSplitID(f *testing.F) {
	for _, seed := range []string{"1-0", "-", "x-1", "1--1", "9-99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if name, number, ok := splitID(id); ok && (number < -1 || name == "" && id[0] != '-') {
			t.Errorf("%q: %q %d", id, name, number)
		}
	})
}
