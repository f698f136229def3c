package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/share"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
)

// ready returns the session's kernel, started when there is none. It resolves
// the environment only then: a session keeps the one its kernel runs in.
func (s *Session) ready(e *Execution) (*kernel.Kernel, error) {
	s.mu.Lock()
	k, loss := s.kernel, s.loss
	config, deaths := s.config, s.deaths
	generation, tighter := s.generationLocked(e.request.Generation), s.tighterLocked(e.policy)
	s.mu.Unlock()
	if loss != nil {
		return nil, kernel.ErrDead
	}
	if generation != nil {
		return nil, generation
	}
	if k != nil {
		return k, tighter
	}
	if deaths >= maxDeaths {
		return nil, &RestartsError{Session: s.name, Deaths: deaths}
	}
	if config.Elsewhere() {
		outside, err := s.manager.outside(config)
		if err != nil {
			return nil, err
		}
		return s.connect(e, config, outside)
	}
	c := s.manager.config
	if c.Unusable != nil {
		return nil, c.Unusable
	}
	place, err := s.manager.place()
	if err != nil {
		return nil, err
	}
	work := place.work
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
	code := place.code
	if sameDir(code, work.Path) {
		code = "" // the working directory is on sys.path as it is
	}
	k, confined, err := s.startKernel(e, env, place, kernel.Spec{
		Python:      env.Python,
		Env:         env.Vars,
		Dir:         work.Path,
		Code:        code,
		Sidecar:     env.Sidecar,
		Session:     s.name,
		Generation:  next,
		Environment: env.Label(),
		PlainPython: e.request.By.plainPython(),
		Share:       s.share(env),
		Command:     env.Command, InterruptByMessage: env.InterruptByMessage(),
	})
	if err != nil && env.Command != nil {
		err = &CommandError{Command: env.Command, Err: err}
	}
	if variables := pyenv.AtStart(env.Vars); err != nil && len(variables) > 0 {
		err = &StartVariablesError{Variables: variables, Err: err}
	}
	if err != nil {
		return nil, err
	}
	if env.Kernelspec != nil {
		env.Language = cmp.Or(k.Info().Language, env.Language)
	}
	kept := s.manager.follow(e.request.By, k, work.Path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.adoptLocked(e, k, env, next); err != nil {
		return nil, err
	}
	s.confined = confined
	s.manager.noteKernel(history.Kernel{Record: k.Info().RecordDir, Session: s.name, Generation: next, Storage: place.code, WorkDir: work.Path, Owner: s.manager.config.Owner})
	if next == 1 && !s.alone {
		e.workDir = work.Path
		if place.missing != nil {
			e.notices = append(e.notices, "no code files can be kept: "+place.missing.Error())
		}
	}
	if words := confined.Words(s.manager.config.Sandbox); words != "" && !s.alone && (next == 1 || s.manager.FollowsClient()) {
		e.notices = append(e.notices, words)
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
	if err := k.Info().NotShared; err != nil && !s.alone {
		e.notices = append(e.notices, "nobody can join this kernel, though SHARE is on: "+err.Error())
	}
	e.notices = append(e.notices, env.Warnings...)
	e.notices = append(e.notices, kept...)
	return k, nil
}

// startKernel starts a kernel, in the sandbox that is set. What the sandbox hides can go
// while it is made: then it is made once more, as when bubblewrap turns out not to work.
func (s *Session) startKernel(e *Execution, env *pyenv.Environment, place place, spec kernel.Spec) (*kernel.Kernel, sandbox.Confined, error) {
	c := s.manager.config
	if c.Sandbox == nil {
		k, err := c.Spares.Start(e.ctx, spec, e.request.source)
		return k, sandbox.Confined{}, err
	}
	for again := true; ; again = false {
		confined, err := c.Sandbox.Kernel(spec.Dir, place.code, env.Vars, env.Directories(), e.policy)
		if err != nil {
			return nil, confined, err
		}
		spec.Plan, spec.Env = confined.Plan, confined.Env
		k, err := kernel.Start(e.ctx, c.Host, spec)
		if _, refused := errors.AsType[*confine.Refused](err); !refused || !c.Sandbox.Fallback(err) && !again {
			return k, confined, err
		}
	}
}

// Permits is an error when a client's policy, as its call has it, does not let code of
// that call go to the session's kernel.
func (s *Session) Permits(policy string) error {
	p, err := s.manager.config.Sandbox.Policy(policy)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tighterLocked(p)
}

// tighterLocked is an error when the kernel may do more than the policy allows. It was
// started under a looser one, and goes on. The caller must hold s.mu.
func (s *Session) tighterLocked(p *sandbox.Policy) error {
	if s.kernel == nil {
		return nil
	}
	if what := s.confined.Beyond(p); what != "" {
		return &TighterError{Session: s.name, What: what}
	}
	return nil
}

// share says how other clients find the kernel of the session in env. A fresh run's can
// be found by nobody.
func (s *Session) share(env *pyenv.Environment) share.Offer {
	c := s.manager.config
	if c.Share == "" {
		return share.Offer{}
	}
	offer := share.Offer{KernelName: "python3"}
	if env.Command != nil {
		offer.KernelName = env.Kernelspec.Name
	}
	if s.alone {
		return offer // the same kernel but for that: a spare is as good for both
	}
	s.manager.sweepShared.Do(func() {
		elsewhere.SweepShared(c.Share, func(file string) bool { return kernel.Lives(s.ctx, file) })
	})
	name := s.name
	if c.Owner != "" {
		name = c.Owner + "." + name
	}
	// Code in a sandbox can answer JupyterLab with JavaScript, which would start another
	// kernel outside: such a kernel is not on offer there.
	offer.Links = elsewhere.SharedFiles(c.Share, name, c.Sandbox == nil)
	return offer
}

// adoptLocked makes k, which has just started for e, the session's kernel. The caller
// must hold s.mu.
func (s *Session) adoptLocked(e *Execution, k *kernel.Kernel, env *pyenv.Environment, generation int) error {
	if s.closed {
		s.wg.Go(k.Close)
		return ErrClosed
	}
	s.kernel, s.env, s.generation, s.variables = k, env, generation, e.request.By.variables()
	s.replaced = nil
	if generation > 1 && k.Info().Joined {
		e.notices = append(e.notices, "joined again: the variables are as they are in that kernel")
	} else if generation > 1 {
		e.notices = append(e.notices, fmt.Sprintf("new kernel, generation %d: the variables and imports of generation %d are gone", generation, generation-1))
	}
	s.wg.Go(func() { s.died(k) })
	return nil
}

// outside is what confines a kernel of a Jupyter server, or one that runs here already. The
// settings name exactly that kernel by its file, or by a server and what to start there.
func (m *Manager) outside(c pyenv.Config) (sandbox.Confined, error) {
	set := m.config.Environment
	return m.config.Sandbox.Outside(c.Server == "" || c.KernelID == "" && c.Kernelspec != "" && c.Server == set.Server && c.Kernelspec == set.Kernelspec)
}

// connect is ready for a kernel of a Jupyter server, or one that runs here already.
func (s *Session) connect(e *Execution, config pyenv.Config, outside sandbox.Confined) (*kernel.Kernel, error) {
	m := s.manager
	s.mu.Lock()
	next := s.generation + 1
	s.mu.Unlock()
	spec := kernel.Spec{Session: s.name, Generation: next, PlainPython: e.request.By.plainPython()}
	k, env, err := s.reach(e, config, spec)
	if err != nil {
		return nil, err
	}
	place := m.elsewherePlace()
	kept := m.follow(e.request.By, k, place.WorkDir)
	env.Info.Version, env.Language = k.Info().LanguageVersion, k.Info().Language
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.adoptLocked(e, k, env, next); err != nil {
		return nil, err
	}
	s.confined = outside
	m.noteKernel(history.Kernel{Record: k.Info().RecordDir, Session: s.name, Generation: next, Storage: place.Storage, WorkDir: place.WorkDir, Owner: place.Owner})
	if s.toldThere != env.Name {
		s.toldThere = env.Name
		e.notices = append(e.notices, elsewhereNotice(k.Info()))
		if words := outside.Words(m.config.Sandbox); words != "" {
			e.notices = append(e.notices, words)
		}
	}
	e.notices = append(e.notices, kept...)
	return k, nil
}

// reach connects to the kernel that is wanted. The environment is none on this machine.
func (s *Session) reach(e *Execution, config pyenv.Config, spec kernel.Spec) (*kernel.Kernel, *pyenv.Environment, error) {
	c := s.manager.config
	env := &pyenv.Environment{Kind: kinds.Jupyter, Name: elsewhere.NameOf(config.KernelID)}
	if config.Server == "" {
		file, err := c.Servers.File(config.KernelID)
		if err != nil {
			return nil, nil, err
		}
		s.activity(e, "joining the kernel of "+file)
		spec.Environment = env.Label()
		k, err := kernel.Attach(e.ctx, c.Host, spec, file)
		return k, env, err
	}
	server, err := c.Servers.Find(config.Server)
	if err != nil {
		return nil, nil, err
	}
	s.activity(e, "starting a kernel on "+server.String())
	spec.Environment = elsewhereName(config, server)
	k, err := kernel.Connect(e.ctx, c.Host, spec, kernel.Elsewhere{Server: server, Kernelspec: config.Kernelspec, ID: config.KernelID,
		Env: s.manager.provisioner(e.request.By).KernelVariables(), Note: func(id string) gateway.Noted { return s.noteElsewhere(server, config.Kernelspec, id) }})
	if err == nil {
		env.Name = k.Info().Kernelspec + " on " + server.String()
	}
	return k, env, err
}

// elsewherePlace is where the runs of a kernel elsewhere belong on this machine.
func (m *Manager) elsewherePlace() elsewhere.Place {
	place, err := m.place()
	if err != nil {
		return elsewhere.Place{Owner: m.config.Owner}
	}
	return elsewhere.Place{Owner: m.config.Owner, Storage: place.code, WorkDir: place.work.Path}
}

// noteElsewhere notes a kernel that is asked for, for the server after one that is killed.
func (s *Session) noteElsewhere(server *gateway.Server, kernelspec, id string) gateway.Noted {
	m := s.manager
	failed := func(err error) {
		if err != nil {
			m.config.Log.Warn("a later server will not find this kernel, should this one be killed", "kernel", id, "err", err)
		}
	}
	started, ended, err := m.ledger().Begin(elsewhere.Left{ID: id, Kernelspec: kernelspec, Address: server.String(), Session: s.name, Prefix: m.starts.Prefix(),
		Started: time.Now(), Place: m.elsewherePlace()})
	if err != nil {
		failed(err)
		return gateway.Nobody()
	}
	return gateway.Noted{Started: func(id string) { failed(started(id)) }, Ended: ended}
}

func (m *Manager) ledger() elsewhere.Ledger {
	return elsewhere.Ledger(filepath.Join(m.config.StateDir, "elsewhere"))
}

// lookElsewhereTime bounds the questions to Jupyter servers before a first answer.
const lookElsewhereTime = 3 * time.Second

// LeftElsewhere are the kernels that servers of this code storage and working directory
// have left on Jupyter servers, and that still run there, or may, the last one first. The
// servers are asked once.
func (m *Manager) LeftElsewhere() []elsewhere.Left {
	m.lookLeft.Do(func() {
		ctx, cancel := context.WithTimeout(m.ctx, lookElsewhereTime)
		defer cancel()
		m.left = m.config.Servers.StillThere(ctx, m.ledger(), m.elsewherePlace)
	})
	return m.left
}

// elsewhereName is what the record calls such an environment.
func elsewhereName(c pyenv.Config, server *gateway.Server) string {
	name := string(kinds.Jupyter) + " " + cmp.Or(c.KernelID, c.Kernelspec, "default kernel")
	return name + " on " + server.String()
}

// elsewhereNotice tells once what is different there.
func elsewhereNotice(info kernel.Info) string {
	switch {
	case info.Server == "":
		return "somebody else has started this kernel: its variables are theirs too, it goes on when this session ends, and it is sent nothing but your code"
	case !info.Ours:
		return fmt.Sprintf("this is kernel %s, which somebody else has started on %s: its variables are theirs too, and it goes on when this session ends. Files are read and written there, not here", info.ID, info.Server)
	}
	return fmt.Sprintf("the kernel runs on %s (kernel_id %s): files are read and written there, not here", info.Server, info.ID)
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
// one, or being given its ipykernel. It belongs to the manager and goes on when nobody waits: making the
// managed environment takes minutes, and a client that gave up comes back.
type preparation struct {
	step   string // what it does, and with which environment
	begun  time.Time
	done   chan struct{}
	env    *pyenv.Environment
	notice string
	err    error

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
	kernel      bool // it has been found, and is to get a kernel
}

// environment resolves a configuration and tells progress what is being done.
// Calls for the same configuration share one preparation. ctx ends the waiting
// only.
func (m *Manager) environment(ctx context.Context, by *Conversation, c pyenv.Config, progress func(string)) (*pyenv.Environment, error) {
	prov := m.provisioner(by)
	step := "looking at the environment"
	if place := cmp.Or(c.CondaName, c.VenvPath, c.UVVenvPath); place != "" {
		step += " " + place
	}
	p := m.preparing(wanted{config: c, provisioner: prov}, step, func(p *preparation) {
		if c.Configured() {
			p.env, p.err = prov.Resolve(m.ctx, c)
		} else {
			p.env, p.err = prov.Managed(m.ctx, p.say)
		}
	})
	return p.await(ctx, progress)
}

// await waits for the end of a preparation and tells progress what is being done. ctx
// ends the waiting only, with a [*NotReadyError].
func (p *preparation) await(ctx context.Context, progress func(string)) (*pyenv.Environment, error) {
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
			return nil, &NotReadyError{Step: p.step, Detail: activity, For: time.Since(p.begun), Err: context.Cause(ctx)}
		}
	}
}

// preparing returns the preparation under way for w, or begins one, which do does.
func (m *Manager) preparing(w wanted, step string, do func(*preparation)) *preparation {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.preparations[w]; p != nil {
		return p
	}
	p := &preparation{step: step, begun: time.Now(), done: make(chan struct{}), changed: make(chan struct{}), activity: step}
	m.preparations[w] = p
	m.wg.Go(func() {
		do(p)
		m.mu.Lock()
		delete(m.preparations, w)
		m.mu.Unlock()
		close(p.done)
	})
	return p
}
