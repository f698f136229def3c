//go:build unix

package rundir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// lockDir takes the lock that says the directory is in use. The descriptor
// is held until the process ends, however it ends. The file gets its name when it
// is locked: a server that starts at the same moment would sweep the directory.
func lockDir(dir string) error {
	path := filepath.Join(dir, "lock")
	fd, err := unix.Open(path+".new", unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: path + ".new", Err: err}
	}
	if err := flock.Try(uintptr(fd), true); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// keepDir fails when the directory is there no more. One that has lost only its
// lock, a small old file, is locked again: else nobody would ever sweep it.
func keepDir(dir string) error {
	// Whoever finds the name free may have made another directory of it.
	if err := Private(dir); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, "lock")); err == nil {
		return nil
	}
	return lockDir(dir)
}

// Private fails unless path is a directory of this user's that nobody else can get at.
func Private(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	reason := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		reason = "is a symbolic link"
	case !info.IsDir():
		reason = "is not a directory"
	case !ownedByUs(info):
		reason = "belongs to another user"
	case info.Mode().Perm()&0o077 != 0:
		reason = "is open to others"
	default:
		return nil
	}
	return fmt.Errorf("%s %s: only a directory of this user's that is closed to others (0700) can be used; move it away", path, reason)
}

// lockFree reports whether a lock file is there and nobody holds it. A directory
// without one is being made.
func lockFree(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return flock.Try(f.Fd(), true) == nil
}

func ownedByUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}
