//go:build linux || darwin

package guard

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// termGrace is the time between SIGTERM and SIGKILL in Run.
const termGrace = 500 * time.Millisecond

// Run runs a helper program (a probe, an installer) to its end under a guard
// of its own, in a session without a terminal. Nothing the helper started
// outlives Run or the server. When ctx ends first, the helper's group gets
// SIGTERM, half a second to tidy up, then everything SIGKILL, and the error is
// the context's cause; otherwise it is that of [exec.Cmd.Wait], with a helper
// ended by signal n as exit status 128+n.
//
// cmd is not started itself: of its fields Path, Args[1:], Env, Dir, Stdin,
// Stdout, Stderr and WaitDelay are used, and ProcessState is set. The guard is
// the running binary, so a test binary must call [Main] in its TestMain.
func (r *Reaper) Run(ctx context.Context, cmd *exec.Cmd) error { return r.RunConfined(ctx, cmd, nil) }

// RunConfined is Run in a sandbox; a nil plan is none. One that cannot be made is a
// *[confine.Refused].
func (r *Reaper) RunConfined(ctx context.Context, cmd *exec.Cmd, plan *confine.Plan) error {
	switch {
	case cmd.Err != nil:
		return cmd.Err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	p := newProcess(r)
	if err := p.startHelper(cmd, plan); err != nil {
		return fmt.Errorf("starting guard: %w", err)
	}
	if err := p.awaitStart(ctx, cmd.Path); err != nil {
		return err
	}
	var ctxErr error
	select {
	case <-p.done:
	case <-ctx.Done():
		ctxErr = context.Cause(ctx)
		p.Terminate()
		t := time.NewTimer(termGrace)
		defer t.Stop()
		select {
		case <-p.done:
		case <-t.C:
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	cmd.ProcessState = p.cmd.ProcessState
	if ctxErr != nil {
		return ctxErr
	}
	return p.waitErr
}

// startHelper starts the guard with the helper's own files as its first three;
// commands and reports move up.
func (p *Process) startHelper(helper *exec.Cmd, plan *confine.Plan) error {
	commandsEnd, reportsEnd, reports, err := p.pipes()
	if err != nil {
		return err
	}
	defer commandsEnd.Close()
	defer reportsEnd.Close()
	argv := append([]string{helperFlag, "--", helper.Path}, helper.Args[min(1, len(helper.Args)):]...)
	env := helper.Environ()
	p.cmd = guardCommand(argv, env)
	p.cmd.Dir, p.cmd.WaitDelay = helper.Dir, helper.WaitDelay
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = helper.Stdin, helper.Stdout, helper.Stderr
	p.cmd.ExtraFiles = []*os.File{commandsEnd, reportsEnd}
	if p.cmd.WaitDelay == 0 {
		p.cmd.WaitDelay = time.Second // something we could not kill may hold its pipes
	}
	if plan != nil {
		return p.startConfined(*plan, reports)
	}
	return p.start(reports)
}
