//go:build unix

package keep

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
)

// place is the directory in which a user's fronts and background servers find each
// other.
type place struct{ dir string }

// openPlace makes the directory below the state directory when it is not there. One
// that is another user's, or that others can write to, is an error.
func openPlace(state string) (*place, error) {
	dir := filepath.Join(state, "keep")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &place{dir}, rundir.Private(dir)
}

func (p *place) file(key, kind string) string { return filepath.Join(p.dir, key+"."+kind) }

// lockPatience is how long the start of a server by another front is waited for.
const lockPatience = 15 * time.Second

// lock takes the lock under which servers are started and ended. Its file says who
// has it: a process that was stopped by a signal is not waited for as long as others.
func (p *place) lock(patience time.Duration) (unlock func(), err error) {
	path := filepath.Join(p.dir, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := flock.Try(file.Fd(), true)
		if err == nil {
			sign(file)
			return func() { file.Close() }, nil
		}
		holder := holderOf(file)
		if flock.Held(err) && !given(begun, holder, patience) {
			continue
		}
		file.Close()
		if flock.Held(err) && holder > 0 && stopped(holder) {
			err = fmt.Errorf("process %d has it and is stopped (kill -CONT %d lets it go on)", holder, holder)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
}

// sign writes this process into the file of a lock that it holds.
func sign(file *os.File) {
	_, _ = file.WriteAt(fmt.Appendf(nil, "%-12d\n", os.Getpid()), 0) // the disk may be full
}

// holderOf is the process that has written itself into a lock's file, 0 for none.
func holderOf(file *os.File) int {
	text := make([]byte, 12)
	n, _ := file.ReadAt(text, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	return max(pid, 0)
}

// claim takes the lock that a server holds as long as it lives, nil when another
// server of that key lives.
func (p *place) claim(key string) (*os.File, error) {
	path := p.file(key, "alive")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := flock.Try(file.Fd(), true); {
	case flock.Held(err):
		file.Close()
		return nil, nil
	case err != nil:
		file.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	sign(file)
	return file, nil
}

// alive reports whether a server of that key lives. The caller must hold the lock, or
// bear with a server that begins or ends at this moment.
func (p *place) alive(key string) bool {
	file, err := os.OpenFile(p.file(key, "alive"), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return flock.Held(flock.Try(file.Fd(), false))
}

// holder is the process of the living server of that key, by its lock: it may have no
// address yet. One of an older version has not signed it.
func (p *place) holder(key string, a Address) int {
	file, err := os.OpenFile(p.file(key, "alive"), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return a.PID
	}
	defer file.Close()
	return cmp.Or(holderOf(file), a.PID)
}

// maxAddress bounds what is read of an address.
const maxAddress = 64 << 10

// address reads where the server of that key is.
func (p *place) address(key string) (Address, error) {
	file, err := os.OpenFile(p.file(key, "json"), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Address{}, err
	}
	defer file.Close()
	data := make([]byte, maxAddress)
	n, err := file.Read(data)
	if err != nil {
		return Address{}, err
	}
	var a Address
	err = json.Unmarshal(data[:n], &a)
	return a, err
}

// publish writes where the server is.
func (p *place) publish(a Address) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	next := p.file(a.Key, "json.new")
	if err := os.WriteFile(next, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, p.file(a.Key, "json"))
}

// remove removes what a server that is gone has left, but for its log. The caller
// must hold the lock.
func (p *place) remove(key string) {
	for _, kind := range []string{"json", "json.new", "alive"} {
		_ = os.Remove(p.file(key, kind))
	}
}

// keys lists the servers there are, or have been.
func (p *place) keys() []string {
	entries, _ := os.ReadDir(p.dir)
	var keys []string
	for _, e := range entries {
		if key, ok := strings.CutSuffix(e.Name(), ".alive"); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// secret is this user's own, made when it is first needed.
func (p *place) secret() ([]byte, error) {
	path := filepath.Join(p.dir, "secret")
	text, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	own, err := os.CreateTemp(p.dir, "secret-") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(own.Name())
	_, err = own.WriteString(rand.Text())
	if err = errors.Join(err, own.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(own.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}
