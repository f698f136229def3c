package kernel

import (
	"context"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// waiter waits for the reply and the iopub idle of one request of ours.
type waiter struct {
	reply chan *jupyter.Message // buffered, the first reply
	idle  chan struct{}         // closed at the first idle
}

// ask sends a request and registers its waiter first, so that no answer can be
// missed. forget must be called when the answer no longer matters.
func (k *Kernel) ask(name jupyter.Channel, msgType string, content any) (w *waiter, forget func(), err error) {
	msg, err := k.codec.NewMessage(name, msgType, content)
	if err != nil {
		return nil, nil, err
	}
	return k.sendAndWait(msg)
}

func (k *Kernel) sendAndWait(msg *jupyter.Message) (w *waiter, forget func(), err error) {
	w = &waiter{reply: make(chan *jupyter.Message, 1), idle: make(chan struct{})}
	id := msg.Header.MsgID
	k.mu.Lock()
	k.waiters[id] = w
	k.mu.Unlock()
	forget = func() {
		k.mu.Lock()
		delete(k.waiters, id)
		k.mu.Unlock()
	}
	if err := k.send(msg); err != nil {
		forget()
		return nil, nil, err
	}
	return w, forget, nil
}

// awaitReady asks for kernel_info until one request has both its reply on shell
// and its idle on iopub: only that proves that the subscription is in place. An
// iopub_welcome cannot be relied on (ipykernel before 7.2 sends none).
func (k *Kernel) awaitReady(ctx context.Context) error {
	var w *waiter
	channel := jupyter.Shell
	if _, others := k.process.(*attached); others {
		channel = jupyter.Control // shell may be busy for hours with somebody's code
	}
	for {
		next, forget, err := k.ask(channel, jupyter.MsgKernelInfoRequest, nil)
		if err != nil {
			// The connection ended, so the process ends: how says more.
			select {
			case <-k.gone:
				return ErrDead
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		defer forget()
		w = next
		if ok, err := k.readyWithin(ctx, w, 250*time.Millisecond); err != nil || ok {
			return err
		}
	}
}

// readyWithin waits for both answers. A reply that has come gives the idle one
// more short while only; with no reply yet it waits on, as every further
// request would queue behind the first in a kernel that is still importing.
func (k *Kernel) readyWithin(ctx context.Context, w *waiter, idleWait time.Duration) (bool, error) {
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-k.gone:
		return false, ErrDead
	case msg := <-w.reply:
		k.noteInfo(msg)
	}
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-k.gone:
		return false, ErrDead
	case <-w.idle:
		return true, nil
	case <-time.After(idleWait):
		return false, nil
	}
}

func (k *Kernel) noteInfo(msg *jupyter.Message) {
	var reply jupyter.KernelInfoReply
	if err := msg.DecodeContent(&reply); err != nil {
		k.log.Warn("kernel_info_reply", "err", err)
		return
	}
	k.info.Implementation = reply.Implementation
	k.info.Version = reply.ImplementationVersion
	k.info.Protocol = reply.ProtocolVersion
	k.info.Language = strings.ToLower(reply.LanguageInfo.Name)
	k.info.LanguageVersion = reply.LanguageInfo.Version
	k.info.Features = reply.SupportedFeatures
}

// Probe reports whether the shell channel answers within the time: whether the
// kernel can run code now.
func (k *Kernel) Probe(ctx context.Context, patience time.Duration) bool {
	w, forget, err := k.ask(jupyter.Shell, jupyter.MsgKernelInfoRequest, nil)
	if err != nil {
		return false
	}
	defer forget()
	select {
	case <-w.reply:
		return true
	case <-time.After(patience):
	case <-ctx.Done():
	case <-k.gone:
	}
	return false
}
