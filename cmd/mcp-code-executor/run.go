package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
)

// exitUsage is the exit status of a wrong command line.
const exitUsage = 2

// shutdownTime is how long kernels may take to exit after the client has gone:
// with the half second for calls in flight the whole stays below 1.5 s, before
// any client sends a signal.
const shutdownTime = 700 * time.Millisecond

// run is the program without its globals. It returns the exit status.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "guard" {
		return guard.Main(args[1:])
	}
	if len(args) > 0 && args[0] == "doctor" {
		return runDoctor(ctx, args[1:], getenv, stdout, stderr)
	}
	if len(args) > 0 && args[0] == "config" {
		return runConfig(args[1:], getenv, stdout, stderr)
	}
	if len(args) > 0 && args[0] == "environment" {
		return runEnvironment(ctx, args[1:], getenv, stdout, stderr)
	}
	flags := flag.NewFlagSet("mcp-code-executor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	version := flags.Bool("version", false, "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return exitUsage
	}
	if *version {
		fmt.Fprintln(stdout, versionLine())
		return 0
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "mcp-code-executor: unknown command %q\n\n%s", flags.Arg(0), usage)
		return exitUsage
	}
	return serve(ctx, getenv, stdin, stdout, stderr)
}

const usage = `usage: mcp-code-executor [--version]
       mcp-code-executor doctor [--fix] [--json] [--env TYPE=VALUE]
       mcp-code-executor config CLIENT
       mcp-code-executor environment [remove]

An MCP server on stdin and stdout that gives a model a persistent Python.
It is started by an MCP client. doctor tries everything and says what to mend;
config prints the entry for claude-desktop, claude-code, cursor, vscode, codex;
environment shows, or removes, what the program made. Settings are variables:

  CODE_STORAGE_DIR   where code files are kept and code runs
  ENV_TYPE           conda, venv or venv-uv
  CONDA_ENV_NAME     with conda: the environment's name or path
  VENV_PATH          with venv: the environment's directory
  UV_VENV_PATH       with venv-uv: the environment's directory
  KERNEL_INSTALL     where ipykernel is missing: auto, env, sidecar or never
  UV_INSTALL         never: do not fetch uv where it is missing
  ENV_DENY           names or patterns of variables to keep from code: AWS_*
  HISTORY            off: keep no record of what ran after the server's end
  PRELUDE            off: leave the display settings of pandas and numpy alone
  SESSION_IDLE_LIMIT end the kernel of a session idle so long (30m); else never
  LOG_LEVEL          debug, info, warn (default) or error, on stderr
`

// serve runs the server on stdin and stdout until the client goes or a signal comes.
func serve(ctx context.Context, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	log := newLogger(getenv("LOG_LEVEL"), stderr)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	parts, err := assemble(getenv, log)
	if err != nil {
		fmt.Fprintln(stderr, "mcp-code-executor:", err)
		return 1
	}
	collectOrphans(ctx, parts.reaper)
	if f, ok := stdin.(*os.File); ok {
		stdin = pollable(f)
	}
	err = parts.server.Serve(ctx, stdin, stdout)
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Warn("connection ended", "err", err)
	}
	// After a signal there is no time for politeness: a host sends SIGKILL
	// 0.35 s after SIGTERM.
	polite, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	parts.close(polite)
	return 0
}

func newLogger(level string, w io.Writer) *slog.Logger {
	l := slog.LevelWarn
	if level != "" {
		if err := l.UnmarshalText([]byte(level)); err != nil {
			l = slog.LevelWarn
		}
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}
