//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"syscall"
)

// launcherVariable is how the launcher of the npm package names itself: it holds
// the number of a descriptor, a pipe whose other end is the launcher's.
const launcherVariable = "MCE_LAUNCHER"

// whileLauncherLives returns a context that also ends when the launcher that
// started this server is gone. A launcher that is killed can tell nobody, and stdin
// is the client's, which may stay open. leave ends the goroutine that waits.
func whileLauncherLives(ctx context.Context, getenv func(string) string) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	pipe := launcherPipe(getenv)
	if pipe == nil {
		return ctx, cancel
	}
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, pipe) // nothing is written; it ends with the launcher
	}()
	return ctx, func() {
		cancel()
		pipe.Close()
	}
}

// launcherPipe is the pipe to the launcher, or nil. What we start has another
// launcher: it gets neither the pipe nor the variable. Whatever else lies behind the
// number, after a program that passed the variable on, is left alone.
func launcherPipe(getenv func(string) string) *os.File {
	fd, err := strconv.Atoi(getenv(launcherVariable))
	os.Unsetenv(launcherVariable)
	var info syscall.Stat_t
	if err != nil || fd <= 2 || syscall.Fstat(fd, &info) != nil {
		return nil
	}
	if kind := info.Mode & syscall.S_IFMT; kind != syscall.S_IFIFO && kind != syscall.S_IFSOCK {
		return nil
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil { // so that Close ends the read
		return nil
	}
	return os.NewFile(uintptr(fd), "launcher")
}
