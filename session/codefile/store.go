package codefile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// MaxContent is the most one Create or Append writes, in bytes.
const MaxContent = 4 << 20

// tempPrefix and tempSuffix name files being written. One that is left by a
// crash is removed by the Open after tempAge.
const (
	tempPrefix = ".mce-"
	tempSuffix = ".tmp"
	tempAge    = time.Hour
)

// Store is a directory of code files. It is safe for concurrent use, and several
// processes may use one directory.
type Store struct {
	Folder

	// fault is called before each step that a full or failing disk can break;
	// only tests set it.
	fault func(step string) error
	// unsynced says that files need not be on the disk when they get their names.
	unsynced bool

	// appending serialises writers in this process, by a hash of the file's name;
	// flock does it between processes, and for two names of one file.
	appending [16]sync.Mutex
}

// File is a code file.
type File struct {
	Path    string // absolute
	Name    string // relative to the storage directory
	Size    int64  // bytes, after the call
	Renamed bool   // the name asked for was taken and this is a numbered one
}

// Opener returns the storage in dir, which is opened by the first call, and again after
// it failed, or the directory was removed or another one stands in its place. It is safe
// for concurrent use.
func Opener(dir string) func() (*Store, error) {
	var (
		mu sync.Mutex
		s  *Store
	)
	return func() (*Store, error) {
		mu.Lock()
		defer mu.Unlock()
		if s != nil {
			if there, err := os.Stat(s.dir); err == nil && s.is(there) {
				return s, nil
			}
		}
		opened, err := Open(dir)
		if err == nil {
			s = opened // the one before may be in use still
		}
		return opened, err
	}
}

// Open makes dir with its parents if need be, checks that files can be written
// there, and removes what writers that crashed have left. The error is a
// [*StorageError].
func Open(dir string) (*Store, error) {
	const fix = "set CODE_STORAGE_DIR to a directory you can write to"
	fail := func(reason string, err error) (*Store, error) {
		return nil, &StorageError{Path: dir, Reason: reason, Fix: fix, Err: err}
	}
	if dir == "" {
		return fail("no storage directory is given", nil)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return fail("has no absolute path: "+plain(err), err)
	}
	dir = abs
	// Looking first, because opening a FIFO as a directory would block.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fail("is "+kindOf(info)+", not a directory", nil)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail("cannot be made: "+plain(err), err)
	}
	s := &Store{}
	if err := s.enter(dir); err != nil {
		return fail("cannot be opened: "+plain(err), err)
	}
	if err := s.tryWriting(); err != nil {
		s.Close()
		return fail("is not writable: "+plain(err), err)
	}
	s.untearAll()
	s.sweep()
	return s, nil
}

// Create writes a new file under the name asked for, or under a numbered one
// when that is taken; an empty name becomes "code_1.py", "code_2.py", …. The
// file appears whole or not at all and replaces nothing. Errors are
// [*NameError], [*TooLargeError] and [*StorageError]. A nil shadows knows only
// the standard library.
func (s *Store) Create(name, content string, shadows Shadows) (File, error) {
	if err := checkSize(content); err != nil {
		return File{}, err
	}
	pick := func(n int) string { return fmt.Sprintf("code_%d.py", n) }
	unnamed := name == ""
	if !unnamed {
		name, err := CheckName(name, shadows)
		if err != nil {
			return File{}, err
		}
		pick = func(n int) string { return numbered(name, n) }
	}
	temp, err := s.writeTemp(content)
	if err != nil {
		return File{}, err
	}
	for {
		n := s.firstFree(pick)
		err := s.place(temp, pick(n))
		if errors.Is(err, fs.ErrExist) {
			continue // somebody took it between the look and the rename
		}
		if err != nil {
			s.root.Remove(temp)
			return File{}, s.diskError("saving "+pick(n), err)
		}
		return File{
			Path: filepath.Join(s.dir, pick(n)), Name: pick(n), Size: int64(len(content)),
			Renamed: n > 1 && !unnamed,
		}, nil
	}
}

// firstFree finds an n whose name is free. It doubles and halves, so that the
// thousandth "plot.py" costs twenty looks, not a thousand; gaps may stay unused.
func (s *Store) firstFree(pick func(int) string) int {
	taken := func(n int) bool {
		_, err := s.root.Lstat(pick(n))
		return !errors.Is(err, fs.ErrNotExist)
	}
	low, high := 0, 1
	for taken(high) && high < 1<<30 {
		low, high = high, high*2
	}
	for high-low > 1 {
		if mid := low + (high-low)/2; taken(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// writeTemp writes content to a new hidden file, on the disk when it returns.
func (s *Store) writeTemp(content string) (name string, err error) {
	f, name, err := s.newTemp()
	if err != nil {
		return "", s.diskError("making a file", err)
	}
	defer func() {
		if err != nil {
			s.root.Remove(name)
			err = s.diskError("writing the file", err)
		}
	}()
	if err = s.faulty("write"); err == nil {
		_, err = f.WriteString(content)
	}
	if err == nil {
		if err = s.faulty("sync"); err == nil {
			// Without it a crash after the rename can leave an empty file.
			err = f.Sync()
		}
	}
	// Network file systems report a full disk only here.
	if e := f.Close(); err == nil {
		err = e
	}
	return name, err
}

func (s *Store) newTemp() (*os.File, string, error) {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	name := tempPrefix + hex.EncodeToString(b[:]) + tempSuffix
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	return f, name, err
}

// place gives temp its name unless that is taken (fs.ErrExist).
func (s *Store) place(temp, name string) error {
	if err := s.faulty("place"); err != nil {
		return err
	}
	dir, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	err = renameNoReplace(dir, temp, name)
	if errors.Is(err, errors.ErrUnsupported) {
		// The two names exist together for a moment, and for tempAge after a crash.
		if err = s.root.Link(temp, name); err == nil {
			err = s.root.Remove(temp)
		}
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// tryWriting finds out whether files can be made, now and not at the first call.
func (s *Store) tryWriting() error {
	f, name, err := s.newTemp()
	if err != nil {
		return err
	}
	f.Close()
	return s.root.Remove(name)
}

// sweep removes old leftovers of writers that crashed; what it cannot remove
// does no harm.
func (s *Store) sweep() {
	names, _ := s.names()
	for _, name := range names {
		if !IsTemporary(name) && !isIntent(name) {
			continue
		}
		if info, err := s.root.Lstat(name); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > tempAge {
			s.root.Remove(name)
		}
	}
}

// IsTemporary reports whether a file of that name is one that is being written.
func IsTemporary(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

func (s *Store) faulty(step string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(step)
}

func checkSize(content string) error {
	if len(content) > MaxContent {
		return &TooLargeError{What: "the content", Size: int64(len(content)), Limit: MaxContent}
	}
	return nil
}
