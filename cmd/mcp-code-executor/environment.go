package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
)

// removeTime bounds the waiting for a server that is just making something.
const removeTime = 10 * time.Second

// showOwned shows what this program has made, and removes it when that is asked
// for. It returns the exit status: 1 when something was not removed.
func showOwned(ctx context.Context, remove bool, getenv func(string) string, stdout io.Writer) int {
	provisioner := server.NewProvisioner(getenv, nil, nil, nil)
	owned := provisioner.Owned()
	if len(owned) == 0 {
		fmt.Fprintf(stdout, "nothing that this program has made is in %s\n", server.FindPlaces(getenv).Data)
		return 0
	}
	status := 0
	var freed, shared int64
	for _, o := range owned {
		use := ""
		if o.Shared > 0 {
			use = fmt.Sprintf(", %s of it shared with uv's cache", megabytes(o.Shared))
		}
		if o.InUse {
			use += ", in use"
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
		freed += o.Bytes - o.Shared
		shared += o.Shared
	}
	if remove {
		fmt.Fprintf(stdout, "freed %s\n", megabytes(freed))
		if shared > 0 {
			fmt.Fprintf(stdout, "%s more are in uv's cache as well: `uv cache clean` frees them, or deleting %s\n", megabytes(shared), uvCache(getenv))
		}
	}
	return status
}

// uvCache is where uv keeps its cache: who has only the uv that was just removed has
// no other way to empty it.
func uvCache(getenv func(string) string) string {
	if set := getenv("UV_CACHE_DIR"); set != "" {
		return set
	}
	if dir := getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "uv")
	}
	if dir := getenv("LOCALAPPDATA"); runtime.GOOS == "windows" && dir != "" {
		return filepath.Join(dir, "uv", "cache")
	}
	return filepath.Join(server.HomeDir(getenv), ".cache", "uv")
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
