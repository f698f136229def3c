package session

import (
	"context"
	"fmt"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// ready returns the session's kernel, started when there is none. It resolves
// the environment only then: a session keeps the one its kernel runs in.
func (s *Session) ready(e *Execution) (*kernel.Kernel, error) {
	s.mu.Lock()
	k, loss := s.kernel, s.loss
	config, deaths := s.config, s.deaths
	generation := s.generationLocked(e.request.Generation)
	s.mu.Unlock()
	if loss != nil {
		return nil, kernel.ErrDead
	}
	if generation != nil {
		return nil, generation
	}
	if k != nil {
		return k, nil
	}
	if deaths >= maxDeaths {
		return nil, &RestartsError{Session: s.name, Deaths: deaths}
	}
	c := s.manager.config
	storage, err := c.Storage()
	if err != nil {
		return nil, err
	}
	work, err := s.manager.workDir(storage)
	if err != nil {
		return nil, err
	}
	env, err := s.manager.environment(e.ctx, e.request.By, config, func(line string) { s.activity(e, line) })
	if err != nil {
		return nil, err
	}
	notice, err := s.manager.provisioner(e.request.By).EnsureKernel(e.ctx, env, func(line string) { s.activity(e, line) })
	if err != nil {
		return nil, err
	}
	s.activity(e, "starting the kernel in "+env.Label())
	s.mu.Lock()
	next := s.generation + 1
	s.mu.Unlock()
	code := storage.Dir()
	if sameDir(code, work.Path) {
		code = "" // the working directory is on sys.path as it is
	}
	k, err = kernel.Start(e.ctx, c.Host, kernel.Spec{
		Python:      env.Python,
		Env:         env.Vars,
		Dir:         work.Path,
		Code:        code,
		Sidecar:     env.Sidecar,
		Session:     s.name,
		Generation:  next,
		Environment: env.Label(),
		PlainPython: e.request.By.plainPython(),
	})
	if variables := pyenv.AtStart(env.Vars); err != nil && len(variables) > 0 {
		err = &StartVariablesError{Variables: variables, Err: err}
	}
	if err != nil {
		return nil, err
	}
	kept := s.manager.follow(e.request.By, k, work.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.wg.Go(k.Close)
		return nil, ErrClosed
	}
	s.kernel, s.env, s.generation, s.variables = k, env, next, e.request.By.variables()
	s.manager.noteKernel(history.Kernel{Record: k.Info().RecordDir, Session: s.name, Generation: next, Storage: storage.Dir(), WorkDir: work.Path, Owner: s.manager.config.Owner})
	if next == 1 && !s.alone {
		e.workDir = work.Path
	}
	if next > 1 {
		e.notices = append(e.notices, fmt.Sprintf("new kernel, generation %d: the variables and imports of generation %d are gone", next, next-1))
	}
	if env.Made != "" {
		e.notices = append(e.notices, env.Made)
	}
	if notice != "" {
		e.notices = append(e.notices, notice)
	}
	if notice := pyenv.IPythonDirNotice(env.Vars, work.Path); notice != "" {
		e.notices = append(e.notices, notice)
	}
	e.notices = append(e.notices, env.Warnings...)
	e.notices = append(e.notices, kept...)
	s.wg.Go(func() { s.died(k) })
	return k, nil
}

// maxDeaths is how many kernels of a session may die, without one finished run
// between them, until it takes a decision to start another.
const maxDeaths = 3

func (s *Session) activity(e *Execution, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.setLocked(StatePreparing, what)
}

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
