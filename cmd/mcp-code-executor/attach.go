package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
)

func (a *app) attach() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "attach [SESSION] [--print]",
		Short: "join a session's kernel with jupyter console",
		Long: `Opens jupyter console on the kernel of a session, whose server runs with
SHARE=on. With --print, or where there is no jupyter console, it says how to
join the kernel with a console, JupyterLab or VS Code.`,
		Args: atMostOne,
	}
	words := cmd.Flags().Bool("print", false, "say how to join the kernel, and open nothing")
	cmd.RunE = func(c *cobra.Command, args []string) error {
		getenv := a.settings(c)
		session := strings.Join(args, "")
		dir, files := server.Shared(c.Context(), getenv, session)
		switch {
		case len(files) == 0 && session == "":
			return fmt.Errorf("no kernel is shared: no connection file mcp-code-executor-*.json of a kernel that runs lies in %s. Set SHARE=on for the server, and let a session run something", dir)
		case len(files) == 0:
			return fmt.Errorf("session %q is not shared: no connection file mcp-code-executor-*.json of it lies in %s. Set SHARE=on for the server, and let the session run something", session, dir)
		case len(files) > 1 && !*words:
			return fmt.Errorf("several kernels are shared: name the session, or open one with jupyter console --existing FILE:\n%s", strings.Join(files, "\n"))
		}
		console := findConsole(getenv)
		if *words || console == "" {
			a.printJoin(files, console)
			return nil
		}
		return a.openConsole(console, files[0])
	}
	return cmd
}

// findConsole is the first jupyter console in PATH, "" for none.
func findConsole(getenv func(string) string) string {
	name := "jupyter-console"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		program := filepath.Join(dir, name)
		if info, err := os.Stat(program); err == nil && info.Mode().IsRegular() {
			return program
		}
	}
	return ""
}

// openConsole runs jupyter console on a connection file. Ctrl-C is the console's affair.
func (a *app) openConsole(program, file string) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	console := exec.Command(program, "--existing", file)
	console.Stdin, console.Stdout, console.Stderr = a.stdin, a.stdout, a.stderr
	err := console.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exitStatus(max(1, exit.ExitCode())) // the console has said why
	}
	return err
}

// printJoin says how the kernels of connection files are joined.
func (a *app) printJoin(files []string, console string) {
	install := ""
	if console == "" {
		install = " (not in PATH: pip install jupyter-console)"
	}
	fmt.Fprintf(a.stdout, "jupyter console%s:\n", install)
	for _, file := range files {
		fmt.Fprintf(a.stdout, "  jupyter console --existing %s\n", quoteFile(file))
	}
	fmt.Fprint(a.stdout, `JupyterLab, unless the server has a sandbox:
  jupyter lab --ServerApp.allow_external_kernels=True
  The kernel is in the list of running kernels. A right click there opens a
  notebook on it.
VS Code: start JupyterLab as above. In a notebook choose Select Kernel, Existing
  Jupyter Server, the address that JupyterLab prints, and the running kernel.
`)
}

// quoteFile is a path for a shell.
func quoteFile(path string) string {
	if strings.ContainsAny(path, " '\"$&;()*?\\") && runtime.GOOS != "windows" {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
