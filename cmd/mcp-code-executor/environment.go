package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

const environmentUsage = `usage: mcp-code-executor environment [remove]

Shows what this program has made in its data directory: the managed environment,
kernels put beside environments that have none, and uv. remove removes all of it
that no running server uses; it is made again when it is needed.
`

// removeTime bounds the waiting for a server that is just making something.
const removeTime = 10 * time.Second

// runEnvironment is the subcommand. It returns the exit status: 1 when something
// was not removed.
func runEnvironment(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	remove := len(args) == 1 && args[0] == "remove"
	if len(args) > 0 && !remove {
		fmt.Fprint(stderr, environmentUsage)
		if args[0] == "-h" || args[0] == "--help" {
			return 0
		}
		return exitUsage
	}
	dirs := directories(getenv)
	provisioner := provision.New(&host.Host{Getenv: getenv, Home: dirs.home, DataDir: dirs.data})
	owned := provisioner.Owned()
	if len(owned) == 0 {
		fmt.Fprintf(stdout, "nothing was made yet in %s\n", dirs.data)
		return 0
	}
	status := 0
	var freed int64
	for _, o := range owned {
		use := ""
		if o.InUse {
			use = ", in use"
		}
		fmt.Fprintf(stdout, "%s (%s%s)\n    %s\n    %s\n", o.Kind, megabytes(o.Bytes), use, o.Path, o.Detail)
		if !remove {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, removeTime)
		err := provisioner.Remove(limited, o)
		cancel()
		if err != nil {
			fmt.Fprintf(stdout, "    not removed: %v\n", err)
			status = 1
			continue
		}
		fmt.Fprintln(stdout, "    removed")
		freed += o.Bytes
	}
	if remove {
		fmt.Fprintf(stdout, "freed %s\n", megabytes(freed))
	}
	return status
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
