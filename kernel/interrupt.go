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
	for _, patience := range []time.Duration{interruptSecond, interruptLast} {
		if err := k.signal(e); err != nil {
			return false, err
		}
		// A kernel in a top-level await wakes up only when something arrives on
		// shell (ipykernel issue 881); our launcher fixes that, this is for one
		// whose launcher step failed.
		w, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
		if err != nil {
			return false, err
		}
		defer forget()
		nudged, cancel := context.WithTimeout(ctx, patience)
		ended := k.endsWithin(nudged, e, w)
		cancel()
		switch {
		case ended && e.Result().Exit != nil:
			return true, nil
		case ended:
			return k.answersAfter(ctx, w), nil
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		}
	}
	return false, nil
}

// signal sends SIGINT, or the request a kernel wants in its place, and notes on the execution
// that its code meets it; code that has given its reply does not. It does nothing when the
// execution is over: what runs then is another.
func (k *Kernel) signal(e *Execution) error {
	k.signals.Lock()
	defer k.signals.Unlock()
	k.mu.Lock()
	if k.current != e {
		k.mu.Unlock()
		return nil
	}
	if k.others != nil && (!e.busy || e.replied) {
		e.wanted = true // what runs now is another client's
		k.mu.Unlock()
		return nil
	}
	e.interrupted, e.signalled = e.interrupted || !e.replied, true
	k.mu.Unlock()
	if k.spec.InterruptByMessage {
		_, err := k.request(jupyter.Control, jupyter.MsgInterruptRequest, nil)
		return err
	}
	return k.process.Interrupt()
}

// endsWithin reports whether the execution ends before ctx does. Shell is served
// in order: when it has answered the nudge the cell is over, and one that then
// still has neither reply nor idle has lost both.
func (k *Kernel) endsWithin(ctx context.Context, e *Execution, nudge *waiter) bool {
	select {
	case <-e.done:
		return true
	case <-ctx.Done():
		return false
	case <-nudge.reply:
	}
	select {
	case <-e.done:
		return true
	case <-time.After(replyGrace):
		k.gotIdle(e) // the end of the cell is proved, whatever was lost
	case <-ctx.Done():
	}
	select {
	case <-e.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// answersAfter reports whether shell answers again, by the nudge or by a request of
// its own. The nudge counts: it was sent before whatever runs next, which takes the
// kernel at once and keeps the second request waiting.
func (k *Kernel) answersAfter(ctx context.Context, nudge *waiter) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	probed := make(chan bool, 1)
	go func() { probed <- k.Probe(ctx, probePatience) }()
	select {
	case <-nudge.idle:
		return true
	case answers := <-probed:
		return answers
	}
}

// Kill ends the process and everything it started. On a Jupyter server that takes up to 15 s;
// the error says why the kernel may still be there.
func (k *Kernel) Kill() error { return k.process.Kill() }
