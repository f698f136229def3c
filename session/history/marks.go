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
// without a lock is of a server that was killed, or whose machine went down. Its time
// is set each minute, and says when that was.
type Marks struct {
	dir, name string
	place     string // "" for none

	mu     sync.Mutex // protects the fields below
	file   *os.File
	tried  time.Time   // to make the file
	beat   *time.Timer // sets the file's time; ended with the file
	ran    bool        // something did
	closed bool
}

const (
	// markMemory is for how long a killed server is told of.
	markMemory = time.Hour
	// markTouch is how often the file's time is set.
	markTouch = time.Minute
	// maxPlace bounds what is read of another's file.
	maxPlace = 16 << 10
)

// NewMarks returns the marks of a server of that name, whose client works in place; ""
// is none.
func NewMarks(stateDir, name, place string) *Marks {
	return &Marks{dir: filepath.Join(stateDir, "running"), name: name, place: place}
}

// Accepted notes that something was accepted, which a kill would lose: from now on the
// server has a file. The files of servers that were killed long ago go.
func (m *Marks) Accepted() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.place == "" || m.closed || m.file != nil || time.Since(m.tried) < markTouch {
		return
	}
	m.tried = time.Now()
	path := filepath.Join(m.dir, m.name)
	for _, left := range m.left() {
		if time.Since(left.at) > markMemory {
			_ = os.Remove(left.path)
		}
	}
	if os.MkdirAll(m.dir, 0o700) != nil {
		return
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return
	}
	// The lock comes first: a file without it, and with a place, is a killed server's.
	// Another server that looks at the file has it for a moment.
	err = flock.Try(file.Fd(), true)
	for tries := 0; err != nil && tries < 100; tries++ {
		time.Sleep(time.Millisecond)
		err = flock.Try(file.Fd(), true)
	}
	if err == nil {
		_, err = file.WriteString(m.place)
	}
	if err != nil {
		file.Close()
		_ = os.Remove(path)
		return
	}
	m.file = file
	m.beat = time.AfterFunc(markTouch, m.touch)
}

// Ran notes that what was accepted is run or installed.
func (m *Marks) Ran() {
	m.Accepted()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ran = true
}

// InVain takes the file back where what was accepted could not be run, and nothing else
// ever was: there is nothing to lose.
func (m *Marks) InVain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ran {
		return
	}
	m.removeLocked()
	m.tried = time.Time{}
}

// touch notes that the server lives.
func (m *Marks) touch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file != nil {
		now := time.Now()
		_ = os.Chtimes(m.file.Name(), now, now)
		m.beat.Reset(markTouch)
	}
}

// Left reports whether the server of that name was killed in this place and is still
// told of.
func (m *Marks) Left(name string) bool {
	return slices.ContainsFunc(m.left(), func(l leftMark) bool { return filepath.Base(l.path) == name })
}

// Forget ends the telling of a server that was killed in this place.
func (m *Marks) Forget(name string) {
	if m.Left(name) {
		_ = os.Remove(filepath.Join(m.dir, name))
	}
}

// Close removes the file: what this server ran was closed as it should be.
func (m *Marks) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.removeLocked()
}

func (m *Marks) removeLocked() {
	if m.file == nil {
		return
	}
	m.beat.Stop()
	path := m.file.Name()
	err := os.Remove(path)
	m.file.Close()
	if err != nil {
		_ = os.Remove(path) // Windows removes no open file
	}
	m.file = nil
}

// leftMark is the file of a killed server in the same place.
type leftMark struct {
	path string
	at   time.Time // when it lived, to a minute
}

// left finds the files of other servers, killed ones of this place and old ones of any.
func (m *Marks) left() (found []leftMark) {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		if entry.Name() == m.name {
			continue
		}
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

// Killed reports whether servers in the client's place were killed with sessions open,
// in the last hour, and how long ago the last one was; prefixes are the first halves
// of their ids, the last one last.
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
