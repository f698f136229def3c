//go:build unix

package keep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// Background is the background server that a front has started: a process of its own
// session, which says when it is ready. It returns the exit status when ctx has
// ended, or nobody needs it any more.
func Background(ctx context.Context, o Options) int {
	syscall.CloseOnExec(readyFD) // else every kernel would have it
	tell := os.NewFile(readyFD, "ready")
	_, _ = syscall.Setsid() // the shell that started it led its group
	b, err := assemble(o, false)
	switch {
	case err != nil:
		fmt.Fprintf(tell, "%v\n", err)
		fmt.Fprintln(o.Stderr, "mcp-code-executor:", err)
		tell.Close()
		return 1
	case b == nil:
		fmt.Fprint(tell, ready) // another one lives
		tell.Close()
		return 0
	}
	_, _ = io.WriteString(tell, ready)
	tell.Close()
	b.serve(ctx)
	return 0
}

// Stay is a background server in the foreground, for the first process of a container
// and for services: it goes on without fronts and sessions until ctx ends.
func Stay(ctx context.Context, o Options, ready func(parts *server.Parts, workDir string)) error {
	b, err := assemble(o, true)
	if err != nil {
		return err
	}
	if b == nil {
		return errors.New("a background server for these settings is there already; \"mcp-code-executor ps\" shows it")
	}
	ready(b.parts, b.address.WorkDir)
	b.serve(ctx)
	return nil
}

func assemble(o Options, stays bool) (*background, error) {
	level := new(slog.LevelVar)
	level.Set(settings.Read(o.Getenv).LogLevel)
	to := &bounded{}
	log := slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
	b, err := newBackground(o, level, log, stays)
	if b != nil {
		b.openLog = func() { to.open(b.address.Log) }
		b.openLog()
	}
	return b, err
}

// serve runs the server to its end.
func (b *background) serve(ctx context.Context) {
	b.run(ctx)
	// Those who wait for the end are told.
	told := make(chan struct{})
	go func() { b.conns.Wait(); close(told) }()
	select {
	case <-told:
	case <-time.After(time.Second):
	}
}
