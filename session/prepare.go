package session

import (
	"context"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// preparation is one environment being found, and made when it is the managed
// one. It belongs to the manager and goes on when nobody waits: making the
// managed environment takes minutes, and a client that gave up comes back.
type preparation struct {
	done chan struct{}
	env  *pyenv.Environment
	err  error

	mu       sync.Mutex // protects the fields below
	activity string
	changed  chan struct{} // closed and replaced when activity changes
}

func (p *preparation) say(activity string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.activity = activity
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *preparation) watch() (string, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.activity, p.changed
}

// wanted is what is prepared: an environment, with the variables of one client.
type wanted struct {
	config      pyenv.Config
	provisioner *provision.Provisioner
}

// environment resolves a configuration and tells progress what is being done.
// Calls for the same configuration share one preparation. ctx ends the waiting
// only.
func (m *Manager) environment(ctx context.Context, by *Conversation, c pyenv.Config, progress func(string)) (*pyenv.Environment, error) {
	p := m.preparing(wanted{c, m.provisioner(by)})
	for {
		activity, changed := p.watch()
		progress(activity)
		select {
		case <-p.done:
			if p.err != nil {
				return nil, p.err
			}
			env := *p.env // each has its own: EnsureKernel changes it
			return &env, nil
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// preparing returns the preparation under way for w, or begins one.
func (m *Manager) preparing(w wanted) *preparation {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.preparations[w]; p != nil {
		return p
	}
	p := &preparation{done: make(chan struct{}), changed: make(chan struct{}), activity: "looking at the environment"}
	m.preparations[w] = p
	m.wg.Go(func() {
		if w.config.Configured() {
			p.env, p.err = w.provisioner.Resolve(m.ctx, w.config)
		} else {
			p.env, p.err = w.provisioner.Managed(m.ctx, p.say)
		}
		m.mu.Lock()
		delete(m.preparations, w)
		m.mu.Unlock()
		close(p.done)
	})
	return p
}
