package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// sshTime bounds the question to the other machine.
const sshTime = 30 * time.Second

// PrintSSH is Print for a server on another machine, which the client starts over
// ssh. It asks that machine where the program is.
func (c Client) PrintSSH(ctx context.Context, host string, getenv func(string) string, stdout, stderr io.Writer) int {
	e, err := overSSH(ctx, host, getenv)
	if err != nil {
		fmt.Fprintln(stderr, "mcp-code-executor config:", err)
		return 1
	}
	c.tell(e, Here(getenv), stderr)
	fmt.Fprint(stdout, c.snippet(e))
	if getenv("KEEP") == "" {
		fmt.Fprintf(stderr, "\nWith --keep 8h, sessions there outlive a broken connection.\n")
	}
	tellProblems(getenv, stderr)
	return 0
}

// overSSH is the entry of a server on another machine. ssh hands over neither
// variables nor PATH: the settings are flags, quoted for the shell there.
func overSSH(ctx context.Context, host string, getenv func(string) string) (Entry, error) {
	if host == "" || strings.HasPrefix(host, "-") || strings.ContainsAny(host, " \t\n'\"") {
		return Entry{}, fmt.Errorf("--ssh %q: give a host as ssh takes it, such as ana@bigbox", host)
	}
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		return Entry{}, err
	}
	options := []string{"-T", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15"}
	program, err := askSSH(ctx, ssh, append(options[:len(options):len(options)], host))
	if err != nil {
		return Entry{}, fmt.Errorf("asking %s where mcp-code-executor is: %w", host, err)
	}
	e := Entry{Command: ssh, Args: append(options, host, quoteShell(program))}
	for _, s := range settings.Table() {
		if value := strings.TrimSpace(getenv(s.Name)); value != "" {
			e.Args = append(e.Args, "--"+s.Flag(), quoteShell(value))
		}
	}
	return e, nil
}

// askSSH asks for the program's path. What start-up files of the shell there print
// comes before the answer.
func askSSH(ctx context.Context, ssh string, args []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sshTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, ssh, append(args, "command -v mcp-code-executor || ls ~/.local/bin/mcp-code-executor ~/bin/mcp-code-executor 2>/dev/null")...).Output()
	found := ""
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") && strings.HasSuffix(line, "/mcp-code-executor") {
			found = line
		}
	}
	if found != "" {
		return found, nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 255 { // ssh's own
		return "", errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil && ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", errors.New("it is not on the PATH of a login without a terminal there, nor in ~/.local/bin or ~/bin: install it there")
}
