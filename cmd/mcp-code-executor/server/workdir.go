package server

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// Start is what decides where code runs: the settings, and how the client started
// the program. Paths are absolute and in the form of the system GOOS.
type Start struct {
	GOOS string
	// WorkDir, Storage and Project are WORK_DIR, CODE_STORAGE_DIR and
	// CLAUDE_PROJECT_DIR, "" where not set.
	WorkDir, Storage, Project string
	// Dir is the directory the client started the program in, "" when unknown.
	Dir string
	// Homes are the ways to write the home directory, with and without links.
	Homes []string
	// Own are directories of this program and of applications: its data, XDG's.
	Own []string
	// Default is the storage where CODE_STORAGE_DIR is not set.
	Default string
	// Usable reports whether a directory is there, the user's and writable.
	Usable func(dir string) bool
}

// Names of what can decide the working directory.
const (
	ByWorkDir = "WORK_DIR"
	ByStorage = "CODE_STORAGE_DIR"
	ByProject = "CLAUDE_PROJECT_DIR"
	ByStart   = "the directory the client started this server in"
	ByDefault = "the code storage, as the client named no project"
)

// ChooseWorkDir says in which directory code runs, and what decided it. What a
// person has set is not judged here: it is taken, or an error when a kernel starts.
func ChooseWorkDir(s Start) (dir, by string) {
	switch {
	case s.WorkDir != "":
		return s.WorkDir, ByWorkDir
	case s.Storage != "":
		return s.Storage, ByStorage
	case s.Project != "" && isAbs(s.GOOS, s.Project) && s.Usable(s.Project):
		return s.Project, ByProject
	case s.Dir != "" && s.isProject() && s.Usable(s.Dir):
		return s.Dir, ByStart
	}
	return s.Default, ByDefault
}

// isProject reports whether the directory can be a project of the user's. Clients
// without a project start servers at the root, in the home directory, or in a
// directory of their own.
func (s Start) isProject() bool {
	dir := parts(s.GOOS, s.Dir)
	if s.GOOS == "linux" && len(dir) > 2 && dir[1] == "mnt" && len(dir[2]) == 1 {
		return windowsProject(append([]string{"c:"}, lower(dir[3:])...)) // a disk of Windows, seen from WSL
	}
	if len(dir) <= 1 { // a root, "C:\"
		return false
	}
	for _, own := range s.Own {
		if own := parts(s.GOOS, own); len(own) > 1 && within(dir, own) && !s.aboveHome(own) {
			return false
		}
	}
	for _, home := range s.Homes {
		home := parts(s.GOOS, home)
		switch {
		case within(home, dir): // the home, or above it
			return false
		case len(home) > 1 && within(dir, home):
			return !applicationsIn(s.GOOS, dir[len(home):])
		}
	}
	return !inSystem(s.GOOS, dir)
}

// inSystem reports whether a directory outside the home is the system's.
func inSystem(goos string, dir []string) bool {
	if goos == "windows" && len(dir[0]) == 2 {
		dir = append([]string{"c:"}, dir[1:]...) // Windows can be on any disk
	}
	for _, system := range systemDirs(goos) {
		if within(dir, parts(goos, system)) {
			return true
		}
	}
	for _, shared := range sharedDirs(goos) {
		if shared := parts(goos, shared); len(dir) == len(shared) && within(dir, shared) {
			return true
		}
	}
	return inBundle(dir)
}

// windowsProject is isProject for a disk of Windows, where the home is not known.
func windowsProject(dir []string) bool {
	if len(dir) <= 1 || inSystem("windows", dir) {
		return false
	}
	return dir[1] != "users" || len(dir) > 3 && !applicationsIn("windows", dir[3:])
}

// aboveHome reports whether dir is the home directory or above it: an odd
// XDG_DATA_HOME must not make every project an application's.
func (s Start) aboveHome(dir []string) bool {
	for _, home := range s.Homes {
		if within(parts(s.GOOS, home), dir) {
			return true
		}
	}
	return false
}

// applicationsIn reports whether a path below the home directory belongs to
// applications. Hidden directories are theirs, but for the working trees that
// coding agents keep there (~/.codex/worktrees/4f1a/shop).
func applicationsIn(goos string, below []string) bool {
	first := below[0]
	switch {
	case goos == "windows" && first == "appdata", goos == "darwin" && (first == "library" || first == "applications"), goos == "linux" && first == "snap":
		return true
	case inBundle(below):
		return true
	case !strings.HasPrefix(first, "."):
		return false
	case first == ".config" || first == ".cache" || first == ".local":
		return true
	}
	return !(strings.HasSuffix(first, "worktrees") && len(below) > 1 || len(below) > 2 && (below[1] == "worktrees" || below[1] == "workspaces"))
}

// inBundle reports whether a path leads into an application of macOS.
func inBundle(path []string) bool {
	for _, part := range path {
		if strings.HasSuffix(part, ".app") {
			return true
		}
	}
	return false
}

// systemDirs hold programs and their data, never a project of the user's.
func systemDirs(goos string) []string {
	switch goos {
	case "windows":
		return []string{`C:\Windows`, `C:\Program Files`, `C:\Program Files (x86)`, `C:\ProgramData`}
	case "darwin":
		return append(unixDirs(), "/Applications", "/Library", "/System", "/private/etc", "/private/var/db", "/private/var/root", "/cores")
	}
	return append(unixDirs(), "/snap", "/nix", "/gnu", "/boot", "/run", "/lib32", "/lib64", "/libexec", "/var/snap")
}

func unixDirs() []string {
	return []string{"/usr", "/opt", "/bin", "/sbin", "/lib", "/etc", "/dev", "/proc", "/sys", "/var/lib", "/var/cache", "/var/log", "/var/run", "/var/spool"}
}

// sharedDirs are not projects themselves, but what lies below may be.
func sharedDirs(goos string) []string {
	if goos == "windows" {
		return []string{`C:\Users`, `C:\Temp`}
	}
	return []string{"/tmp", "/var", "/var/tmp", "/private", "/private/tmp", "/private/var", "/private/var/tmp", "/home", "/root", "/Users", "/Users/Shared", "/Volumes", "/mnt", "/media", "/srv"}
}

// parts splits an absolute path: the volume ("" on Unix), then its names. Case does
// not count where the system does not distinguish it.
func parts(goos, path string) []string {
	if goos == "windows" {
		path = strings.TrimPrefix(strings.ReplaceAll(path, "/", `\`), `\\?\`)
	}
	separator := "/"
	if goos == "windows" {
		separator = `\`
	}
	if goos == "windows" || goos == "darwin" {
		path = strings.ToLower(path)
	}
	var names []string
	for i, name := range strings.Split(path, separator) {
		switch {
		case name == "." || name == "" && i > 0:
		case name == ".." && len(names) > 1:
			names = names[:len(names)-1]
		case name == "..":
		default:
			names = append(names, name)
		}
	}
	return names
}

func lower(names []string) []string {
	return strings.Split(strings.ToLower(strings.Join(names, "/")), "/")
}

// within reports whether dir is parent or below it.
func within(dir, parent []string) bool {
	if len(parent) == 0 || len(dir) < len(parent) {
		return false
	}
	for i, name := range parent {
		if dir[i] != name {
			return false
		}
	}
	return true
}

func isAbs(goos, path string) bool {
	if goos == "windows" {
		return strings.HasPrefix(path, `\\`) || len(path) > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/')
	}
	return strings.HasPrefix(path, "/")
}

// startOf tells how this process was started.
func startOf(getenv func(string) string, s settings.Settings, p Places) Start {
	start := Start{
		GOOS:    runtime.GOOS,
		Project: strings.TrimSpace(getenv("CLAUDE_PROJECT_DIR")),
		Homes:   withoutLinks(p.Home),
		Own:     append(withoutLinks(p.Data), withoutLinks(p.State)...),
		Default: p.Storage,
		Usable:  usable,
	}
	h := &host.Host{Home: p.Home}
	if s.WorkDir != "" {
		start.WorkDir = absolute(h.ExpandHome(s.WorkDir))
	}
	if s.Storage != "" {
		start.Storage = absolute(p.Storage)
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA", "SystemRoot", "ProgramFiles", "ProgramFiles(x86)", "ProgramData"} {
		if dir := getenv(name); filepath.IsAbs(dir) {
			start.Own = append(start.Own, withoutLinks(dir)...)
		}
	}
	if dir, err := os.Getwd(); err == nil {
		start.Dir = dir
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			start.Dir = real // a link to the home directory is the home directory
		}
	}
	if exe, err := os.Executable(); err == nil && filepath.Dir(exe) == start.Dir { // some clients start a program where it lies
		start.Own = append(start.Own, start.Dir)
	}
	return start
}

// withoutLinks is a path as it stands and as it is without links.
func withoutLinks(path string) []string {
	paths := []string{path}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		paths = append(paths, real)
	}
	return paths
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
