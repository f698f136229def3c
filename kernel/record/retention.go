package record

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// nameTime is how a record's name begins: its start in UTC.
const nameTime = "20060102T150405Z"

// Policy says what [Sweep] keeps. A zero field sets no limit.
type Policy struct {
	MaxBytes int64         // of all records together, those in use included
	MaxAge   time.Duration // since the last entry
}

// Removed is a record that [Sweep] removed.
type Removed struct {
	Dir      string
	Bytes    int64
	LastUsed time.Time
}

// youngAge and largeBytes are what a sweep spares: of records that are not too old, one
// used in the last day goes after all others, unless it is large.
const (
	youngAge   = 24 * time.Hour
	largeBytes = 256 << 20
)

// Sweep removes records in dir that are too old, then those longest unused until the
// rest fits; of these, small ones of the last day come last. It never removes one in use, by this process or another: one whose
// [Record] or [Reader] is open. It touches only directories that have the name
// and the files of a record, and follows no symlink. What it could not remove
// is in the error; it goes on with the others. A dir that is not there is empty.
func Sweep(dir string, p Policy) ([]Removed, error) {
	root, found, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("sweeping records: %w", err)
	}
	if root == nil {
		return nil, nil
	}
	defer root.Close()
	var total int64
	for _, f := range found {
		total += f.Bytes
	}
	var removed []Removed
	var errs []error
	now := time.Now()
	spared := func(f Removed) int {
		if now.Sub(f.LastUsed) < youngAge && f.Bytes <= largeBytes {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(found, func(a, b Removed) int { return spared(a) - spared(b) })
	for _, f := range found {
		old := p.MaxAge > 0 && now.Sub(f.LastUsed) > p.MaxAge
		over := p.MaxBytes > 0 && total > p.MaxBytes
		if !old && !over {
			continue
		}
		ok, err := remove(root, filepath.Base(f.Dir))
		if err != nil {
			errs = append(errs, fmt.Errorf("sweeping record: %w", err))
		}
		if ok {
			total -= f.Bytes
			removed = append(removed, f)
		}
	}
	return removed, errors.Join(errs...)
}

// Found lists the records in dir, with their sizes, the least recently written first.
// A dir that is not there is empty.
func Found(dir string) ([]Removed, error) {
	root, found, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("listing records: %w", err)
	}
	if root != nil {
		root.Close()
	}
	return found, nil
}

// Delete removes the record in the directory path, unless it is in use: then removed is
// false. It touches only a directory that has the name and the files of a record.
func Delete(path string) (removed bool, err error) {
	dir, name := filepath.Split(filepath.Clean(path))
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("removing record: %w", err)
	}
	defer root.Close()
	st, err := root.Lstat(filepath.Join(name, journalName))
	if err != nil || !isRecordName(name) || !st.Mode().IsRegular() {
		return false, fmt.Errorf("removing record: %s is no record", path)
	}
	return remove(root, name)
}

// list returns the records in dir, oldest first; root is nil when dir is not there.
func list(dir string) (root *os.Root, found []Removed, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, nil, err
	}
	root, err = os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		root.Close()
		return nil, nil, err
	}
	for _, e := range entries {
		if !e.IsDir() || !isRecordName(e.Name()) { // a symlink is not a directory here
			continue
		}
		st, err := root.Lstat(filepath.Join(e.Name(), journalName))
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		found = append(found, Removed{Dir: filepath.Join(dir, e.Name()), Bytes: size(root, e.Name()), LastUsed: st.ModTime()})
	}
	slices.SortFunc(found, func(a, b Removed) int {
		return cmp.Or(a.LastUsed.Compare(b.LastUsed), strings.Compare(a.Dir, b.Dir))
	})
	return root, found, nil
}

func isRecordName(name string) bool {
	started, rest, ok := strings.Cut(name, "-")
	if _, err := time.Parse(nameTime, started); !ok || err != nil {
		return false
	}
	i := strings.LastIndexByte(rest, '-')
	return i > 0 && len(rest)-i == 9 && strings.Trim(rest[i+1:], "0123456789abcdef") == ""
}

// size adds up the files of a record. What goes away meanwhile does not count.
func size(root *os.Root, name string) (n int64) {
	fs.WalkDir(root.FS(), name, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() {
			n += st.Size()
		}
		return nil
	})
	return n
}

// remove removes a record unless it is in use.
func remove(root *os.Root, name string) (bool, error) {
	path := filepath.Join(name, lockName)
	if st, err := root.Lstat(path); err == nil && !st.Mode().IsRegular() {
		return false, fmt.Errorf("%s is not a regular file", path)
	}
	lock, err := root.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	if flock.Try(lock.Fd(), true) != nil {
		lock.Close()
		return false, nil // in use; or locks do not work here, then nothing is safe to remove
	}
	// The files go first: the journal is what makes the rest ours to remove,
	// should this stop half-way. Windows removes no open file, so the lock ends
	// before; nobody opens a record that has lost its files.
	err = root.RemoveAll(filepath.Join(name, filesDir))
	lock.Close()
	if err == nil {
		err = root.RemoveAll(name)
	}
	return err == nil, err
}
