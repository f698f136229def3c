package kerneltest

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/zmq"
)

// key signs the messages of both sides.
const key = "a key for tests"

// Kernel is a kernel in memory.
//
// Its goroutines, started by New and ended by the end of its process:
//  1. one reads shell and runs the cells, one at a time;
//  2. one reads control;
//  3. one reads stdin;
//  4. at most one per cell that goes on after its end.
type Kernel struct {
	start   Start
	codec   *jupyter.Codec
	client  map[jupyter.Channel]*zmq.PairEnd
	ends    map[jupyter.Channel]*zmq.PairEnd
	process *Process
	answers chan string
	turn    chan struct{} // holds one token while no cell runs
	wg      sync.WaitGroup
	infos   atomic.Int64 // kernel_info_requests that came
	count   int          // of executions; the shell goroutine's
}

// New starts a kernel. The caller must Close its Process.
func New(start Start) *Kernel {
	k := &Kernel{
		start:   start,
		codec:   jupyter.NewCodec([]byte(key), "the kernel's session", "kernel"),
		client:  map[jupyter.Channel]*zmq.PairEnd{},
		ends:    map[jupyter.Channel]*zmq.PairEnd{},
		answers: make(chan string),
		turn:    make(chan struct{}, 1),
	}
	k.turn <- struct{}{}
	k.process = &Process{kernel: k, interrupts: make(chan struct{}, 1), done: make(chan struct{})}
	for _, name := range []jupyter.Channel{jupyter.Shell, jupyter.IOPub, jupyter.Stdin, jupyter.Control} {
		k.client[name], k.ends[name] = zmq.NewPair()
	}
	switch start {
	case DeathAtConnect:
		k.die(guard.Exit{Code: 5, Tail: []byte("no sockets today\n")})
	case WelcomeTwice:
		k.welcome()
		k.welcome()
	case Welcome:
		k.welcome()
	}
	k.wg.Go(k.serveShell)
	k.wg.Go(k.serveControl)
	k.wg.Go(k.serveStdin)
	return k
}

// Channel returns the client's end of a channel.
func (k *Kernel) Channel(name jupyter.Channel) zmq.Channel { return k.client[name] }

// Codec returns a codec for the client.
func (k *Kernel) Codec() *jupyter.Codec {
	return jupyter.NewCodec([]byte(key), "the client's session", "client")
}

// Process returns the kernel's process.
func (k *Kernel) Process() *Process { return k.process }

// InfoRequests counts the kernel_info_requests that came.
func (k *Kernel) InfoRequests() int { return int(k.infos.Load()) }

// Die ends the kernel as if by itself.
func (k *Kernel) Die(code int, signal syscall.Signal) {
	k.die(guard.Exit{Code: code, Signal: signal})
}

func (k *Kernel) die(exit guard.Exit) { k.process.end(exit) }

// receive returns the next request of a channel, nil at its end.
func (k *Kernel) receive(name jupyter.Channel) *jupyter.Message {
	for {
		frames, err := k.ends[name].Recv()
		if err != nil {
			return nil
		}
		if msg, err := k.codec.Decode(frames); err == nil {
			return msg
		} // a kernel ignores what it cannot verify
	}
}

func (k *Kernel) serveShell() {
	for {
		msg := k.receive(jupyter.Shell)
		if msg == nil {
			return
		}
		switch msg.Header.MsgType {
		case jupyter.MsgKernelInfoRequest:
			k.kernelInfo(&request{k, msg})
		case jupyter.MsgExecuteRequest:
			select {
			case <-k.turn:
			case <-k.process.done:
				return
			}
			k.execute(&request{k, msg})
			k.turn <- struct{}{}
		}
	}
}

func (k *Kernel) serveControl() {
	for {
		msg := k.receive(jupyter.Control)
		if msg == nil {
			return
		}
		r := &request{k, msg}
		switch msg.Header.MsgType {
		case jupyter.MsgKernelInfoRequest:
			r.send(jupyter.Control, jupyter.MsgKernelInfoReply, k.info())
		case jupyter.MsgInterruptRequest:
			k.process.Interrupt()
			r.send(jupyter.Control, jupyter.MsgInterruptReply, map[string]any{"status": "ok"})
		case jupyter.MsgShutdownRequest:
			r.send(jupyter.Control, jupyter.MsgShutdownReply, jupyter.ShutdownReply{Status: "ok"})
			select { // a busy kernel answers and does not exit
			case <-k.turn:
				k.die(guard.Exit{})
			case <-k.process.done:
			}
		}
	}
}

func (k *Kernel) serveStdin() {
	for {
		msg := k.receive(jupyter.Stdin)
		if msg == nil {
			return
		}
		var reply jupyter.InputReply
		if msg.Header.MsgType != jupyter.MsgInputReply || msg.DecodeContent(&reply) != nil {
			continue
		}
		select {
		case k.answers <- reply.Value:
		case <-k.process.done:
			return
		}
	}
}

// pause waits, and reports false when the process ended.
func (k *Kernel) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-k.process.done:
		return false
	}
}

func (k *Kernel) info() jupyter.KernelInfoReply {
	info := jupyter.KernelInfoReply{
		Status:                "ok",
		ProtocolVersion:       "5.3",
		Implementation:        "kerneltest",
		ImplementationVersion: "1.0",
		LanguageInfo:          jupyter.LanguageInfo{Name: "python", Version: "3.14.0"},
	}
	if k.start == WrongProtocol {
		info.ProtocolVersion = "9.9"
	}
	return info
}

// kernelInfo answers, as well as the start allows.
func (k *Kernel) kernelInfo(r *request) {
	first := k.infos.Add(1) == 1
	info := k.info()
	switch k.start {
	case SilentStart:
		return
	case NoIdle:
		r.send(jupyter.Shell, jupyter.MsgKernelInfoReply, info)
		return
	case NoReply:
		r.status(jupyter.StateBusy)
		r.status(jupyter.StateIdle)
		return
	case DeathAtRequest, DeathAfterBusy, DeathAfterStartReply, DeathAfterStartIdle:
		k.dieStarting(r)
		return
	case SlowStart:
		if first && !k.pause(20*time.Second) {
			return
		}
	case SubscriptionLate:
		if k.InfoRequests() <= 3 {
			r.send(jupyter.Shell, jupyter.MsgKernelInfoReply, info)
			return
		}
	}
	r.status(jupyter.StateBusy)
	if k.start == UndecodableInfo {
		r.send(jupyter.Shell, jupyter.MsgKernelInfoReply, json.RawMessage(`{"status": "ok", `))
	} else {
		r.send(jupyter.Shell, jupyter.MsgKernelInfoReply, info)
	}
	if k.start == WelcomeLate && first {
		k.welcome()
	}
	r.status(jupyter.StateIdle)
}

func (k *Kernel) dieStarting(r *request) {
	if k.start != DeathAtRequest {
		r.status(jupyter.StateBusy)
	}
	switch k.start {
	case DeathAfterStartReply:
		r.send(jupyter.Shell, jupyter.MsgKernelInfoReply, k.info())
	case DeathAfterStartIdle:
		r.status(jupyter.StateIdle)
	}
	k.die(guard.Exit{Code: 5, Tail: []byte("died while starting\n")})
}

// welcome sends an iopub_welcome, which has neither topic nor parent.
func (k *Kernel) welcome() {
	msg, err := k.codec.NewMessage(jupyter.IOPub, jupyter.MsgIOPubWelcome, map[string]string{"subscription": ""})
	if err == nil {
		k.deliver(msg)
	}
}

// deliver sends a message; a client that is gone is no concern of a kernel's.
func (k *Kernel) deliver(msg *jupyter.Message) {
	frames, err := k.codec.Encode(msg)
	if err != nil {
		panic(err) // a mistake of this package
	}
	k.ends[msg.Channel].Send(frames)
}
