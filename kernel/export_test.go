package kernel

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/kerneltest"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/zmq"
)

// Scripted makes a Kernel whose other side is played by peer, connected from
// the first moment, and waits until it is ready. The Kernel is returned beside
// an error too; the test's end closes it.
func Scripted(ctx context.Context, t *testing.T, peer *kerneltest.Kernel) (*Kernel, error) {
	t.Helper()
	return ScriptedSlow(ctx, t, peer, 0)
}

// ScriptedSlow is Scripted with a reader of iopub that needs so long for each text.
func ScriptedSlow(ctx context.Context, t *testing.T, peer *kerneltest.Kernel, slow time.Duration) (*Kernel, error) {
	t.Helper()
	spec := Spec{Session: "test", Generation: 1}
	k := newKernel(spec, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(k.Close)
	k.process = peer.Process()
	k.codec = peer.Codec()
	r, err := record.Create(t.TempDir(), record.Info{Session: spec.Session, Generation: spec.Generation}, record.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	k.record = r
	for _, name := range []jupyter.Channel{jupyter.IOPub, jupyter.Shell, jupyter.Control, jupyter.Stdin} {
		k.open(name, slowChannel{peer.Channel(name), slow})
	}
	return k, k.ready(ctx)
}

// slowChannel makes the handling of each text take time.
type slowChannel struct {
	zmq.Channel
	slow time.Duration
}

// Reuse is the last step of the handling of a text.
func (c slowChannel) Reuse(frames [][]byte) {
	time.Sleep(c.slow)
	c.Channel.Reuse(frames)
}

// CutOff takes a kernel's shell channel away, as a death does that nobody has noticed
// yet; restore gives it back.
func CutOff(k *Kernel) (restore func()) {
	shell := k.channels[jupyter.Shell]
	delete(k.channels, jupyter.Shell)
	return func() { k.channels[jupyter.Shell] = shell }
}

// Known counts the executions and the waiters a kernel still routes to.
func Known(k *Kernel) (executions, waiters int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.executions), len(k.waiters)
}

// Holds reports whether an execution keeps a kernel alive.
func Holds(e *Execution) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.kernel != nil || e.reply != nil || e.errorOutput != nil
}

// Execute is Begin with a goroutine that finishes the execution.
func (k *Kernel) Execute(r Request) (*Execution, error) {
	e, err := k.Begin(r)
	if err == nil {
		go e.Finish()
	}
	return e, err
}

// ID returns the id it was requested with.
func (e *Execution) ID() string { return e.id }

// Done is closed when the result is known. Output can still arrive afterwards.
func (e *Execution) Done() <-chan struct{} { return e.done }

// Wait returns when the execution is done or ctx ends; ctx ends the waiting,
// never the run.
func (e *Execution) Wait(ctx context.Context) error {
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
