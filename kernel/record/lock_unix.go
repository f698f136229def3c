//go:build !windows

package record

import (
	"os"
	"syscall"
)

// tryLock locks f at once or fails. The lock belongs to the open file: it goes
// when f is closed or the process dies, and conflicts with one taken through
// another open file even in the same process.
func tryLock(f *os.File, exclusive bool) error {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}
