package session

import (
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/variables"
)

// Welcome is what a new conversation must know before its first answer.
type Welcome struct {
	Default string // its session of calls that name none
	// Taken is set when DefaultName is another conversation's.
	Taken *Taken
	// Back are the sessions that were there before it, its default first. Those that
	// another conversation has as its default are not among them.
	Back []Back
	// Changed names the variables that are not the same as those with which the
	// kernel of its default session was started.
	Changed []string
	// Over are sessions that have ended since a client was told such things.
	Over []history.Over
	// Memory is what the sessions that were there take, in bytes.
	Memory int64
}

// Taken is who has the session DefaultName.
type Taken struct {
	Client string        // what it calls itself, may be ""
	Used   time.Duration // since its last call
}

// Back is a session that was there before.
type Back struct {
	Summary
	Prompt string // what its code asks, of StateWaiting
	// Finished are runs whose end no answer has told.
	Finished []Finished
}

// Finished is a run that ended while nobody listened.
type Finished struct {
	ID      string
	Outcome Outcome
}

// Welcome tells what the conversation comes to. It claims its default session.
func (c *Conversation) Welcome() Welcome {
	m := c.manager
	m.mu.Lock()
	mine := c.holds // before this call named it, its time of use is another's
	m.mu.Unlock()
	if mine == "" {
		mine = c.Name("")
	}
	w := Welcome{Default: mine, Over: m.overs.All()}
	others := map[string]bool{}
	m.mu.Lock()
	for other := range m.conversations {
		if other == c || other.holds == "" {
			continue
		}
		others[other.holds] = true
		if other.holds == DefaultName {
			w.Taken = &Taken{Client: other.Called(), Used: time.Since(m.touchedLocked(DefaultName))}
		}
	}
	m.mu.Unlock()
	for _, s := range m.Sessions() {
		if others[s.name] {
			continue
		}
		back, hashes := s.back()
		if back.Generation == 0 && len(back.Finished) == 0 && back.Running == "" {
			continue
		}
		w.Memory += back.Usage.Memory
		if s.name != mine {
			w.Back = append(w.Back, back)
			continue
		}
		w.Back = slices.Insert(w.Back, 0, back)
		if back.PID > 0 && hashes != nil {
			w.Changed = c.hashes.Differing(hashes)
		}
	}
	return w
}

// Told says that the client has what the welcome tells.
func (c *Conversation) Told(w Welcome) { c.manager.overs.Told(w.Over) }

// back tells of the session as of one that was there before, and with which
// variables its kernel was started.
func (s *Session) back() (Back, variables.Hashes) {
	b := Back{Summary: s.Summary()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.running != nil {
		if p := s.current.running.Waiting(); p != nil {
			b.Prompt = p.Text
		}
	}
	for _, e := range s.untold {
		if e.state == StateFinished && !e.told {
			b.Finished = append(b.Finished, Finished{ID: e.id, Outcome: e.outcome})
		}
	}
	return b, s.variables
}
