package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/share"
)

// attachTime bounds what an attached kernel may take to answer: it runs already.
const attachTime = 10 * time.Second

// Attach is [Start] for a kernel of this machine that somebody else has started and that
// the connection file leads to. It is sent nothing but code, expressions and, while code
// of ours runs, interrupt requests; it is never ended. Of spec it needs what the record
// notes.
func Attach(ctx context.Context, host *Host, spec Spec, file string) (*Kernel, error) {
	info, err := Listening(ctx, file)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, attachTime, fmt.Errorf("no answer within %s: "+
		"the key in the file is not the kernel's (it was started anew since), or it is stopped, or too old to answer while it runs code", attachTime))
	defer cancel()
	k := newKernel(spec, host.Log.With("session", spec.Session, "generation", spec.Generation))
	started := time.Now()
	if err := k.attach(ctx, host, info, file); err != nil {
		k.Close()
		return nil, err
	}
	k.info.Started, k.info.StartupDuration = started, time.Since(started)
	k.log.Info("attached to a kernel", "file", file, "took", k.info.StartupDuration)
	return k, nil
}

// Listening reads a connection file and sees whether somebody listens where it leads to.
// It sends nothing.
func Listening(ctx context.Context, file string) (jupyter.ConnectionInfo, error) {
	info, err := jupyter.ReadConnectionFile(file)
	if err != nil {
		return info, fmt.Errorf("the kernel cannot be joined: %w", err)
	}
	if info.CurvePublicKey != "" {
		return info, fmt.Errorf("the kernel of %s wants its connections encrypted (CURVE), which this program cannot do: start it without", file)
	}
	network, address := info.Address(jupyter.Shell)
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return info, fmt.Errorf("the kernel of %s has ended: nobody listens at %s", file, address)
	}
	return info, c.Close()
}

// livesTime bounds the question whether somebody listens.
const livesTime = time.Second

// Lives reports whether the kernel of a connection file can be joined.
func Lives(ctx context.Context, file string) bool {
	ctx, cancel := context.WithTimeout(ctx, livesTime)
	defer cancel()
	_, err := Listening(ctx, file)
	return err == nil
}

func (k *Kernel) attach(ctx context.Context, host *Host, info jupyter.ConnectionInfo, file string) error {
	parent, err := k.ownDir(host)
	if err != nil {
		return err
	}
	there := &attached{kernel: k, done: make(chan struct{})}
	k.others = &share.Others{}
	k.process, k.info.Joined = there, true
	session := uuid.NewString()
	k.codec = jupyter.NewCodec([]byte(info.Key), session, "mcp-code-executor")
	k.record = host.newRecord(parent, k.recordInfo(host))
	k.info.RecordDir = k.record.Dir()
	if err = k.connect(ctx, info, file, session); err == nil {
		err = k.ready(ctx)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("the kernel of %s cannot be joined: %w", file, err)
	}
	// Shell answers when nothing runs: until then it is somebody's turn.
	w, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
	if err != nil {
		return err
	}
	k.others.Begin("", 0)
	k.wg.Go(func() {
		defer forget()
		select {
		case <-w.reply:
			k.others.End("")
		case <-k.closing:
		case <-there.done:
		}
	})
	return nil
}

// attached is the process of a kernel that somebody else has started. Its methods are
// safe for concurrent use.
type attached struct {
	kernel *Kernel
	done   chan struct{}
	once   sync.Once

	mu     sync.Mutex // protects the field below
	reason string
}

func (a *attached) Pid() int              { return 0 }
func (a *attached) AwaitOutput()          {}
func (a *attached) Exit() guard.Exit      { return guard.Exit{Code: -1} }
func (a *attached) Done() <-chan struct{} { return a.done }
func (a *attached) Kill() error           { return gateway.ErrNotOurs }
func (a *attached) Usage() (guard.Usage, error) {
	return guard.Usage{}, errors.New("the kernel is not ours to watch")
}

// Interrupt asks the kernel to interrupt what runs: the caller has seen that it is ours.
func (a *attached) Interrupt() error {
	_, err := a.kernel.request(jupyter.Control, jupyter.MsgInterruptRequest, nil)
	return err
}

// Close ends the connection.
func (a *attached) Close() error {
	a.gone("the connection was closed")
	return nil
}

// gone notes that the kernel cannot be used any more; the first reason counts.
func (a *attached) gone(reason string) {
	a.once.Do(func() {
		a.mu.Lock()
		a.reason = reason
		a.mu.Unlock()
		close(a.done)
	})
}

// Reason says why it is gone.
func (a *attached) Reason() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reason
}

// AwaitTurn waits until no other client's code runs in a kernel that others use too, so
// that ours need not be sent while it could not be taken back. say is told what runs. In
// other kernels it returns at once. The error is the context's cause, or ErrDead.
func (k *Kernel) AwaitTurn(ctx context.Context, say func(string)) error {
	if k.others == nil {
		return nil
	}
	for {
		ids, _ := k.others.Turn()
		if len(ids) == 0 {
			return nil
		}
		if err := k.awaitServed(ctx, say); err != nil {
			return err
		}
		k.others.Over(ids)
	}
}

// awaitServed waits until the kernel answers on shell: what it ran is over then. An idle may be
// lost on iopub, and where a client has sent several cells at once another one follows it.
func (k *Kernel) awaitServed(ctx context.Context, say func(string)) error {
	w, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
	if err != nil {
		return ErrDead
	}
	defer forget()
	for {
		if _, words := k.others.Turn(); words != "" {
			say(words)
		}
		select {
		case <-w.reply:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-k.gone:
			return ErrDead
		case <-time.After(100 * time.Millisecond): // what runs may have become known
		}
	}
}

// Behind says what another client of the kernel runs before the code, which the kernel has
// been sent and has not begun; "" when it has begun.
func (e *Execution) Behind() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kernel == nil || e.kernel.others == nil || e.busy || e.replied {
		return ""
	}
	_, words := e.kernel.others.Turn()
	return words
}

// Waited is how long the code has been in the kernel's queue behind other clients' code, so
// far where it has not begun. That it has may never be said: a C call that holds the
// interpreter keeps its busy back.
func (e *Execution) Waited() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.kernel == nil || e.kernel.others == nil || e.busy || e.replied || e.ended {
		return e.waited
	}
	return max(0, e.kernel.others.Last().Sub(e.started))
}

// signalSoon interrupts code that was to be interrupted before it began. What ends within a
// moment is left alone: the interrupt would meet what another client runs next.
func (k *Kernel) signalSoon(e *Execution, ends <-chan struct{}) {
	time.AfterFunc(shortCode, func() {
		select {
		case <-ends:
			return
		default:
		}
		if err := k.signal(e); err != nil {
			k.log.Warn("interrupting", "err", err)
		}
	})
}

// shortCode is how long code may take that is not interrupted when it begins.
const shortCode = 50 * time.Millisecond

// Others says what other clients of the kernel have run since it was asked last, "" for
// nothing.
func (k *Kernel) Others() string {
	if k.others == nil {
		return ""
	}
	return k.others.Ran()
}

// OthersLast is when other clients used the kernel last, zero for never.
func (k *Kernel) OthersLast() time.Time {
	if k.others == nil {
		return time.Time{}
	}
	return k.others.Last()
}

// sharedFile is the connection file for other clients: in the server's private directory,
// and not in the kernel's own, where code of a sandbox can write.
func (k *Kernel) sharedFile() string { return k.dir + ".json" }

// share lets other clients find the kernel, once it has answered.
func (k *Kernel) share() {
	if !k.spec.Share.On() {
		return
	}
	if err := k.spec.Share.Publish(k.sharedFile(), k.forOthers); err != nil {
		k.log.Warn("the kernel cannot be shared", "err", err)
		k.info.NotShared = err
	}
}

func (k *Kernel) unshare() {
	if !k.spec.Share.On() {
		return
	}
	if err := k.spec.Share.Withdraw(k.sharedFile()); err != nil {
		k.log.Warn("removing a shared connection file", "err", err)
	}
}
