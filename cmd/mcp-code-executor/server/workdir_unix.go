//go:build unix

package server

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// usable reports whether a directory is there, writable, and the user's: owned by
// the user, or not open to everybody as /tmp is.
func usable(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || unix.Access(dir, unix.W_OK|unix.X_OK) != nil {
		return false
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Getuid() || info.Mode().Perm()&0o002 == 0
}
