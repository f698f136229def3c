//go:build unix

package main

import (
	"os"
	"syscall"
)

// pollable returns f as a file that Go's poller waits for, when it is a pipe or
// a socket: a goroutine that is blocked in read(2) instead costs each call a
// change of threads, some 5 % of a warm one. The descriptor is a copy, but
// O_NONBLOCK belongs to the open file: for a terminal, which is shared with
// others, it stays as it is.
func pollable(f *os.File) *os.File {
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return f
	}
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return f
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return f
	}
	return os.NewFile(uintptr(fd), f.Name())
}
