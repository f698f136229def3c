package record

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks f at once or fails. The lock belongs to the handle: it goes when
// f is closed or the process dies.
func tryLock(f *os.File, exclusive bool) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}
