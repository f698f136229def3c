//go:build unix

package keep

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
)

// List asks this user's background servers what they do. One that does not answer is
// among them, with its problem.
func List(getenv func(string) string) ([]Status, error) {
	p, err := openPlace(server.FindPlaces(getenv).State)
	if err != nil {
		return nil, err
	}
	var all []Status
	for _, key := range p.keys() {
		if !p.alive(key) {
			continue
		}
		l, a, err := p.reach(key, hello{Protocol: protocol, Kind: kindStatus}, answerPatience)
		switch {
		case errors.Is(err, errGone): // it has just ended
		case err != nil:
			all = append(all, Status{Address: a, Problem: err.Error()})
		case l.Status == nil:
			l.conn.Close()
			all = append(all, Status{Address: a, Problem: "it tells nothing of itself"})
		default:
			l.conn.Close()
			all = append(all, *l.Status)
		}
	}
	slices.SortFunc(all, func(x, y Status) int { return x.Started.Compare(y.Started) })
	return all, nil
}

// reach says hello to the server of that key, which may be making its socket again.
// errGone means that there is none.
func (p *place) reach(key string, h hello, patience time.Duration) (*line, Address, error) {
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		a, err := p.address(key)
		if err == nil {
			l, err := dial(a, h, patience)
			if !errors.Is(err, errGone) {
				return l, a, err
			}
		}
		switch {
		case !p.alive(key):
			return nil, a, errGone
		case given(begun, p.holder(key, a), patience):
			return nil, a, &NoAnswerError{p.holder(key, a), p.file(key, "log")}
		}
	}
}

// Own is the key of the server that serves these settings, whether there is one or not.
func Own(getenv func(string) string) (string, error) {
	p, err := openPlace(server.FindPlaces(getenv).State)
	if err != nil {
		return "", err
	}
	return keyOf(getenv, p.secret)
}

// stopPatience is how long a server may take to end with all its kernels.
const stopPatience = 30 * time.Second

// Stop ends a background server with its sessions, and waits for its end.
func Stop(getenv func(string) string, s Status) error {
	p, err := openPlace(server.FindPlaces(getenv).State)
	if err != nil {
		return err
	}
	l, _, err := p.reach(s.Key, hello{Protocol: protocol, Kind: kindStop}, stopPatience)
	switch {
	case errors.Is(err, errGone): // it has ended by itself
	case err != nil:
		return err
	default:
		l.conn.Close()
	}
	for begun := time.Now(); p.alive(s.Key); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > stopPatience {
			return fmt.Errorf("process %d is still there", s.PID)
		}
	}
	return nil
}
