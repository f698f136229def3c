package server

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/mcp"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// Parts are what a server is made of.
type Parts struct {
	Server   *mcp.Server
	Sessions *session.Manager
	Host     *kernel.Host
	// Provisioner finds environments, and sees to it that kernels can start in them.
	Provisioner *provision.Provisioner
	Reaper      *guard.Reaper
	Log         *slog.Logger
}

// Assemble wires the parts from the settings. Nothing is started and nothing
// is made on disk but the claim of an id prefix: a wrong setting is told by the
// first answer, because a client shows a dead server without a reason.
//
// The first answer tells the sentences in notices, too.
func Assemble(getenv func(string) string, version string, log *slog.Logger, notices ...string) (*Parts, error) {
	s := settings.Read(getenv)
	// Sockets lie where the system keeps such files for the user's session.
	places := []string{getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR")}
	return assemble(getenv, version, log, places, nil, mcp.Config{Notices: append(s.Sentences(), notices...)})
}

// AssembleKept is Assemble for a server that outlives its clients, which come by
// [mcp.Server.ServeFor]. Its sockets lie where no end of a login takes them. overs are
// the sessions of those before it.
func AssembleKept(getenv func(string) string, version string, log *slog.Logger, overs *history.Overs) (*Parts, error) {
	return assemble(getenv, version, log, nil, overs, mcp.Config{Kept: true})
}

func assemble(getenv func(string) string, version string, log *slog.Logger, sockets []string, overs *history.Overs, words mcp.Config) (*Parts, error) {
	reaper, err := guard.NewReaper()
	if err != nil {
		return nil, err
	}
	s, places := settings.Read(getenv), FindPlaces(getenv)
	kernels := &kernel.Host{
		RuntimePlaces: sockets,
		Reaper:        reaper,
		Version:       version,
		RecordLimit:   s.RecordLimit,
		PlainPython:   !s.Prelude && !words.Kept, // there, each client says
		Log:           log,
	}
	if s.History {
		kernels.RecordDir = places.Records()
	}
	provisioner := NewProvisioner(getenv, os.Environ, reaper, log)
	sessions := session.NewManager(session.Config{
		Host:        kernels,
		Provisioner: provisioner,
		Environment: s.Environment,
		Storage:     sync.OnceValues(func() (*codefile.Store, error) { return codefile.Open(places.Storage) }),
		WorkDir:     func() session.WorkDir { return places.WorkDir },
		StateDir:    places.State,
		Place:       strings.Join(near(places), "\x00"),
		Notebook:    places.Notebook,
		IdleLimit:   s.IdleLimit,
		Overs:       overs,
		Log:         log,
	})
	words.Sessions, words.Version, words.Log = sessions, version, log
	server := mcp.New(words)
	return &Parts{Server: server, Sessions: sessions, Host: kernels, Provisioner: provisioner, Reaper: reaper, Log: log}, nil
}

// ProvisionerFor finds environments for a client with variables of its own.
func (p *Parts) ProvisionerFor(getenv func(string) string, environ []string) *provision.Provisioner {
	own := provision.New(p.Provisioner.Installer.Finder.Host.For(getenv, func() []string { return environ }))
	own.KernelInstall = p.Provisioner.KernelInstall
	own.Installer.UVInstall = p.Provisioner.Installer.UVInstall
	own.Installer.Finder.Near = p.Provisioner.Installer.Finder.Near
	return own
}

// NewProvisioner returns what finds and provisions environments for a server with
// these settings and variables; runner and log may be nil where nothing is started.
func NewProvisioner(getenv func(string) string, environ func() []string, runner host.Runner, log *slog.Logger) *provision.Provisioner {
	s, places := settings.Read(getenv), FindPlaces(getenv)
	p := provision.New(&host.Host{
		Getenv:  getenv,
		Environ: environ,
		Home:    places.Home,
		Runner:  runner,
		DataDir: places.Data,
		Logger:  log,
		EnvDeny: s.EnvDeny,
	})
	p.KernelInstall = s.KernelInstall
	p.Installer.UVInstall = s.UVInstall
	p.Installer.Finder.Near = near(places)
	return p
}

// near lists where the user works: where the client started us, and where code
// runs. A client that knows no project starts servers anywhere.
func near(p Places) []string {
	var dirs []string
	if wd, err := os.Getwd(); err == nil {
		dirs = append(dirs, wd)
	}
	return append(dirs, p.WorkDir.Path, absolute(p.Storage))
}

// Close ends everything. Kernels may exit by themselves until ctx ends.
func (p *Parts) Close(ctx context.Context) {
	p.Sessions.Close(ctx)
	p.Provisioner.Installer.Finder.Host.Close()
	if err := p.Host.Close(); err != nil {
		p.Log.Warn("removing the private directory", "err", err)
	}
}
