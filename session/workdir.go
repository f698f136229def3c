package session

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/files"
)

// WorkDir is where code runs: files are relative to it.
type WorkDir struct {
	Path string
	// By says what decided it: a setting's name, or a few words.
	By string
	// Set says that a person has set it: then it must be there.
	Set bool
}

// WorkDirError says that the working directory that was set cannot be used.
type WorkDirError struct {
	WorkDir WorkDir
	Err     error
}

func (e *WorkDirError) Error() string {
	reason := e.Err.Error()
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		reason = "is not there"
	case errors.Is(e.Err, fs.ErrPermission):
		reason = "may not be entered"
	}
	return fmt.Sprintf("%s=%s %s%s", e.WorkDir.By, e.WorkDir.Path, reason, e.unexpanded())
}

// placeholder is what clients fill in: {workspace}, <project>, %USERPROFILE%.
var placeholder = regexp.MustCompile(`\$?\{[\w:.]+\}|<[\w ]+>|%\w+%`)

// Unfilled reports whether the path holds a variable that nobody has filled in.
func (e *WorkDirError) Unfilled() bool { return e.unexpanded() != "" }

// unexpanded says what in the path was not replaced, and may have been meant to be.
func (e *WorkDirError) unexpanded() string {
	_, name, found := strings.Cut(e.WorkDir.Path, "$")
	if end := strings.IndexFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }); end >= 0 {
		name = name[:end]
	}
	switch {
	case found && name != "":
		return fmt.Sprintf(" (the variable %s is not set where this server was started: write the path out)", name)
	case strings.Contains(filepath.ToSlash(e.WorkDir.Path), "/~"):
		return " (only a ~ that stands alone at the beginning is the home directory: write the path out)"
	case placeholder.MatchString(e.WorkDir.Path):
		return fmt.Sprintf(" (%s is filled in neither by the client nor by this server: write the path out)", placeholder.FindString(e.WorkDir.Path))
	}
	return ""
}

// Unwrap gives the cause.
func (e *WorkDirError) Unwrap() error { return e.Err }

// WorkDir tells where the next kernel will run code.
func (m *Manager) WorkDir() (WorkDir, error) {
	place, err := m.place()
	return place.work, err
}

// place is where a kernel that starts now finds its files.
type place struct {
	code string // the code storage, "" where there is none
	work WorkDir
	// missing is why there is no code storage. Then none was set, and code can run
	// without: in many sandboxes the home directory is read-only.
	missing error
}

// place looks for it. A working directory that a person has set is an error when it
// is not there: code would read and write elsewhere. Another one is passed by.
func (m *Manager) place() (place, error) {
	storage, err := m.config.Storage()
	switch {
	case err == nil:
		work, err := m.workDir(storage.Dir())
		return place{code: storage.Dir(), work: work}, err
	case m.config.StorageSet:
		return place{}, err
	}
	work, none := m.workDir("")
	if none == nil && work.Path == "" {
		none = err // code would have run in it
	}
	return place{work: work, missing: err}, none
}

// workDir is the working directory, where code is the code storage.
func (m *Manager) workDir(code string) (WorkDir, error) {
	if m.config.WorkDir == nil {
		return WorkDir{Path: code}, nil
	}
	w := m.config.WorkDir()
	info, err := os.Stat(w.Path)
	switch {
	case err != nil:
	case !info.IsDir():
		err = errors.New("is not a directory")
	default:
		// Looking at what is in it needs the right to enter it.
		if _, err = os.Stat(w.Path + string(filepath.Separator) + "."); err == nil {
			return w, nil
		}
	}
	if w.Set {
		return w, &WorkDirError{WorkDir: w, Err: err}
	}
	return WorkDir{Path: code, By: w.By}, nil
}

// WorkFolder opens the directory where code runs, to read files there. It is nil
// where that is the code storage, or cannot be used.
func (m *Manager) WorkFolder() *codefile.Folder {
	place, err := m.place()
	if err != nil || sameDir(place.work.Path, place.code) {
		return nil
	}
	folder, err := codefile.Look(place.work.Path)
	if err != nil {
		return nil
	}
	return folder
}

// madeFiles tells which files a run made, without stored ones.
type madeFiles = func(stored []string) ([]files.Made, int)

// watchFiles looks at the working directory of the kernel before a run. The function
// it returns tells what the run made there; stored files are not told, nor what git
// ignores.
func (s *Session) watchFiles(k *kernel.Kernel) madeFiles {
	if k.Info().Server != "" { // its files are not here
		return func([]string) ([]files.Made, int) { return nil, 0 }
	}
	dir := files.WorkingDir(k.Info().PID, k.Dir())
	return s.watcher.Begin(dir, func(names []string) map[string]bool {
		return s.notMade(dir, names)
	})
}

// notMade are those of the files in dir that are not told: what the server itself wrote,
// and what git ignores, which is asked only for the others.
func (s *Session) notMade(dir string, names []string) map[string]bool {
	ours := map[string]bool{}
	for _, name := range names {
		if codefile.IsTemporary(filepath.Base(name)) || s.manager.books.Wrote(filepath.Join(dir, name)) {
			ours[name] = true
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return ours[name] })
	if s.manager.config.Provisioner != nil && len(names) > 0 {
		maps.Copy(ours, s.manager.config.Provisioner.Installer.Finder.Host.GitIgnored(s.ctx, dir, names))
	}
	return ours
}

// sameDir reports whether two paths lead to the same directory.
func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
