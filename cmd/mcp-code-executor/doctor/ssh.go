package doctor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
)

// sshTime bounds the try of a server on another machine.
const sshTime = 30 * time.Second

// maxChatter bounds what may come before the first message, in bytes.
const maxChatter = 64 << 10

// isOverSSH reports whether an entry starts this program on another machine.
func isOverSSH(e config.Entry) bool {
	program := strings.TrimSuffix(filepath.Base(e.Command), ".exe")
	return program == "ssh" && slices.ContainsFunc(e.Args, func(arg string) bool { return strings.Contains(arg, "mcp-code-executor") })
}

// checkSSH tries an entry that starts the server on another machine, as the client
// does: with few variables, and nobody there who could type a password.
func (d *doctor) checkSSH(ctx context.Context, step, where string, e config.Entry) {
	d.progress.Say("starting the server over ssh")
	version, chatter, err := d.trySSH(ctx, e)
	switch {
	case err != nil:
		d.report.warn(step, where+err.Error(), d.sshFix(e, err))
	case chatter != "":
		d.report.warn(step, fmt.Sprintf("%sversion %s answers over ssh, but a login there prints before the first message: %s", where, version, config.Quote(chatter)),
			"most clients pass over such lines; to be sure, let the shell's start-up files there print nothing when there is no terminal")
	default:
		d.report.ok(step, "%sright: version %s answers over ssh", where, version)
	}
}

// sshFix is what to do about an error of ssh's.
func (d *doctor) sshFix(e config.Entry, err error) string {
	agent := d.getenv("SSH_AUTH_SOCK") != "" && e.Env["SSH_AUTH_SOCK"] == ""
	switch {
	case strings.Contains(err.Error(), "Permission denied") && agent:
		return "name your agent's socket in ~/.ssh/config (IdentityAgent): clients do not pass on SSH_AUTH_SOCK"
	case strings.Contains(err.Error(), "Permission denied"):
		return "log in with a key that needs no password"
	case strings.Contains(err.Error(), "Host key verification failed"):
		return "log in once by hand, to accept the host's key"
	}
	return "see docs/remote.md; mcp-code-executor config CLIENT --ssh HOST prints a right entry"
}

// trySSH starts the entry and shakes hands. What comes before the first message is a
// login's chatter.
func (d *doctor) trySSH(ctx context.Context, e config.Entry) (version, chatter string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sshTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Command, append([]string{"-o", "BatchMode=yes"}, e.Args...)...)
	for _, name := range bareVariables() {
		cmd.Env = append(cmd.Env, name+"="+d.getenv(name))
	}
	for name, value := range e.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var errs bytes.Buffer
	cmd.Stderr, cmd.WaitDelay = &errs, time.Second
	stdin, inErr := cmd.StdinPipe()
	stdout, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, d.parts.Reaper.Start(cmd)); err != nil {
		return "", "", err
	}
	_, _ = io.WriteString(stdin, initialize) // who has ended says why
	answer, chatter := firstMessage(stdout)
	stdin.Close()
	_, _ = io.Copy(io.Discard, stdout)
	err = d.parts.Reaper.Wait(cmd)
	var reply struct {
		Result struct{ ServerInfo struct{ Version string } }
	}
	if json.Unmarshal(answer, &reply) == nil && reply.Result.ServerInfo.Version != "" {
		return reply.Result.ServerInfo.Version, chatter, nil
	}
	said := strings.TrimSpace(chatter + "\n" + errs.String())
	switch {
	case ctx.Err() != nil:
		return "", "", fmt.Errorf("no answer within %s over ssh: %s", sshTime, said)
	case said == "" && err != nil:
		return "", "", fmt.Errorf("ssh: %w", err)
	case said == "":
		said = fmt.Sprintf("%q is no answer", answer)
	}
	return "", "", errors.New(said)
}

// firstMessage reads to the first line that can be a message, and returns the lines
// before it as well.
func firstMessage(r io.Reader) (message []byte, chatter string) {
	lines := bufio.NewReader(r)
	for len(chatter) < maxChatter {
		line, err := lines.ReadBytes('\n')
		if bytes.HasPrefix(line, []byte("{")) {
			return line, strings.TrimSpace(chatter)
		}
		chatter += string(line)
		if err != nil {
			break
		}
	}
	return nil, strings.TrimSpace(chatter)
}
