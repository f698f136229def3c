package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLockIsGivenUp(t *testing.T) {
	for name, try := range map[string]func(*os.File) error{
		"locks":    nil,
		"no locks": func(*os.File) error { return syscall.ENOLCK }, // a home on a network
	} {
		t.Run(name, func(t *testing.T) {
			f := &Host{DataDir: t.TempDir()}
			f.tryLock = try
			unlock, err := f.Lock(t.Context(), "x", nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			cause := errors.New("enough")
			var by string
			if _, err := f.Lock(ctx, "x", func(holder string) { by = holder; cancel(cause) }); !errors.Is(err, cause) {
				t.Errorf("got %v", err)
			}
			if want := fmt.Sprintf("process %d on ", os.Getpid()); !strings.HasPrefix(by, want) {
				t.Errorf("it is held by %q, want %q", by, want)
			}
			unlock()
			again, err := f.Lock(t.Context(), "x", func(string) { t.Error("had to wait for a lock that was given back") })
			if err != nil {
				t.Fatal(err)
			}
			again()
		})
	}
}

func TestLockTimesOut(t *testing.T) {
	f := &Host{DataDir: t.TempDir()}
	f.lockPatience = 50 * time.Millisecond
	unlock, err := f.Lock(t.Context(), "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = f.Lock(t.Context(), "x", nil)
	locked, ok := errors.AsType[*LockError](err)
	if !ok || locked.File != filepath.Join(f.DataDir, "locks", "x.lock") || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("got %v", err)
	}
}

// A dead mount: opening or locking there never returns.
func TestLockNeverAnswers(t *testing.T) {
	f := &Host{DataDir: t.TempDir()}
	hang := make(chan struct{})
	defer close(hang)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	f.tryLock = func(*os.File) error { cancel(cause); <-hang; return errors.New("over") }
	if _, err := f.Lock(ctx, "x", nil); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// Where there are no locks, what a dead process left counts no more.
func TestAbandonedLock(t *testing.T) {
	f := &Host{DataDir: t.TempDir()}
	f.tryLock = func(*os.File) error { return syscall.ENOTSUP }
	host, _ := os.Hostname()
	dead, err := json.Marshal(holder{PID: 1 << 30, Host: host, Since: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	held := filepath.Join(f.DataDir, "locks", "x.lock.held")
	if err := errors.Join(os.Mkdir(filepath.Dir(held), 0o700), os.WriteFile(held, dead, 0o600)); err != nil {
		t.Fatal(err)
	}
	unlock, err := f.Lock(t.Context(), "x", func(string) { t.Error("waits for a dead process") })
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if Exists(held) {
		t.Error("the lock was not given back")
	}
}
