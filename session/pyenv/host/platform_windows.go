package host

import (
	"errors"
	"os"
	"os/exec"

	"golang.org/x/sys/windows"
)

// Names that differ by operating system.
const (
	binName   = "Scripts" // a venv's directory of programs
	ExeSuffix = ".exe"
)

func setGroup(cmd *exec.Cmd) {}

func killGroup(p *os.Process) { _ = p.Kill() }

// tryLock takes an exclusive lock that ends with the file's closing or the
// process's death.
func tryLock(file *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// Writable reports whether a file may be written to as far as its attributes say.
func Writable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && (info.IsDir() || info.Mode().Perm()&0o200 != 0)
}

// shareLock takes a lock that others may share, and that no tryLock gets past.
func shareLock(file *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// noLocks reports whether a lock's error says that the file system has none.
func noLocks(err error) bool {
	return errors.Is(err, windows.ERROR_NOT_SUPPORTED) || errors.Is(err, windows.ERROR_INVALID_FUNCTION)
}

// alive reports whether there is a process of that id.
func alive(pid int) bool {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return !errors.Is(err, windows.ERROR_INVALID_PARAMETER)
	}
	_ = windows.CloseHandle(h)
	return true
}
