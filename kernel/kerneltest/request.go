package kerneltest

import (
	"encoding/json"
	"errors"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

var errNoCell = errors.New("process ended")

// request is one request being answered.
type request struct {
	k   *Kernel
	msg *jupyter.Message
}

// message makes a message whose parent is the request. On iopub it has a topic.
func (r *request) message(name jupyter.Channel, msgType string, content any) *jupyter.Message {
	if content == nil {
		content = struct{}{}
	}
	raw, isRaw := content.(json.RawMessage)
	if isRaw {
		content = nil // raw bytes are sent as they are, JSON or not
	}
	msg, err := r.k.codec.NewMessage(name, msgType, content)
	if err != nil {
		panic(err) // a mistake of this package
	}
	if isRaw {
		msg.Content = raw
	}
	msg.ParentHeader = r.msg.Header
	if name == jupyter.IOPub {
		msg.Identities = [][]byte{[]byte("kernel.test." + msgType)}
	}
	return msg
}

func (r *request) send(name jupyter.Channel, msgType string, content any) {
	r.k.deliver(r.message(name, msgType, content))
}

func (r *request) iopub(msgType string, content any) { r.send(jupyter.IOPub, msgType, content) }

func (r *request) status(s jupyter.ExecutionState) {
	r.iopub(jupyter.MsgStatus, jupyter.Status{ExecutionState: s})
}

func (r *request) idle() { r.status(jupyter.StateIdle) }

func (r *request) print(text string) {
	r.iopub(jupyter.MsgStream, jupyter.Stream{Name: "stdout", Text: text})
}

// reply replies that the code succeeded.
func (r *request) reply() { r.replyWith(jupyter.ExecuteReply{Status: jupyter.StatusOK}) }

func (r *request) replyWith(reply jupyter.ExecuteReply) {
	reply.ExecutionCount = r.k.count
	r.send(jupyter.Shell, jupyter.MsgExecuteReply, reply)
}

// replyExit replies that the kernel exits.
func (r *request) replyExit() {
	r.replyWith(jupyter.ExecuteReply{
		Status:  jupyter.StatusOK,
		Payload: []json.RawMessage{json.RawMessage(`{"source": "ask_exit", "keepkernel": false}`)},
	})
}

// failure is an exception, on iopub and in the reply.
func failure(ename, evalue string) (jupyter.Error, jupyter.ExecuteReply) {
	traceback := []string{"Traceback (most recent call last)", ename + ": " + evalue}
	return jupyter.Error{Ename: ename, Evalue: evalue, Traceback: traceback},
		jupyter.ExecuteReply{Status: jupyter.StatusError, Ename: ename, Evalue: evalue, Traceback: traceback}
}

// altered sends a message after change has had its frames: the last five are
// signature, header, parent header, metadata and content.
func (r *request) altered(msg *jupyter.Message, change func(frames [][]byte) [][]byte) {
	frames, err := r.k.codec.Encode(msg)
	if err != nil {
		panic(err) // a mistake of this package
	}
	r.k.ends[msg.Channel].Send(change(frames))
}

// refused sends a message of which the transport refused the content.
func (r *request) refused(msg *jupyter.Message, reason error) {
	frames, err := r.k.codec.Encode(msg)
	if err != nil {
		panic(err) // a mistake of this package
	}
	frames[len(frames)-1] = nil
	r.k.ends[msg.Channel].Refuse(frames, reason)
}

// interrupted waits for an interrupt; an error says that the process ended.
func (r *request) interrupted() error {
	select {
	case <-r.k.process.interrupts:
		return nil
	case <-r.k.process.done:
		return errNoCell
	}
}
