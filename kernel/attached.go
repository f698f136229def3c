package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
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

func (k *Kernel) attach(ctx context.Context, host *Host, info jupyter.ConnectionInfo, file string) error {
	parent, err := k.ownDir(host)
	if err != nil {
		return err
	}
	there := &attached{kernel: k, done: make(chan struct{})}
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
	there.begin("", 0)
	k.wg.Go(func() {
		defer forget()
		select {
		case <-w.reply:
			there.end("")
		case <-k.closing:
		case <-there.done:
		}
	})
	return nil
}

// attached is the process of a kernel that somebody else has started, and what its other
// clients run. Its methods are safe for concurrent use.
type attached struct {
	kernel *Kernel
	done   chan struct{}
	once   sync.Once

	mu      sync.Mutex // protects the fields below
	reason  string
	running map[string]int // code of others, by msg_id: its execution count, 0 if not known
	free    chan struct{}  // closed when nothing of others runs; nil when nothing does
	ran     []string       // what others ran since it was last told: "In[7]"
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

// maxOthers bounds what is remembered of other clients.
const maxOthers = 100

// begin notes that code of another client runs, and its count once that is known.
func (a *attached) begin(id string, count int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.free == nil {
		a.free, a.running = make(chan struct{}), map[string]int{}
	}
	if count > 0 && a.running[id] == 0 && len(a.ran) < maxOthers {
		a.ran = append(a.ran, fmt.Sprintf("In[%d]", count))
	}
	if len(a.running) < maxOthers {
		a.running[id] = max(count, a.running[id])
	}
}

// end notes that it has ended. What is not known by id ran before we came.
func (a *attached) end(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.running, id)
	if id != "" {
		delete(a.running, "")
	}
	if len(a.running) == 0 && a.free != nil {
		close(a.free)
		a.free = nil
	}
}

// others looks at a message on iopub that is not to any request of ours.
func (a *attached) others(msg *jupyter.Message) {
	parent := msg.ParentHeader
	if parent.MsgType != jupyter.MsgExecuteRequest || parent.Session == a.kernel.codec.Session() {
		return
	}
	switch msg.Header.MsgType {
	case jupyter.MsgExecuteInput:
		var content jupyter.ExecuteInput
		if msg.DecodeContent(&content) == nil {
			a.begin(parent.MsgID, content.ExecutionCount)
		}
	case jupyter.MsgStatus:
		if isIdle(msg) {
			a.end(parent.MsgID)
		} else {
			a.begin(parent.MsgID, 0)
		}
	}
}

// AwaitTurn waits until no other client's code runs in an attached kernel, so that ours
// need not be sent while it could not be taken back. say is told what runs. In other
// kernels it returns at once. The error is the context's cause, or ErrDead.
func (k *Kernel) AwaitTurn(ctx context.Context, say func(string)) error {
	a, ok := k.process.(*attached)
	if !ok {
		return nil
	}
	free, words := a.turn()
	if free == nil {
		return nil
	}
	// Shell is served in order: an answer proves that it is our turn, also where the idle
	// of what ran before was lost on iopub.
	w, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
	if err != nil {
		return ErrDead
	}
	defer forget()
	for free != nil {
		say(words)
		select {
		case <-free:
		case <-w.reply:
			a.clear()
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.done:
			return ErrDead
		case <-time.After(time.Second): // what runs may have become known
		}
		free, words = a.turn()
	}
	return nil
}

// clear notes that nothing of others runs any more.
func (a *attached) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.running)
	if a.free != nil {
		close(a.free)
		a.free = nil
	}
}

// turn is closed when it is our turn, nil when it is; words say what runs.
func (a *attached) turn() (free <-chan struct{}, words string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	words = "another client's code runs"
	for _, count := range a.running {
		if count > 0 {
			words = fmt.Sprintf("another client's In[%d] runs", count)
		}
	}
	if a.free == nil {
		return nil, ""
	}
	return a.free, words
}

// Others says what other clients of an attached kernel have run since it was asked
// last, "" for nothing.
func (k *Kernel) Others() string {
	a, ok := k.process.(*attached)
	if !ok {
		return ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	ran := a.ran
	a.ran = nil
	switch n := len(ran); {
	case n == 0:
		return ""
	case n > 5:
		return fmt.Sprintf("somebody else ran %s to %s in this kernel meanwhile", ran[0], ran[n-1])
	}
	return "somebody else ran " + strings.Join(ran, ", ") + " in this kernel meanwhile"
}
