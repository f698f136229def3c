package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// advice replaces what an error alone would say; empty fields replace nothing.
type advice struct{ cause, command string }

// explainFailure tells a person in a terminal why something failed, and the
// command or the change that fixes it. It always knows something to do.
func explainFailure(err error) (cause, command string) {
	var (
		wrong     *host.ConfigError
		missing   *pyenv.NotFoundError
		ambiguous *pyenv.AmbiguousError
		broken    *pyenv.BrokenError
		kernel    *provision.KernelMissingError
		storage   *codefile.StorageError
		start     *session.StartError
		sandbox   *session.SandboxError
		forbidden *install.ForbiddenError
	)
	switch {
	case errors.As(err, &sandbox):
		return "the sandbox cannot be enforced: " + sandbox.Reason, sandbox.Next
	case errors.As(err, &forbidden):
		return forbidden.Reason, forbidden.Allow
	case errors.As(err, &wrong):
		cause = strings.TrimSuffix(wrong.Error(), ": "+wrong.Fix)
		return cause, wrong.Fix
	case errors.As(err, &kernel):
		return strings.TrimSuffix(kernel.Error(), "; run: "+kernel.Command), kernel.Command
	case errors.As(err, &storage):
		return strings.TrimSuffix(storage.Error(), "; "+storage.Fix), fixStorage(storage)
	case errors.As(err, &broken):
		cause := strings.TrimRight(strings.TrimSuffix(err.Error(), broken.Fix), "; \n")
		return cause, fixBroken(broken)
	case errors.As(err, &ambiguous):
		return err.Error(), "set CONDA_ENV_NAME to the path of the one you mean: CONDA_ENV_NAME=" + first(ambiguous.Prefixes)
	case errors.As(err, &missing):
		return err.Error(), fixNotFound(missing)
	case errors.As(err, &start):
		return explainStart(start), "try it by hand: python -m ipykernel_launcher --version"
	case errors.Is(err, syscall.ENOSPC):
		return err.Error(), "free some space on that disk: df -h"
	}
	return err.Error(), "LOG_LEVEL=debug mcp-code-executor </dev/null shows more"
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func fixNotFound(e *pyenv.NotFoundError) string {
	switch {
	case strings.HasPrefix(e.Kind, "base Python"):
		return "install Python 3.10 or newer with venv (Debian: apt install python3-venv), or uv (https://docs.astral.sh/uv), or choose an environment: VENV_PATH=…"
	case e.Kind == string(kinds.Conda) && e.Near != "":
		return "CONDA_ENV_NAME=" + e.Near
	case e.Kind == string(kinds.Conda):
		return "conda create -n " + e.Name + " python ipykernel"
	case e.Near != "":
		return "VENV_PATH=" + e.Near
	}
	return "python3 -m venv " + e.Name
}

func fixBroken(e *pyenv.BrokenError) string {
	text := e.Error()
	switch {
	case strings.Contains(text, "No space left on device") || errors.Is(e, syscall.ENOSPC):
		return "free some space on that disk: df -h"
	case isNetwork(text):
		return "check the network, a proxy (HTTPS_PROXY) and the package index (PIP_INDEX_URL or UV_DEFAULT_INDEX); or choose an environment that has ipykernel: VENV_PATH=…"
	case errors.Is(e, syscall.ENOEXEC) || strings.Contains(text, "exec format error"):
		return strings.TrimSpace(e.Fix + " (its Python is for another processor: make it with a Python of this machine)")
	case e.Fix == "":
		return "give the directory of another environment, or its python: VENV_PATH=…"
	}
	return e.Fix
}

// isNetwork reports whether an installer's last lines speak of a network that
// was not reached.
func isNetwork(text string) bool {
	text = strings.ToLower(text)
	for _, sign := range []string{"connection refused", "connection error", "error sending request", "failed to fetch", "dns error",
		"name resolution", "network is unreachable", "max retries exceeded", "failed to establish a new connection",
		"could not connect", "timed out", "no matching distribution"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func fixStorage(e *codefile.StorageError) string {
	switch {
	case errors.Is(e, syscall.ENOSPC) || errors.Is(e, syscall.EDQUOT):
		return "free some space there (df -h " + e.Path + "), or set CODE_STORAGE_DIR to a directory on another disk"
	case errors.Is(e, syscall.EROFS):
		return "set CODE_STORAGE_DIR to a directory that is not mounted read-only"
	case errors.Is(e, fs.ErrPermission) && isThere(e.Path):
		return fmt.Sprintf("sudo chown -R %d %s, or set CODE_STORAGE_DIR to a directory of yours", os.Getuid(), e.Path)
	case e.Fix == "" || errors.Is(e, fs.ErrPermission):
		return "set CODE_STORAGE_DIR to a directory you can write to"
	}
	return e.Fix
}

// explainStart is why a kernel did not start, with the last lines it wrote.
func explainStart(e *session.StartError) string {
	if e.Exit == nil {
		return fmt.Sprintf("the kernel did not start: %s: %v", e.Phase, e.Err)
	}
	return fmt.Sprintf("the kernel's process ended while starting (%s):\n%s", e.Exit, host.LastLines(string(e.Exit.Tail), 4))
}
