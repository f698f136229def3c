package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
)

// collectOrphans reaps what others leave while this is process 1 of a container:
// nobody else does, and the container has room for few processes. It returns at
// once; its goroutine ends with ctx.
func collectOrphans(ctx context.Context, reaper *guard.Reaper) {
	if os.Getpid() != 1 {
		return
	}
	ended := make(chan os.Signal, 1)
	notifyEnds(ended)
	go func() {
		defer signal.Stop(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-ended:
				reaper.Collect()
			}
		}
	}()
}
