package server

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"runtime"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// Places are where files of ours lie.
type Places struct {
	Home    string
	Storage string // code files
	WorkDir session.WorkDir
	Data    string // managed environment
	State   string // records
	// Notebook is where live notebooks are kept, relative to WorkDir; "" is nowhere.
	Notebook string
}

// Records is the directory of records.
func (p Places) Records() string { return filepath.Join(p.State, "records") }

// Imports is the directory of the names of libraries that environments' kernels have
// imported.
func (p Places) Imports() string { return filepath.Join(p.State, "imports") }

// FindPlaces finds the places: as set, else where the platform keeps such files.
func FindPlaces(getenv func(string) string) Places {
	p := Places{Home: HomeDir(getenv)}
	data, state := getenv("XDG_DATA_HOME"), getenv("XDG_STATE_HOME")
	switch runtime.GOOS {
	case "darwin":
		support := filepath.Join(p.Home, "Library", "Application Support")
		data, state = support, support
	case "windows":
		data, state = getenv("LOCALAPPDATA"), getenv("LOCALAPPDATA")
	}
	if !filepath.IsAbs(data) {
		data = filepath.Join(p.Home, ".local", "share")
	}
	if !filepath.IsAbs(state) {
		state = filepath.Join(p.Home, ".local", "state")
	}
	p.Data = filepath.Join(data, "mcp-code-executor")
	p.State = filepath.Join(state, "mcp-code-executor")
	set := settings.Read(getenv)
	p.Storage = (&host.Host{Home: p.Home}).ExpandHome(set.Storage)
	if p.Storage == "" {
		p.Storage = filepath.Join(p.Data, "code")
	}
	p.Notebook = (&host.Host{Home: p.Home}).ExpandHome(set.Notebook)
	dir, by := ChooseWorkDir(startOf(getenv, set, p))
	p.WorkDir = session.WorkDir{Path: dir, By: by, Set: by == ByWorkDir}
	return p
}

// HomeDir is HOME, or what the user database says: some clients start servers
// with almost no environment.
func HomeDir(getenv func(string) string) string {
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

// OpenDirectory opens the directory of a file that is to be written there, and returns
// the file's name, "" when path is "" or a directory. "" is the current directory.
func OpenDirectory(path string) (*codefile.Store, string, error) {
	dir, name := filepath.Split(path)
	if info, err := os.Stat(path); path != "" && err == nil && info.IsDir() {
		dir, name = path, ""
	}
	if dir == "" {
		dir = "."
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, "", err // it is not made: a slip in a path would make directories
	}
	store, err := codefile.Open(dir)
	if wrong, ok := errors.AsType[*codefile.StorageError](err); ok {
		wrong.Fix = "name a file in a directory that you can write to"
	}
	return store, name, err
}
