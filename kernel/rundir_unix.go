//go:build unix

package kernel

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// lockRunDir takes the lock that says the directory is in use. The descriptor
// is held until the process ends, however it ends. The file gets its name when it
// is locked: a server that starts at the same moment would sweep the directory.
func lockRunDir(dir string) error {
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
