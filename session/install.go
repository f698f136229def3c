package session

import (
	"context"
	"errors"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// Installation is what an installation did, and into what.
type Installation struct {
	install.Result
	Environment *pyenv.Environment
	Requested   packaging.Wanted
	Stale       Stale
}

// Install installs into the session's environment and returns at once. It does
// not wait in the session's queue: code that runs is not disturbed, and a long
// run need not end first. Its result is [Report.Installed].
func (s *Session) Install(by *Conversation, wanted packaging.Wanted, upgrade bool) (*Execution, error) {
	e := &Execution{session: s, kind: KindInstall, request: Request{By: by}, asked: time.Now(), done: make(chan struct{}), state: StatePreparing}
	e.ctx, e.cancel = context.WithCancelCause(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	s.manager.adopt(e)
	s.manager.marks.Ran() // what a kill leaves of it, nobody knows
	s.latest, s.installing, s.lastUsed = e, e, time.Now()
	s.aside++
	s.wg.Go(func() { s.install(e, wanted, upgrade) })
	return e, nil
}

func (s *Session) install(e *Execution, wanted packaging.Wanted, upgrade bool) {
	progress := func(state State) func(string) {
		return func(line string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			e.setLocked(state, line)
		}
	}
	env, err := s.Environment(e.ctx, e.request.By, progress(StatePreparing))
	if err == nil {
		err = s.refuseSources(wanted)
	}
	var result install.Result
	if err == nil {
		progress(StateInstalling)("starting")
		result, err = s.manager.provisioner(e.request.By).Installer.Install(e.ctx, env, wanted, install.Options{Upgrade: upgrade, Progress: progress(StateInstalling)})
	}
	var stale Stale
	// Also when no version has changed: a project can be there in place now.
	if changes := changesOf(result, err); err == nil || len(changes) > 0 {
		stale = s.manager.packagesChanged(s.ctx, s, env, changes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asideDoneLocked()
	if s.installing == e {
		s.installing = nil
	}
	e.installed = &Installation{Result: result, Environment: env, Requested: wanted, Stale: stale}
	switch {
	case err == nil:
		e.finishLocked(OutcomeOK, nil)
	case e.ctx.Err() != nil:
		e.finishLocked(OutcomeCancelled, err)
	default:
		e.finishLocked(OutcomeFailed, err)
	}
}

// MayInstall is an [*install.ForbiddenError] where the settings forbid installing
// packages into any environment.
func (m *Manager) MayInstall() error {
	return m.config.Provisioner.Installer.Forbids("installing packages")
}

// refuseSources is an error when a sandbox is set and something is wanted that is built,
// or comes from anywhere: that would run its code with the network.
func (s *Session) refuseSources(wanted packaging.Wanted) error {
	if box := s.manager.config.Sandbox; box == nil || box.Rules.AnySource {
		return nil
	}
	for _, r := range wanted.Requirements {
		if r.URL != "" || r.Path != "" {
			return &install.ForbiddenError{Reason: "the sandbox allows only wheels of a package index, and " + r.String() + " is none", Allow: "SANDBOX_INSTALL=any"}
		}
	}
	return nil
}

// changesOf lists what an installation has changed, also when it failed.
func changesOf(r install.Result, err error) []install.Change {
	if failed, ok := errors.AsType[*install.Error](err); ok {
		return failed.Changes
	}
	return r.Changes
}

// Environment returns the environment the session's kernel runs in or would be
// started in. ctx ends the waiting; progress may be nil.
func (s *Session) Environment(ctx context.Context, by *Conversation, progress func(string)) (*pyenv.Environment, error) {
	s.mu.Lock()
	env, config := s.env, s.config
	if s.kernel == nil {
		env = nil
	}
	s.mu.Unlock()
	switch {
	case env != nil:
		return env, nil
	case config.Elsewhere():
		env, _, err := s.manager.lookElsewhere(ctx, by, config)
		return env, err
	}
	if progress == nil {
		progress = func(string) {}
	}
	return s.manager.environment(ctx, by, config, progress)
}

// ThroughKernel reports whether packages, and the code of files, go through the session's
// kernel, as code: it is on another machine, or there is only a kernelspec to know it
// by. It is a [*LanguageError] where the kernel is not Python's.
func (s *Session) ThroughKernel(ctx context.Context, by *Conversation) (bool, error) {
	if c := s.Config(); !c.Elsewhere() && !c.Local() {
		return false, nil
	}
	env, err := s.Environment(ctx, by, nil)
	if err == nil && env.OtherLanguage() != "" {
		err = &LanguageError{Session: s.name, Language: env.OtherLanguage()}
	}
	return err == nil && env.Kind == kinds.Jupyter, err
}

// Check looks up packages in the session's environment without importing any.
func (s *Session) Check(ctx context.Context, by *Conversation, names []string) (*pyenv.Environment, []pyenv.PackageStatus, error) {
	env, err := s.Environment(ctx, by, nil)
	if err != nil {
		return nil, nil, err
	}
	if env.OtherLanguage() != "" {
		return nil, nil, &LanguageError{Session: s.name, Language: env.OtherLanguage()}
	}
	if env.Kind == kinds.Jupyter {
		statuses, err := s.checkElsewhere(ctx, names)
		return env, statuses, err
	}
	statuses, err := s.manager.provisioner(by).Installer.Finder.Check(ctx, env, names)
	return env, statuses, err
}

// checkElsewhere asks the kernel itself, which must be there.
func (s *Session) checkElsewhere(ctx context.Context, names []string) ([]pyenv.PackageStatus, error) {
	s.mu.Lock()
	k := s.kernel
	s.mu.Unlock()
	if k == nil {
		return nil, &NoKernelError{Session: s.name}
	}
	expression, err := elsewhere.CheckExpression(names)
	if err != nil {
		return nil, err
	}
	shown, err := k.Evaluate(ctx, expression)
	if err != nil {
		return nil, err
	}
	found, err := elsewhere.ReadPackages(shown)
	if err != nil {
		return nil, err
	}
	statuses := make([]pyenv.PackageStatus, len(found))
	for i, p := range found[:min(len(found), len(names))] {
		statuses[i] = pyenv.PackageStatus{Requested: names[i], Name: p.Name, Installed: p.Installed, Satisfied: p.Installed, Version: p.Version}
		if p.Module {
			statuses[i].Via = pyenv.ViaPath
		}
	}
	return statuses, nil
}
