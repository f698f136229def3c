//go:build unix

package flock

import (
	"errors"

	"golang.org/x/sys/unix"
)

func try(fd uintptr, exclusive bool) error {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	for {
		if err := unix.Flock(int(fd), how|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func unlock(fd uintptr) { _ = unix.Flock(int(fd), unix.LOCK_UN) }

func held(err error) bool { return errors.Is(err, unix.EWOULDBLOCK) }

func unsupported(err error) bool {
	return errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS)
}
