// Command mcp-code-executor is an MCP server that gives a model a persistent
// Python: an ipykernel in the environment the user chose.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/keep"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
)

func main() {
	// A client that closes our stdout must not kill us before the kernels are gone.
	signal.Ignore(syscall.SIGPIPE)
	// Half a megabyte less beside each client, for a collection of a millisecond in
	// 27 calls instead of one in 56.
	debug.SetGCPercent(50)
	// The guard stands before the commands: it parses nothing, and one runs beside
	// each kernel.
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		os.Exit(guard.Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == keep.BackgroundCommand {
		os.Exit(background(os.Args[2:]))
	}
	// So does the front, one of which runs beside each client that keeps sessions.
	notice := ""
	if getenv, ok := keeping(os.Args[1:], os.Getenv); ok {
		status, err := front(getenv, os.Stdin)
		if err == nil {
			os.Exit(status)
		}
		notice = "KEEP has no effect, so sessions end with this server: " + err.Error()
	}
	os.Exit(runNoting(context.Background(), notice, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}
