package main

import (
	"context"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/mcp"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// parts are what a server is made of.
type parts struct {
	server      *mcp.Server
	sessions    *session.Manager
	host        *kernel.Host
	provisioner *provision.Provisioner
	reaper      *guard.Reaper
	log         *slog.Logger
}

// assemble wires the parts from the settings. Nothing is started and nothing
// is made on disk but the claim of an id prefix: a wrong setting is told by the
// first call, because a client shows a dead server without a reason.
func assemble(getenv func(string) string, log *slog.Logger) (*parts, error) {
	reaper, err := guard.NewReaper()
	if err != nil {
		return nil, err
	}
	dirs := directories(getenv)
	kernels := &kernel.Host{
		RuntimePlaces: []string{getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR")},
		Reaper:        reaper,
		Version:       version,
		PlainPython:   strings.EqualFold(getenv("PRELUDE"), "off"),
		Log:           log,
	}
	if !strings.EqualFold(getenv("HISTORY"), "off") {
		kernels.RecordDir = filepath.Join(dirs.state, "records")
	}
	storage := sync.OnceValues(func() (*codefile.Store, error) { return codefile.Open(dirs.storage) })
	provisioner := provision.New(&host.Host{
		Getenv:  getenv,
		Environ: os.Environ,
		Home:    dirs.home,
		Runner:  reaper,
		DataDir: dirs.data,
		Logger:  log,
		EnvDeny: getenv("ENV_DENY"),
	})
	provisioner.KernelInstall = getenv("KERNEL_INSTALL")
	provisioner.Installer.UVInstall = strings.ToLower(strings.TrimSpace(getenv("UV_INSTALL")))
	provisioner.Installer.Finder.Near = near(dirs.storage)
	sessions := session.NewManager(session.Config{
		Host:        kernels,
		Provisioner: provisioner,
		Environment: pyenv.ConfigFromEnv(getenv),
		Storage:     storage,
		StateDir:    dirs.state,
		IdleLimit:   idleLimit(getenv("SESSION_IDLE_LIMIT"), log),
		Log:         log,
	})
	server := mcp.New(mcp.Config{Sessions: sessions, Version: version, Log: log})
	return &parts{server: server, sessions: sessions, host: kernels, provisioner: provisioner, reaper: reaper, log: log}, nil
}

// near lists where the user works: where the client started us, and where code
// runs. A client that knows no project starts servers anywhere.
func near(storage string) []string {
	var dirs []string
	if wd, err := os.Getwd(); err == nil {
		dirs = append(dirs, wd)
	}
	if abs, err := filepath.Abs(storage); err == nil {
		dirs = append(dirs, abs)
	}
	return dirs
}

// idleLimit reads SESSION_IDLE_LIMIT, such as "2h" or "30m". Nothing is no limit.
func idleLimit(value string, log *slog.Logger) time.Duration {
	if value == "" {
		return 0
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		log.Error("SESSION_IDLE_LIMIT is ignored: it is no duration such as 30m or 2h", "value", value)
		return 0
	}
	return d
}

// close ends everything. Kernels may exit by themselves until ctx ends.
func (p *parts) close(ctx context.Context) {
	p.sessions.Close(ctx)
	p.provisioner.Installer.Finder.Host.Close()
	if err := p.host.Close(); err != nil {
		p.log.Warn("removing the private directory", "err", err)
	}
}

// places are where files of ours lie.
type places struct {
	home    string
	storage string // code files, the kernels' working directory
	data    string // managed environment
	state   string // records
}

// directories finds the places: as set, else where the platform keeps such files.
func directories(getenv func(string) string) places {
	p := places{home: homeDir(getenv)}
	data, state := getenv("XDG_DATA_HOME"), getenv("XDG_STATE_HOME")
	switch runtime.GOOS {
	case "darwin":
		support := filepath.Join(p.home, "Library", "Application Support")
		data, state = support, support
	case "windows":
		data, state = getenv("LOCALAPPDATA"), getenv("LOCALAPPDATA")
	}
	if !filepath.IsAbs(data) {
		data = filepath.Join(p.home, ".local", "share")
	}
	if !filepath.IsAbs(state) {
		state = filepath.Join(p.home, ".local", "state")
	}
	p.data = filepath.Join(data, "mcp-code-executor")
	p.state = filepath.Join(state, "mcp-code-executor")
	p.storage = expandHome(strings.TrimSpace(getenv("CODE_STORAGE_DIR")), p.home)
	if p.storage == "" {
		p.storage = filepath.Join(p.data, "code")
	}
	return p
}

// homeDir is HOME, or what the user database says: some clients start servers
// with almost no environment.
func homeDir(getenv func(string) string) string {
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if h := getenv(name); filepath.IsAbs(h) {
			return h
		}
	}
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) {
		return u.HomeDir
	}
	return os.TempDir()
}

// expandHome replaces a leading "~": clients pass configuration without a shell.
func expandHome(path, home string) string {
	if path == "~" {
		return home
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}
