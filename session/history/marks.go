package history

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// Marks tell a server that the one before it was killed. A server that has run
// something has a file in the state directory, which holds where its client works.
// It is locked while the server lives and removed when it closes: one that is there
// without a lock is of a server that was killed, or whose machine went down.
type Marks struct {
	dir, name string
	place     string // "" for none

	mu      sync.Mutex // protects the fields below
	file    *os.File
	touched time.Time
	closed  bool
}

const (
	// markMemory is for how long a killed server is told of.
	markMemory = 6 * time.Hour
	// markTouch is how often the file's time is set, which says when the last run was.
	markTouch = time.Minute
	// maxPlace bounds what is read of another's file.
	maxPlace = 16 << 10
)

// NewMarks returns the marks of a server of that name, whose client works in place; ""
// is none.
func NewMarks(stateDir, name, place string) *Marks {
	return &Marks{dir: filepath.Join(stateDir, "running"), name: name, place: place}
}

// Ran notes that something was run now. The first time it takes the place of
// killed servers, whose files go.
func (m *Marks) Ran() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.place == "" || m.closed || now.Sub(m.touched) < markTouch {
		return
	}
	m.touched = now
	path := filepath.Join(m.dir, m.name)
	if m.file != nil {
		_ = os.Chtimes(path, now, now)
		return
	}
	for _, left := range m.left() {
		_ = os.Remove(left.path)
	}
	if os.MkdirAll(m.dir, 0o700) != nil {
		return
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return
	}
	if _, err := file.WriteString(m.place); err != nil || flock.Try(file.Fd(), true) != nil {
		file.Close()
		_ = os.Remove(path) // without a lock it would look like a killed server's
		return
	}
	m.file = file
}

// Close removes the file: what this server ran was closed as it should be.
func (m *Marks) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.file != nil {
		path := m.file.Name()
		err := os.Remove(path)
		m.file.Close()
		if err != nil {
			_ = os.Remove(path) // Windows removes no open file
		}
		m.file = nil
	}
}

// leftMark is the file of a killed server in the same place.
type leftMark struct {
	path string
	at   time.Time // of its last run, to a minute
}

// left finds the files of killed servers of this place, and old ones of any.
func (m *Marks) left() (found []leftMark) {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		path := filepath.Join(m.dir, entry.Name())
		if at, place, ok := killed(path); ok && (place == m.place || time.Since(at) > markMemory) {
			found = append(found, leftMark{path: path, at: at})
		}
	}
	return found
}

// killed reads the file at path; ok is false when its server lives, or nobody can
// tell.
func killed(path string) (at time.Time, place string, ok bool) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return at, "", false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || flock.Try(file.Fd(), true) != nil {
		return at, "", false
	}
	text, err := io.ReadAll(io.LimitReader(file, maxPlace))
	return info.ModTime(), string(text), err == nil
}

// Killed reports whether the server before this one in the client's place was killed
// with sessions open, in the last hours, and how long ago it ran something; prefixes
// are the first halves of the ids of such servers, the last one last.
func (m *Marks) Killed() (ago time.Duration, prefixes []string) {
	if m.place == "" {
		return 0, nil
	}
	left := m.left()
	slices.SortFunc(left, func(a, b leftMark) int { return a.at.Compare(b.at) })
	for _, l := range left {
		if since := time.Since(l.at); since <= markMemory {
			ago = max(since, 0)
			prefixes = append(prefixes, filepath.Base(l.path))
		}
	}
	return ago, prefixes
}
