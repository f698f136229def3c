package host

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Host is the machine as its user set it up. Set the fields before first use; it
// is safe for concurrent use and must not be copied.
type Host struct {
	// Getenv and Environ are the server's own variables; a nil Getenv looks in
	// Environ.
	Getenv  func(string) string
	Environ func() []string
	Home    string // the user's home directory
	Runner  Runner // nil: programs are started directly
	// Looker starts those that change nothing, and run what an environment or a project
	// may have put there; nil is Runner.
	Looker  Runner
	DataDir string // this program's data directory, per user; made when needed
	Logger  *slog.Logger
	// EnvDeny is ENV_DENY: names and patterns of variables that no program we
	// start gets to see.
	EnvDeny string
	// Sysroot stands for "/" in the paths of the operating system, "" for it.
	Sysroot string

	// lockPatience and tryLock replace the constant and the function in tests.
	lockPatience time.Duration
	tryLock      func(*os.File) error

	parent *Host // what it holds is held by this one; see For

	mu   sync.Mutex          // protects the fields below
	work string              // empty directory programs run in
	made []string            // temporary directories, which Close removes
	used map[string]*os.File // locks on directories of ours in use; see use
}

// For is the host as another client of this process sees it, with variables of its own.
// What is held for as long as the process lives is held by h.
func (h *Host) For(getenv func(string) string, environ func() []string) *Host {
	return &Host{Getenv: getenv, Environ: environ, Home: h.Home, Runner: h.Runner, Looker: h.Looker, DataDir: h.DataDir, Logger: h.Logger,
		EnvDeny: h.EnvDeny, Sysroot: h.Sysroot, lockPatience: h.lockPatience, tryLock: h.tryLock, parent: h}
}

func (h *Host) Variable(name string) string {
	if h.deny().match(name) {
		return ""
	}
	if h.Getenv != nil {
		return h.Getenv(name)
	}
	value, _ := VarsOf(h.Variables()).Get(name)
	return value
}

func (h *Host) Variables() []string {
	if h.Environ == nil {
		return nil
	}
	return h.deny().filter(h.Environ())
}

func (h *Host) Log() *slog.Logger {
	if h.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Logger
}

// Sys is a path of the operating system, below another root in tests.
func (h *Host) Sys(path string) string { return filepath.Join(h.Sysroot, path) }

func (h *Host) PathDirs() []string { return filepath.SplitList(h.Variable("PATH")) }

// LookPath returns the first executable of that name in dirs. Shims of pyenv are
// passed over: they fail for what is not in the selected version.
func LookPath(name string, dirs []string) string {
	for _, dir := range dirs {
		if filepath.Base(dir) == "shims" || !filepath.IsAbs(dir) {
			continue
		}
		if path := filepath.Join(dir, name+ExeSuffix); Executable(path) {
			return path
		}
	}
	return ""
}
