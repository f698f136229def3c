package flock

import (
	"errors"

	"golang.org/x/sys/windows"
)

// region is a byte far behind every end: locks are mandatory on Windows, and one
// on the content would stop those who read it.
func region() *windows.Overlapped { return &windows.Overlapped{OffsetHigh: 1 << 30} }

func try(fd uintptr, exclusive bool) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	return windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, region())
}

func unlock(fd uintptr) { _ = windows.UnlockFileEx(windows.Handle(fd), 0, 1, 0, region()) }

func held(err error) bool { return errors.Is(err, windows.ERROR_LOCK_VIOLATION) }

func unsupported(err error) bool {
	return errors.Is(err, windows.ERROR_NOT_SUPPORTED) || errors.Is(err, windows.ERROR_INVALID_FUNCTION)
}
