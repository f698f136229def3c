package codefile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// lockWait is how long an append waits for another process that writes to the
// same file. Ours hold the lock for a write; only a foreign program holds it
// longer.
const lockWait = 10 * time.Second

// Append adds content, as it is, to the end of an existing file: one write(2)
// with O_APPEND, writers one after the other. When it fails the file is as it
// was; when the process is killed in it, it is so again after the next append, or
// when the storage is opened next. Errors are those of [Store.Path], [*TooLargeError], [*BinaryError], [*EncodingError] and
// [*StorageError].
func (s *Store) Append(path, content string) (File, error) {
	if err := checkSize(content); err != nil {
		return File{}, err
	}
	f, rel, err := s.open(path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return File{}, instead(err, func(string) string { return "code that is run with execute_code can write to any file" })
	}
	defer f.Close()
	if err := s.checkEncoding(path, rel, content); err != nil {
		return File{}, err
	}
	mu := s.writer(rel)
	mu.Lock()
	defer mu.Unlock()
	locked, err := lock(f, lockWait)
	if err != nil {
		return File{}, &StorageError{Path: path, Reason: "cannot be locked for writing: " + plain(err),
			Fix: "see which program holds the file", Err: err}
	}
	defer flock.Unlock(f.Fd())
	if locked { // else a note could be of a writer that lives
		done, err := s.intend(f, rel, content)
		if err != nil {
			return File{}, s.diskError("appending to "+rel, err)
		}
		defer done()
	}
	size, err := s.appendLocked(f, content)
	if err != nil {
		return File{}, s.diskError("appending to "+rel, err)
	}
	return File{Path: filepath.Join(s.dir, rel), Name: filepath.ToSlash(rel), Size: size}, nil
}

// declares matches a source's own word on its encoding (PEP 263).
var declares = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)`)
})

// checkEncoding is an error where content, which is written as UTF-8, would be read as
// other characters, or would make a text that nothing can read.
func (s *Store) checkEncoding(path, rel, content string) error {
	f, err := s.root.OpenFile(rel, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil // it may be written and not read
	}
	defer f.Close()
	head := make([]byte, 4<<10)
	n, _ := io.ReadFull(f, head)
	head = head[:n]
	if at := bytes.IndexByte(head, 0); at >= 0 {
		e := &BinaryError{Path: path, Why: fmt.Sprintf("holds a NUL byte at %d", at)}
		if info, err := f.Stat(); err == nil {
			e.Size = info.Size()
		}
		return e
	}
	if !strings.HasSuffix(rel, ".py") || !strings.ContainsFunc(content, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return nil
	}
	found := declares().FindSubmatch(head)
	if found == nil || strings.HasPrefix(strings.ToLower(string(found[1])), "utf") {
		return nil
	}
	return &EncodingError{Path: path, Encoding: string(found[1])}
}

// appendLocked writes and gives the file's new size. The caller holds the locks.
func (s *Store) appendLocked(f *os.File, content string) (int64, error) {
	before, err := f.Stat()
	if err != nil {
		return 0, err
	}
	n, err := 0, s.faulty("write")
	if err == nil {
		n, err = f.WriteString(content)
	}
	after, statErr := f.Stat()
	if err == nil {
		err = statErr
	}
	if err == nil {
		return after.Size(), nil
	}
	// Half a statement is worse than none: take back what a full disk let
	// through, unless a writer that knows no locks has written behind it.
	if n > 0 && statErr == nil && after.Size() == before.Size()+int64(n) {
		if e := f.Truncate(before.Size()); e != nil {
			err = fmt.Errorf("%w (and %d bytes of it stayed in the file: %v)", err, n, plain(e))
		}
	}
	return 0, err
}

func (s *Store) writer(rel string) *sync.Mutex {
	h := fnv.New32a()
	h.Write([]byte(rel))
	return &s.appending[h.Sum32()%uint32(len(s.appending))]
}

// diskError makes a StorageError of what the disk said.
func (s *Store) diskError(doing string, err error) error {
	if e, ok := errors.AsType[*StorageError](err); ok {
		return e
	}
	e := &StorageError{Path: s.dir, Reason: doing + ": " + plain(err), Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Fix = "make room on that disk, or set CODE_STORAGE_DIR to another one"
		if free, ok := freeBytes(s.dir); ok {
			e.Reason += fmt.Sprintf(" (%d bytes free)", free)
		}
	case errors.Is(err, os.ErrNotExist):
		e.Fix = "the storage directory was removed; the next call makes it again"
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Fix = "set CODE_STORAGE_DIR to a directory you can write to"
	}
	return e
}

// lock takes the file's advisory lock, where the file system has any. It asks again and again instead of
// waiting in the kernel, where nothing could end the wait.
func lock(f *os.File, wait time.Duration) (locked bool, err error) {
	deadline := time.Now().Add(wait)
	for {
		err := flock.Try(f.Fd(), true)
		switch {
		case err == nil:
			return true, nil
		case flock.Unsupported(err):
			return false, nil // such a file system still appends whole
		case !flock.Held(err), time.Now().After(deadline):
			return false, err
		}
		time.Sleep(time.Duration(50+rand.IntN(500)) * time.Microsecond)
	}
}
