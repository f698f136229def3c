package confine

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Enter is called in the sandbox that bubblewrap has made, by the thread that is to
// start the program: it tries what must not work, and then lets go of the system calls
// that no code there needs. It cannot be undone. When bubblewrap's own process, which
// waits outside, is ended, so is this one with all that is in the sandbox: nobody would
// look for it there.
func Enter(c Check) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("following bubblewrap: %w", err)
	}
	if c.Abstract {
		if err := scopeAbstract(); err != nil {
			return err
		}
	}
	if err := c.Try(); err != nil {
		return err
	}
	return loadFilter(filter(), unix.SECCOMP_FILTER_FLAG_TSYNC)
}

// Abstract returns nil where the system can cut a process off from abstract unix
// sockets of others, though it shares their network.
func Abstract() error {
	switch abi := LandlockABI(); {
	case abi == 0:
		return errors.New("this system has no Landlock")
	case abi < scopeABI:
		return fmt.Errorf("the Landlock of this system is version %d, and 6 (Linux 6.12) is needed", abi)
	}
	return nil
}

// scopeAbstract cuts this thread, and what it starts, off from the abstract sockets
// outside: the X server's, and the session bus of some.
func scopeAbstract() error {
	if err := Abstract(); err != nil {
		return err
	}
	set, err := newRuleset(unix.LandlockRulesetAttr{Scoped: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET})
	if err != nil {
		return err
	}
	defer unix.Close(set)
	return restrictSelf(set)
}

// loadFilter puts a filter before this thread; the flag SECCOMP_FILTER_FLAG_TSYNC puts
// it before all of the process.
func loadFilter(filter []unix.SockFilter, flags uintptr) error {
	if filter == nil {
		return errors.New("there is no filter of system calls for this processor")
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("filtering system calls: %w", err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("filtering system calls: %w", errno)
	}
	return nil
}

// Seal keeps what runs in the sandbox from this process: its memory, its files. It also
// takes most of its own files in /proc away.
func Seal() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// reaches reports whether a process can be sent signals.
func reaches(pid int) bool { return unix.Kill(pid, 0) == nil }
