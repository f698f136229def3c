package kernel

import (
	"context"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// Interrupt stops the execution in flight and reports whether it did: true only
// when the execution has ended and the shell channel answers again. A signal's
// delivery proves nothing. It sends SIGINT to the kernel's process group, once
// more after 2 s, and gives up after 3 s more; ctx can end the waiting earlier.
// Nothing in flight is a proof already.
func (k *Kernel) Interrupt(ctx context.Context) (stopped bool, err error) {
	e := k.Current()
	if e == nil {
		return true, nil
	}
	k.mu.Lock()
	e.interrupted = true
	k.mu.Unlock()
	for _, patience := range []time.Duration{interruptSecond, interruptLast} {
		if err := k.process.Interrupt(); err != nil {
			return false, err
		}
		// A kernel in a top-level await wakes up only when something arrives on
		// shell (ipykernel issue 881); our launcher mends that, this is for one
		// whose launcher step failed.
		_, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
		if err == nil {
			defer forget()
		}
		select {
		case <-e.done:
			if e.Result().Exit != nil {
				return true, nil
			}
			return k.Probe(ctx, probePatience), nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(patience):
		}
	}
	return false, nil
}

// Kill ends the process and everything it started.
func (k *Kernel) Kill() { k.process.Kill() }
