package session

import (
	"context"
	"slices"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kernelspec"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// BusyError says that a session cannot be changed because code runs in it.
type BusyError struct {
	Session, Running string
	Line             string // first line of the code that runs
	Since            time.Duration
}

func (e *BusyError) Error() string { return "session " + e.Session + " is running " + e.Running }

// Switch is what a change of environment did.
type Switch struct {
	Previous, Current pyenv.Config
	Environment       *pyenv.Environment
	// Lost says that a kernel was ended, with its variables; Left that one of somebody
	// else's was left; Kept that there was nothing to change, and one lives on.
	Lost, Left, Kept bool
	// Notice is a sentence about what had to be installed, "" for nothing.
	Notice string
}

// Configure puts the session into another environment. The environment is
// looked at first, and gets an ipykernel if it has none; when it does not work the
// session stays as it was, with its kernel and variables, and also when its kernel
// runs in that environment already and force is not set: hours of work are not
// thrown away for a call that changes nothing. With code running it is refused
// (*[BusyError]) unless force is set. The next execution starts a kernel in the
// new environment.
func (s *Session) Configure(ctx context.Context, by *Conversation, c pyenv.Config, force bool) (Switch, error) {
	if err := s.busy(force); err != nil {
		return Switch{}, err
	}
	look := s.manager.environmentWithKernel
	if c.Elsewhere() {
		look = s.manager.lookElsewhere
	}
	env, notice, err := look(ctx, by, c)
	if err != nil {
		return Switch{}, err
	}
	s.mu.Lock()
	if err := s.busyLocked(force); err != nil { // something may have begun meanwhile
		s.mu.Unlock()
		return Switch{}, err
	}
	k, current := s.kernel, s.runsLocked()
	done := Switch{Previous: s.config, Current: c, Environment: env, Notice: notice}
	if k != nil && !force && (s.env.Same(env) || c.Elsewhere() && c == s.config) {
		s.config, done.Kept = c, true
		s.mu.Unlock()
		return done, nil
	}
	done.Left = k != nil && k.Info().Joined
	done.Lost = k != nil && !done.Left
	s.kernel, s.loss, s.config, s.env = nil, nil, c, env
	if current != nil {
		current.joined = current.joined || done.Left
		current.noteLocked(Stop{By: ByEnvironment})
	}
	s.mu.Unlock()
	if current != nil {
		current.cancel(errCancelled)
	}
	if k != nil {
		ctx, cancel := context.WithTimeout(ctx, stopTime)
		defer cancel()
		k.Shutdown(ctx)
	}
	return done, nil
}

// environmentWithKernel resolves a configuration and sees to its ipykernel. ctx
// ends the waiting only: an installation goes on, and the next call finds it done.
func (m *Manager) environmentWithKernel(ctx context.Context, by *Conversation, c pyenv.Config) (env *pyenv.Environment, notice string, err error) {
	env, err = m.environment(ctx, by, c, func(string) {})
	if err != nil {
		return nil, "", err
	}
	prov := m.provisioner(by)
	p := m.preparing(wanted{config: c, provisioner: prov, kernel: true}, "installing ipykernel for "+env.Prefix, func(p *preparation) {
		p.env = env
		p.notice, p.err = prov.EnsureKernel(m.ctx, env, p.say)
	})
	if env, err = p.await(ctx, func(string) {}); err != nil {
		return nil, "", err
	}
	return env, p.notice, nil
}

// lookElsewhere asks a Jupyter server, or a connection file, whether it has what is wanted. The environment
// it returns is none on this machine.
func (m *Manager) lookElsewhere(ctx context.Context, _ *Conversation, c pyenv.Config) (env *pyenv.Environment, notice string, err error) {
	if _, err := m.outside(c); err != nil {
		return nil, "", err
	}
	if c.Server == "" {
		file, err := m.config.Servers.File(c.KernelID)
		if err == nil {
			_, err = kernel.Listening(ctx, file)
		}
		return &pyenv.Environment{Kind: kinds.Jupyter, Name: elsewhere.NameOf(file)}, "", err
	}
	server, err := m.config.Servers.Find(c.Server)
	if err != nil {
		return nil, "", err
	}
	name, err := server.Check(ctx, c.Kernelspec, c.KernelID)
	if err != nil {
		return nil, "", err
	}
	return &pyenv.Environment{Kind: kinds.Jupyter, Name: name + " on " + server.String()}, "", nil
}

// stopTime is how long a kernel may take to exit by itself before it is killed.
const stopTime = 2 * time.Second

func (s *Session) busy(force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busyLocked(force)
}

func (s *Session) busyLocked(force bool) error {
	current := s.runsLocked()
	if current == nil || force {
		return nil
	}
	return &BusyError{Session: s.name, Running: current.id, Line: current.request.line(), Since: since(current.asked)}
}

// Config returns what the session's environment was chosen by.
func (s *Session) Config() pyenv.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// HereServer is what stands for this machine among the names of Jupyter servers.
const HereServer = "local"

// Server is the server that is meant by a name, or by none: the first one of the
// settings, or what JUPYTER_SERVER_URL would be called. It is "" for this machine, whose
// kernelspecs need no server: by its name, or where no server is set.
func (m *Manager) Server(name, kernelspec, id string) string {
	names := m.config.Servers.Names()
	switch {
	case name == "" && len(names) == 0 && kernelspec+id != "", name == HereServer && !slices.Contains(names, HereServer):
		return ""
	case name == "":
		return append(names, elsewhere.Default)[0]
	}
	return name
}

// Files tells of the kernels of this machine that a session may join.
func (m *Manager) Files() []elsewhere.File { return m.config.Servers.Files() }

// Kernelspecs lists those of this machine that start no ipykernel.
func (m *Manager) Kernelspecs(by *Conversation) []kernelspec.Spec {
	return m.provisioner(by).Kernelspecs()
}

// Elsewhere asks the Jupyter servers of the settings what they have.
func (m *Manager) Elsewhere(ctx context.Context) []elsewhere.There {
	return m.config.Servers.Look(ctx)
}

// KernelID is the id of the session's kernel on a Jupyter server, or "".
func (s *Session) KernelID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kernel == nil {
		return ""
	}
	return s.kernel.Info().ID
}

// Environments lists what is on this machine; it starts nothing.
func (m *Manager) Environments(ctx context.Context, by *Conversation) pyenv.Listing {
	return m.provisioner(by).Installer.Finder.List(ctx)
}

// shadowsTime bounds the look at an environment when a file is named.
const shadowsTime = 5 * time.Second

// Shadows tells of a module name whether an installed package of the default
// environment has it. An environment that is still to be made, or does not
// answer in time, has no packages.
func (m *Manager) Shadows(ctx context.Context, by *Conversation) codefile.Shadows {
	return func(module string) (string, bool) {
		config := m.DefaultFor(by)
		if config.Elsewhere() || !config.Configured() && !m.config.Provisioner.ManagedReady() {
			return "", false
		}
		ctx, cancel := context.WithTimeout(ctx, shadowsTime)
		defer cancel()
		env, err := m.environment(ctx, by, config, func(string) {})
		if err != nil || env.Kind == kinds.Jupyter {
			return "", false
		}
		statuses, err := m.provisioner(by).Installer.Finder.Check(ctx, env, []string{module})
		if err != nil || !statuses[0].Installed {
			return "", false
		}
		if s := statuses[0]; s.Via == pyenv.ViaDistribution || s.Via == pyenv.ViaImport || s.Via == pyenv.ViaPath {
			return installedModule(s), true
		}
		return "", false
	}
}

// installedModule names what has a module: a bare file on sys.path, such as
// Debian's sitecustomize, has no version.
func installedModule(s pyenv.PackageStatus) string {
	if s.Version == "" {
		return "the installed module " + s.Name
	}
	return "the package " + s.Name + " " + s.Version
}
