package kernel

import (
	"encoding/json"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
)

// route hands a message to what it belongs to, by its parent's msg_id. A
// message without a known parent (a kernel's own warnings at start, another
// client's requests) belongs to nothing and is dropped: parentless output must
// never be attributed to a cell.
func (k *Kernel) route(name jupyter.Channel, msg *jupyter.Message) {
	parent := msg.ParentHeader.MsgID
	k.mu.Lock()
	e, w := k.executions[parent], k.waiters[parent]
	k.mu.Unlock()
	again := k.arrived(msg)
	switch {
	case msg.Header.MsgType == launch.MessageVariables && name == jupyter.IOPub:
		k.gotVariables(msg)
	case e != nil && name == jupyter.IOPub:
		k.routeOutput(e, msg, again)
	case e != nil && msg.Header.MsgType == jupyter.MsgExecuteReply:
		k.gotReply(e, msg)
	case e != nil && msg.Header.MsgType == jupyter.MsgInputRequest:
		k.gotInputRequest(e, msg)
	case w != nil:
		w.take(name, msg)
	default:
		if k.others != nil && name == jupyter.IOPub {
			k.others.Note(msg, k.codec.Session())
			return
		}
		k.log.Debug("message without a known parent", "channel", name, "type", msg.Header.MsgType)
	}
}

// take notes what a message says about the waiter's request.
func (w *waiter) take(name jupyter.Channel, msg *jupyter.Message) {
	if name != jupyter.IOPub {
		select {
		case w.reply <- msg:
		default: // a second reply says nothing new
		}
		return
	}
	// Only the one iopub reader gets here, so close cannot race with itself.
	if isIdle(msg) {
		select {
		case <-w.idle:
		default:
			close(w.idle)
		}
	}
}

// routeOutput handles an iopub message of an execution, running or finished:
// threads and children go on printing after the cell. The first again characters
// of a text are known already.
func (k *Kernel) routeOutput(e *Execution, msg *jupyter.Message, again int64) {
	switch msg.Header.MsgType {
	case jupyter.MsgStatus:
		if isIdle(msg) {
			k.widgets.tell(k, e)
			k.gotIdle(e)
		} else {
			k.gotBusy(e)
		}
	case jupyter.MsgExecuteInput:
		k.gotInput(e, msg)
	case jupyter.MsgCommOpen, jupyter.MsgCommMsg, jupyter.MsgCommClose:
		k.mu.Lock()
		k.capture.note(msg)
		k.mu.Unlock()
		k.widgets.note(k, e, msg)
	default:
		out, ok := jupyter.OutputFrom(msg)
		if !ok {
			return
		}
		if words := k.dropped(msg, out); words != "" {
			out = notice(words)
		}
		if again > 0 {
			if out.Text.Inline = without(out.Text.Inline, again); len(out.Text.Inline) == 0 {
				return
			}
		}
		k.mu.Lock()
		out.CommID = k.capture.of(msg.ParentHeader.MsgID)
		k.mu.Unlock()
		k.widgets.Show(&out)
		k.append(e, out)
	}
}

func isIdle(msg *jupyter.Message) bool {
	if msg.Header.MsgType != jupyter.MsgStatus {
		return false
	}
	var status jupyter.Status
	// A status whose content cannot be read says nothing.
	return msg.DecodeContent(&status) == nil && status.ExecutionState == jupyter.StateIdle
}

// captures knows which ipywidgets Output widget captures the output of which
// message: the widget's state msg_id is the parent it captures while its `with`
// block runs. Without it a clear_output inside `with Output()` would clear the
// cell's own text, and an exception swallowed by the widget would fail the cell.
type captures map[string]string // comm id → captured msg_id

func (c captures) note(msg *jupyter.Message) {
	var content struct {
		CommID string `json:"comm_id"`
		Data   struct {
			State struct {
				MsgID json.RawMessage `json:"msg_id"` // nil when the state says nothing of it
			} `json:"state"`
		} `json:"data"`
	}
	if msg.DecodeContent(&content) != nil {
		return
	}
	if msg.Header.MsgType == jupyter.MsgCommClose {
		delete(c, content.CommID)
		return
	}
	var id string
	if json.Unmarshal(content.Data.State.MsgID, &id) != nil {
		return
	}
	if id == "" {
		delete(c, content.CommID)
	} else {
		c[content.CommID] = id
	}
}

// of returns the comm that captures the output of msgID, or "".
func (c captures) of(msgID string) string {
	for comm, captured := range c {
		if captured == msgID {
			return comm
		}
	}
	return ""
}

// widgetPause is the time between two states of a running cell's widgets in the
// record: a bar changes ten times a second.
const widgetPause = 2 * time.Second

// widgets tells of the widgets that a cell shows. Only the iopub reader uses it.
type widgets struct {
	jupyter.Widgets
	told time.Time
}

// note takes note of a comm message for e, and tells of the new state if enough
// time has passed since the last one.
func (w *widgets) note(k *Kernel, e *Execution, msg *jupyter.Message) {
	w.Note(msg)
	if time.Since(w.told) >= widgetPause && !e.isIdle() {
		w.tell(k, e)
	}
}

// tell appends the states that widgets have come to to the output of e.
func (w *widgets) tell(k *Kernel, e *Execution) {
	w.told = time.Now()
	for _, out := range w.Changed() {
		k.append(e, out)
	}
}
