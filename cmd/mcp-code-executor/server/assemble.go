package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/mcp"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
	"github.com/mcp-code-executor/mcp-code-executor/session/spare"
)

// Parts are what a server is made of.
type Parts struct {
	Server   *mcp.Server
	Sessions *session.Manager
	Host     *kernel.Host
	// Spares starts the kernels of all sessions.
	Spares *spare.Keeper
	// Provisioner finds environments, and sees to it that kernels can start in them.
	Provisioner *provision.Provisioner
	Reaper      *guard.Reaper
	Log         *slog.Logger

	getenv   func(string) string
	settings settings.Settings
	places   Places
	version  string
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
	return assemble(getenv, version, log, places, "", mcp.Config{Notices: append(s.Sentences(), notices...)})
}

// AssembleKept is Assemble for a server that outlives its clients, which come by
// [mcp.Server.ServeFor]. Its sockets lie where no end of a login takes them. overs is the
// file of what is told of those before it.
func AssembleKept(getenv func(string) string, version string, log *slog.Logger, overs string) (*Parts, error) {
	return assemble(getenv, version, log, nil, overs, mcp.Config{Kept: true})
}

// AssembleShared is AssembleKept for a server with several owners. It has no sessions
// of its own: see [Parts.For].
func AssembleShared(getenv func(string) string, version string, log *slog.Logger) (*Parts, error) {
	return foundation(getenv, version, log, nil, true)
}

// For is a server for one owner. It shares processes and environments with the
// others, and sees nothing of their sessions, ids and records. Its sessions are to be
// closed before the parts that it is made of.
func (p *Parts) For(owner string) *Parts {
	own := *p
	own.connect(owner, "", mcp.Config{Kept: true, Shared: true})
	return &own
}

func assemble(getenv func(string) string, version string, log *slog.Logger, sockets []string, overs string, words mcp.Config) (*Parts, error) {
	p, err := foundation(getenv, version, log, sockets, words.Kept)
	if err == nil {
		p.connect("", overs, words)
	}
	return p, err
}

// foundation makes what is below sessions.
func foundation(getenv func(string) string, version string, log *slog.Logger, sockets []string, kept bool) (*Parts, error) {
	reaper, err := guard.NewReaper()
	if err != nil {
		return nil, err
	}
	s, places := settings.Read(getenv), FindPlaces(getenv)
	kernels := &kernel.Host{
		RuntimePlaces: sockets,
		BytecodeDir:   filepath.Join(places.State, "bytecode"),
		Reaper:        reaper,
		Version:       version,
		RecordLimit:   s.RecordLimit,
		Limits:        s.Limits,
		PlainPython:   !s.Prelude && !kept, // there, each client says
		Log:           log,
	}
	if s.History {
		kernels.RecordDir = places.Records()
	}
	provisioner := NewProvisioner(getenv, os.Environ, reaper, log)
	mode := spareMode(s.SpareKernel)
	if s.Sandbox.Active() {
		mode = spare.Off // a sandbox is made for one kernel, and a spare would be outside
	}
	usage := ""
	if s.History {
		usage = places.Imports()
	}
	spares := spare.New(spare.Options{Host: kernels, LockDir: filepath.Join(places.State, "spares"), UsageDir: usage, Mode: mode, Log: log})
	return &Parts{Host: kernels, Spares: spares, Provisioner: provisioner, Reaper: reaper, Log: log, getenv: getenv, settings: s, places: places, version: version}, nil
}

func spareMode(word string) spare.Mode {
	switch word {
	case "on":
		return spare.On
	case "off":
		return spare.Off
	case "plain":
		return spare.Plain
	}
	return spare.Auto
}

// connect makes sessions and the server that offers them.
func (p *Parts) connect(owner string, overs string, words mcp.Config) {
	place := strings.Join(near(p.places), "\x00")
	if owner != "" {
		place += "\x00" + owner
	}
	share := ""
	if p.settings.Share {
		share = p.Provisioner.JupyterRuntimeDir()
	}
	p.Sessions = session.NewManager(session.Config{
		Host:        p.Host,
		Spares:      p.Spares,
		Provisioner: p.Provisioner,
		Environment: p.settings.Environment,
		Servers:     jupyterServers(p.settings).WithFiles(p.settings.Jupyter.Files, p.Provisioner.JupyterRuntimeDir()),
		Storage:     codefile.Opener(p.places.Storage),
		StorageSet:  p.settings.Storage != "",
		WorkDir:     func() session.WorkDir { return p.places.WorkDir },
		StateDir:    p.places.State,
		Sandbox:     boxOf(p.Provisioner),
		Place:       place,
		Owner:       owner,
		Notebook:    p.places.Notebook,
		IdleLimit:   p.settings.IdleLimit,
		Unusable:    unusable(p.settings),
		Overs:       overs,
		Share:       share,
		Log:         p.Log,
	})
	words.Sessions, words.Version, words.Log = p.Sessions, p.version, p.Log
	p.Server = mcp.New(words)
}

// jupyterServers are those of the settings.
func jupyterServers(s settings.Settings) *elsewhere.Servers {
	var ca []byte
	var err error
	if s.Jupyter.CA != "" {
		if ca, err = os.ReadFile(absolute(s.Jupyter.CA)); err != nil {
			err = fmt.Errorf("reading JUPYTER_CA: %w", err)
		}
	}
	var all []elsewhere.Address
	if s.Jupyter.URL != "" {
		all = append(all, elsewhere.Address{Name: elsewhere.Default, URL: s.Jupyter.URL, Token: s.Jupyter.Token, CA: ca, Err: err})
	}
	for _, more := range s.Jupyter.More {
		all = append(all, elsewhere.Address{Name: more.Name, URL: more.URL, CA: ca, Err: err})
	}
	return elsewhere.New(all)
}

// unusable is the setting with which no kernel is started, or nil.
func unusable(s settings.Settings) *session.SettingError {
	p := s.Unusable()
	if p == nil {
		return nil
	}
	return &session.SettingError{Name: p.Name, Value: p.Value, Reason: p.Reason, Fix: p.Fix}
}

// Shared lists the connection files of the kernels of a session, of all with "", that
// this user's servers share, in Jupyter's runtime directory.
func Shared(ctx context.Context, getenv func(string) string, session string) (runtimeDir string, files []string) {
	runtimeDir = NewProvisioner(getenv, os.Environ, nil, nil).JupyterRuntimeDir()
	for _, file := range elsewhere.FindShared(runtimeDir, session) {
		if kernel.Lives(ctx, file) {
			files = append(files, file)
		}
	}
	return runtimeDir, files
}

// ProvisionerFor finds environments for a client with variables of its own.
func (p *Parts) ProvisionerFor(getenv func(string) string, environ []string) *provision.Provisioner {
	own := provision.New(p.Provisioner.Installer.Finder.Host.For(getenv, func() []string { return environ }))
	own.KernelInstall = p.Provisioner.KernelInstall
	own.Installer.WheelsOnly = p.Provisioner.Installer.WheelsOnly
	own.Installer.UVInstall, own.Installer.Never = p.Provisioner.Installer.UVInstall, p.Provisioner.Installer.Never
	own.Installer.Finder.Near = p.Provisioner.Installer.Finder.Near
	return own
}

// NewProvisioner returns what finds and provisions environments for a server with
// these settings and variables; runner and log may be nil where nothing is started.
func NewProvisioner(getenv func(string) string, environ func() []string, runner host.Runner, log *slog.Logger) *provision.Provisioner {
	s, places := settings.Read(getenv), FindPlaces(getenv)
	h := &host.Host{
		Getenv:  getenv,
		Environ: environ,
		Home:    places.Home,
		Runner:  runner,
		DataDir: places.Data,
		Logger:  log,
		EnvDeny: s.EnvDeny,
	}
	confineHelpers(h, newBox(getenv, s, places), runner, s)
	p := provision.New(h)
	p.KernelInstall = s.KernelInstall
	p.Installer.WheelsOnly = s.Sandbox.Active() && !s.Sandbox.AnySource
	p.Installer.UVInstall, p.Installer.Never = s.UVInstall, s.Install == "never"
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
	var spares sync.WaitGroup
	spares.Go(p.Spares.Close)
	if p.Sessions != nil {
		p.Sessions.Close(ctx)
	}
	spares.Wait()
	if err := errors.Join(Release(p.Provisioner), p.Host.Close()); err != nil {
		p.Log.Warn("removing the private directories", "err", err)
	}
}
