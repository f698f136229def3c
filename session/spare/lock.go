package spare

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// lock says to other servers of the user that there is a spare for a key. It goes with
// the process too.
type lock struct {
	file *os.File
	once sync.Once
}

// tryLock returns nil when another server has the lock.
func tryLock(dir string, key kernel.Spec) (*lock, error) {
	text, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	path := filepath.Join(dir, "spare-"+hex.EncodeToString(sum[:8])+".lock")
	for range 3 {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		switch err := flock.Try(file.Fd(), true); {
		case err == nil && same(file, path):
			return &lock{file: file}, nil
		case err == nil: // its last holder has removed the name meanwhile
			file.Close()
		case flock.Held(err):
			file.Close()
			return nil, nil
		default:
			file.Close()
			return nil, err
		}
	}
	return nil, nil
}

func same(file *os.File, path string) bool {
	a, err := file.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// release gives the lock back and leaves no file. It may be called again.
func (l *lock) release() {
	l.once.Do(func() {
		os.Remove(l.file.Name()) // while it is held: nobody else has locked this file
		l.file.Close()
	})
}
