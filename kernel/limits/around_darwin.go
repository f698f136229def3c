package limits

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Around runs fork so that what it starts is limited. Of the limits only that of a
// file's size is to be had on macOS; [Can] says so.
func Around(h Held, fork func() (pid int, err error)) (pid int, err error) {
	if h.FileSize == 0 {
		return fork()
	}
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return 0, fmt.Errorf("reading a resource limit: %w", err)
	}
	now := unix.Rlimit{Cur: min(uint64(h.FileSize), old.Cur), Max: old.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &now); err != nil {
		return 0, fmt.Errorf("setting a resource limit: %w", err)
	}
	defer unix.Setrlimit(unix.RLIMIT_FSIZE, &old)
	return fork()
}

// Can reports whether a limit of this kind can be held on this system.
func Can(k Kind) bool { return k == FileSize }
