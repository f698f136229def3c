package keep

import (
	"io"
	"os"
	"sync"
)

// maxLog is how large a log grows; the one before it is kept beside it.
const maxLog = 1 << 20

// bounded writes to a file that does not grow without bound. What is written before
// it is open is lost.
type bounded struct {
	mu   sync.Mutex // protects the fields below
	file *os.File
	size int64
}

// open appends to the file at path from now on.
func (l *bounded) open(path string) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = file
	if info, err := file.Stat(); err == nil {
		l.size = info.Size()
	}
}

// Write never fails: nobody would be told.
func (l *bounded) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return len(p), nil
	}
	if l.size += int64(len(p)); l.size > maxLog {
		l.turn()
		l.size = int64(len(p))
	}
	_, _ = l.file.Write(p)
	return len(p), nil
}

// turn copies the file and empties it: a panic of this process goes there too, by a
// descriptor of its own, so the file itself must stay.
func (l *bounded) turn() {
	old, err := os.OpenFile(l.file.Name()+".1", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err == nil {
		_, _ = io.Copy(old, io.NewSectionReader(l.file, 0, maxLog))
		old.Close()
	}
	_ = l.file.Truncate(0)
}
