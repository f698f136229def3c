package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// lockPatience bounds the waiting for a lock: longer than the longest work that
// is done under one.
const lockPatience = 40 * time.Minute

// holder is who has a lock, written into its file for those who wait.
type holder struct {
	PID  int    `json:"pid"`
	Host string `json:"host"`
	// Since is when it was taken.
	Since time.Time `json:"since"`
}

func (h holder) String() string {
	return fmt.Sprintf("process %d on %s since %s", h.PID, h.Host, h.Since.Format("15:04:05"))
}

// LockError says that a lock was not to be had in time.
type LockError struct {
	File   string
	Holder string // who has it, "" if unknown
	Waited time.Duration
}

func (e *LockError) Error() string {
	by := ""
	if e.Holder != "" {
		by = " by " + e.Holder
	}
	return fmt.Sprintf("%s is locked%s, for more than %v: end that process, or remove the file if there is none", e.File, by, e.Waited)
}

// Lock takes the named lock, shared by all servers of this user, and waits for
// it until ctx is done, lockPatience at most ([*LockError]). waiting (may be nil)
// is called once, with who has it, if it has to wait.
//
// A home directory on a network may answer late or never: then the waiting ends
// with ctx all the same, and the lock is given back when it comes.
func (h *Host) Lock(ctx context.Context, name string, waiting func(holder string)) (unlock func(), err error) {
	if h.DataDir == "" { // else the locks would lie in the working directory
		return nil, errors.New("locking: there is no data directory")
	}
	patience := h.lockPatience
	if patience == 0 {
		patience = lockPatience
	}
	path := filepath.Join(h.DataDir, "locks", name+".lock")
	begun := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, patience, &LockError{File: path, Waited: patience})
	defer cancel()
	type answer struct {
		unlock func()
		err    error
	}
	answers := make(chan answer)
	go func() {
		unlock, err := h.awaitLock(limited, path, waiting)
		select {
		case answers <- answer{unlock, err}:
		case <-limited.Done():
			if err == nil {
				unlock()
			}
		}
	}()
	select {
	case a := <-answers:
		return a.unlock, a.err
	case <-limited.Done():
		err := context.Cause(limited)
		if locked, ok := errors.AsType[*LockError](err); ok {
			return nil, &LockError{File: locked.File, Holder: readHolder(path), Waited: time.Since(begun).Round(time.Second)}
		}
		return nil, err
	}
}

// awaitLock polls, since a blocking flock cannot be cancelled.
func (h *Host) awaitLock(ctx context.Context, path string, waiting func(string)) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("%w: environments that this program makes, and locks, are kept below that; set XDG_DATA_HOME to a directory you can write to", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a lock: %w", err)
	}
	try := h.tryLock
	if try == nil {
		try = func(file *os.File) error { return flock.Try(file.Fd(), true) }
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for first := true; ; first = false {
		err := try(file)
		switch {
		case flock.Unsupported(err):
			file.Close()
			return h.awaitHeld(ctx, path+".held", waiting)
		case err != nil && !flock.Held(err):
			file.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		case err == nil:
			writeHolder(file)
			return func() { file.Close() }, nil // closing gives the lock back
		}
		if first && waiting != nil {
			waiting(readHolder(path))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			file.Close()
			return nil, context.Cause(ctx)
		}
	}
}

// awaitHeld does with a file what a lock does, where there are no locks: who
// makes it has it. One whose process is gone counts no more.
func (h *Host) awaitHeld(ctx context.Context, path string, waiting func(string)) (unlock func(), err error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for first := true; ; first = false {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err == nil {
			writeHolder(file)
			file.Close()
			return func() { os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("locking: %w", err)
		}
		if abandoned(path) {
			os.Remove(path)
			continue
		}
		if first && waiting != nil {
			waiting(readHolder(path))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// abandoned reports whether who made the file at path has ended without removing
// it. Of another host that is only known by the time.
func abandoned(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if time.Since(info.ModTime()) > 2*lockPatience {
		return true
	}
	h, ok := parseHolder(path)
	host, _ := os.Hostname()
	return ok && h.Host == host && !alive(h.PID)
}

func writeHolder(file *os.File) {
	host, _ := os.Hostname()
	data, err := json.Marshal(holder{PID: os.Getpid(), Host: host, Since: time.Now()})
	if err == nil && file.Truncate(0) == nil {
		_, _ = file.WriteAt(data, 0) // only words for those who wait
	}
}

func parseHolder(path string) (h holder, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return h, false
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, 4096))
	return h, err == nil && json.Unmarshal(data, &h) == nil && h.PID > 0
}

func readHolder(path string) string {
	h, ok := parseHolder(path)
	if !ok {
		return ""
	}
	return h.String()
}

// WaitingFor words what is waited for.
func WaitingFor(progress func(string), what string) func(string) {
	return func(holder string) {
		if holder != "" {
			what += " (" + holder + ")"
		}
		progress("waiting for " + what)
	}
}

// Use notes for as long as this process lives that it uses the directory, so
// that nobody removes it ([Finder.Remove]). Failing is no reason not to work.
func (h *Host) Use(dir string) {
	if h.parent != nil {
		h.parent.Use(dir)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.DataDir == "" || h.used[dir] != nil {
		return
	}
	path := filepath.Join(h.DataDir, "locks", UseName(dir))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return
	}
	if err := flock.Try(file.Fd(), false); err != nil {
		file.Close()
		return
	}
	if h.used == nil {
		h.used = map[string]*os.File{}
	}
	h.used[dir] = file
}

// Close gives back what use has taken, as the end of the process does, and removes the
// temporary directories that programs ran in: when none runs any more.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, file := range h.used {
		file.Close()
	}
	var failed []error
	for _, dir := range h.made {
		failed = append(failed, os.RemoveAll(dir))
	}
	h.used, h.made, h.work = nil, nil, ""
	return errors.Join(failed...)
}

// InUse reports whether another process uses the directory.
func (h *Host) InUse(dir string) bool {
	file, err := os.OpenFile(filepath.Join(h.DataDir, "locks", UseName(dir)), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return flock.Held(flock.Try(file.Fd(), true))
}

func UseName(dir string) string {
	return "use-" + strings.TrimPrefix(LockName(dir), "prefix-") + ".lock"
}

// LockName is the name of the lock for changing the environment in prefix.
func LockName(prefix string) string {
	if real, err := filepath.EvalSymlinks(prefix); err == nil {
		prefix = real
	}
	sum := sha256.Sum256([]byte(prefix))
	return "prefix-" + hex.EncodeToString(sum[:8])
}
