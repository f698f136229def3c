//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyEnds sends to c when a child has ended.
func notifyEnds(c chan<- os.Signal) { signal.Notify(c, syscall.SIGCHLD) }
