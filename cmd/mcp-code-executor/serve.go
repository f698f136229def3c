package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/terminal"
)

// shutdownTime is how long kernels may take to exit after the client has gone:
// with the half second for calls in flight the whole stays below 1.5 s, before
// any client sends a signal.
const shutdownTime = 700 * time.Millisecond

// serve runs the server on stdin and stdout until the client goes, a signal comes,
// or the launcher that started it is gone.
func (a *app) serve(ctx context.Context, getenv func(string) string) int {
	s := settings.Read(getenv)
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: s.LogLevel}))
	for _, problem := range s.Sentences() {
		log.Warn(problem)
	}
	var notices []string
	if a.notice != "" {
		log.Warn(a.notice)
		notices = append(notices, a.notice)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, leave := whileLauncherLives(ctx, getenv)
	defer leave()
	parts, err := server.Assemble(getenv, version, log, notices...)
	if err != nil {
		fmt.Fprintln(a.stderr, "mcp-code-executor:", err)
		return 1
	}
	collectOrphans(ctx, parts.Reaper)
	stdin := a.stdin
	if f, ok := stdin.(*os.File); ok {
		greet(f, a.stderr)
		stdin = pollable(f)
	}
	err = parts.Server.Serve(ctx, stdin, a.stdout)
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Warn("connection ended", "err", err)
	}
	// After a signal there is no time for politeness: a host sends SIGKILL
	// 0.35 s after SIGTERM.
	polite, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	parts.Close(polite)
	return 0
}

// greet tells a person who has started the server by hand what it waits for.
func greet(stdin *os.File, stderr io.Writer) {
	if terminal.Is(stdin) {
		fmt.Fprint(stderr, `This is an MCP server: it waits here for an MCP client's messages. Ctrl-D ends it.
"mcp-code-executor config CLIENT" prints what a client needs, "doctor" tries everything, "help" says more.
`)
	}
}
