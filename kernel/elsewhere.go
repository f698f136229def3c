package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/gateway"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
)

// Elsewhere says which kernel of a Jupyter Server is wanted.
type Elsewhere struct {
	Server *gateway.Server
	// Kernelspec is what to start there, "" for the server's default.
	Kernelspec string
	// ID is a kernel that runs there already; it is never ended by us.
	ID string
	// Env are variables for a gateway, KERNEL_*.
	Env map[string]string
	// Note is called before a kernel is asked for: see [gateway.Want].
	Note func(id string) gateway.Noted
}

// Connect is [Start] for a kernel on a Jupyter Server. Of spec it needs what the
// record notes, and StartTimeout. Such a kernel has no guard and none of our launcher.
func Connect(ctx context.Context, host *Host, spec Spec, e Elsewhere) (*Kernel, error) {
	patience := spec.StartTimeout
	if patience == 0 {
		patience = defaultStartTimeout
	}
	silent := fmt.Errorf("no answer within %s", patience)
	if e.ID == "" {
		silent = fmt.Errorf("%w. The next code gets another kernel; if that does not answer either, the server's log may say why", silent)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, silent)
	defer cancel()
	k := newKernel(spec, host.Log.With("session", spec.Session, "generation", spec.Generation))
	started := time.Now()
	if err := k.startElsewhere(ctx, host, e); err != nil {
		k.Close()
		return nil, err
	}
	k.info.Started, k.info.StartupDuration = started, time.Since(started)
	k.log.Info("kernel elsewhere", "server", e.Server.String(), "kernel", k.info.ID, "ours", k.info.Ours, "took", k.info.StartupDuration)
	return k, nil
}

func (k *Kernel) startElsewhere(ctx context.Context, host *Host, e Elsewhere) error {
	parent, err := k.ownDir(host)
	if err != nil {
		return err
	}
	there, err := e.Server.Open(ctx, gateway.Want{Kernelspec: e.Kernelspec, ID: e.ID, Env: e.Env, Note: e.Note, Lost: k.disconnected, Log: k.log})
	if err != nil {
		return err
	}
	k.process = elsewhere{there}
	k.info.ID, k.info.Kernelspec, k.info.Server, k.info.Ours = there.ID(), there.Kernelspec(), e.Server.String(), there.Ours()
	k.info.Joined = !there.Ours()
	k.codec = jupyter.NewCodec(nil, there.Session(), "mcp-code-executor")
	k.record = host.newRecord(parent, k.recordInfo(host))
	k.info.RecordDir = k.record.Dir()
	for _, name := range []jupyter.Channel{jupyter.IOPub, jupyter.Shell, jupyter.Control, jupyter.Stdin} {
		k.open(name, there.Channel(name))
	}
	if err := k.ready(ctx); err != nil {
		return k.startError(ctx, "waiting for an answer", err)
	}
	if there.Ours() && k.info.Implementation == "ipython" {
		k.help(ctx, !host.PlainPython && !k.spec.PlainPython)
	}
	return nil
}

// ownDir makes the kernel's private directory and returns the server's.
func (k *Kernel) ownDir(host *Host) (parent string, err error) {
	parent, err = host.run.Get(host.RuntimePlaces)
	if errors.Is(err, rundir.ErrRemoved) {
		err = ErrDead
	}
	if err == nil {
		k.dir, err = os.MkdirTemp(parent, "k")
	}
	if err != nil {
		return "", &StartError{Phase: "making its private directory", Err: err}
	}
	return parent, nil
}

// recordInfo is what the record of a kernel says that we have no process of.
func (k *Kernel) recordInfo(host *Host) record.Info {
	return record.Info{
		Session:       k.spec.Session,
		Generation:    k.spec.Generation,
		Environment:   k.spec.Environment,
		Dir:           k.spec.Dir,
		ServerVersion: host.Version,
		Started:       time.Now(),
	}
}

// shared reports whether somebody else has started the kernel: then it gets nothing but
// code and expressions.
func (k *Kernel) shared() bool {
	switch there := k.process.(type) {
	case *attached:
		return true
	case elsewhere:
		return !there.Ours()
	}
	return false
}

// help makes what can still be made of our launcher's changes in an ipykernel that was
// started for us. Without them it is a plain one, and works.
func (k *Kernel) help(ctx context.Context, prelude bool) {
	code, err := launch.Late(prelude)
	if err == nil {
		var msg *jupyter.Message
		if msg, err = k.codec.NewMessage(jupyter.Shell, jupyter.MsgExecuteRequest, jupyter.ExecuteRequest{Code: code, Silent: true}); err == nil {
			ctx, cancel := context.WithTimeout(ctx, helpTime)
			defer cancel()
			_, err = k.exchange(ctx, msg)
		}
	}
	if err != nil {
		k.log.Warn("the kernel elsewhere is left as it is", "err", err)
	}
}

// helpTime bounds the request that changes a kernel elsewhere.
const helpTime = 10 * time.Second

// elsewhere is the process of a kernel that is not ours to watch: what the other
// side does not tell is absent.
type elsewhere struct{ *gateway.Kernel }

func (e elsewhere) Pid() int         { return 0 }
func (e elsewhere) AwaitOutput()     {}
func (e elsewhere) Exit() guard.Exit { return guard.Exit{Code: -1} }
func (e elsewhere) Usage() (guard.Usage, error) {
	return guard.Usage{}, errors.New("a Jupyter server does not tell what its kernels use")
}

// disconnected notes which run, if any, the connection to the Jupyter server was lost in. What
// it returns does the rest when the connection is there again.
func (k *Kernel) disconnected(since time.Time) (back func()) {
	e := k.Current()
	if e == nil {
		return func() {}
	}
	return func() { k.back(e, since) }
}

// back tells e that the connection was lost for a while, and asks whether it still
// runs: its end may have been lost, and itself on its way there.
func (k *Kernel) back(e *Execution, since time.Time) {
	k.append(e, notice(fmt.Sprintf("The connection to the Jupyter server was lost from %s to %s: output of that time may be missing.",
		since.Format(time.TimeOnly), time.Now().Format(time.TimeOnly))))
	w, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
	if err != nil {
		return
	}
	defer forget()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-k.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	k.endsWithin(ctx, e, w)
}

// dropped recognizes the words with which a Jupyter server says, in its own name on
// stderr, that it drops output because it comes too fast, and returns ours.
func (k *Kernel) dropped(msg *jupyter.Message, out jupyter.Output) (words string) {
	there, ok := k.process.(elsewhere)
	if !ok || msg.Header.Session != there.Session() || out.Type != jupyter.OutputStream {
		return ""
	}
	setting := ""
	switch text := string(out.Text.Inline); {
	case strings.Contains(text, "iopub_msg_rate_limit"):
		setting = "iopub_msg_rate_limit"
	case strings.Contains(text, "iopub_data_rate_limit"):
		setting = "iopub_data_rate_limit"
	default:
		return ""
	}
	return "Output is lost here: the Jupyter server drops what comes too fast. Print less, or write to a file there; " +
		"whoever runs that server can raise ServerApp." + setting + "."
}
