package kerneltest

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/zmq"
)

// execute plays one execute_request.
func (k *Kernel) execute(r *request) {
	var content jupyter.ExecuteRequest
	if r.msg.DecodeContent(&content) != nil {
		return
	}
	select {
	case <-k.process.interrupts: // one that came while no cell ran
	default:
	}
	if content.Silent {
		r.expressions(content.UserExpressions)
		return
	}
	k.count++
	c := &cell{request: r, content: content}
	if !c.envelope() {
		c.whole()
		return
	}
	r.status(jupyter.StateBusy)
	r.iopub(jupyter.MsgExecuteInput, jupyter.ExecuteInput{Code: content.Code, ExecutionCount: k.count})
	c.inner()
}

// expressions answers a silent request: each expression's value is its text.
func (r *request) expressions(all map[string]string) {
	values := map[string]json.RawMessage{}
	for name, text := range all {
		values[name], _ = json.Marshal(map[string]any{"status": "ok", "data": map[string]string{"application/json": text}})
	}
	r.status(jupyter.StateBusy)
	r.replyWith(jupyter.ExecuteReply{Status: jupyter.StatusOK, UserExpressions: values})
	r.idle()
}

// cell is one cell being played.
type cell struct {
	*request
	content jupyter.ExecuteRequest
}

// envelope reports whether the cell begins as every cell does.
func (c *cell) envelope() bool {
	switch Cell(c.content.Code) {
	case Duplicated, Aborted, NoDate, OtherVersion, Silence:
		return false
	}
	return true
}

// whole plays the cells that differ from their first message on.
func (c *cell) whole() {
	switch Cell(c.content.Code) {
	case Silence:
		<-c.k.process.done
	case Aborted:
		c.status(jupyter.StateBusy)
		c.send(jupyter.Shell, jupyter.MsgExecuteReply, json.RawMessage(`{"status": "aborted"}`))
		c.idle()
	case Duplicated:
		for _, msg := range c.ordinary() {
			c.k.twice(msg)
		}
	case NoDate:
		for _, msg := range c.ordinary() {
			c.k.without(msg, "date")
		}
	case OtherVersion:
		for _, msg := range c.ordinary() {
			msg.Header.Version = "9.9"
			c.k.deliver(msg)
		}
	}
}

// ordinary is every message of a cell that prints its code.
func (c *cell) ordinary() []*jupyter.Message {
	return []*jupyter.Message{
		c.message(jupyter.IOPub, jupyter.MsgStatus, jupyter.Status{ExecutionState: jupyter.StateBusy}),
		c.message(jupyter.IOPub, jupyter.MsgExecuteInput, jupyter.ExecuteInput{Code: c.content.Code, ExecutionCount: c.k.count}),
		c.message(jupyter.IOPub, jupyter.MsgStream, jupyter.Stream{Name: "stdout", Text: c.content.Code + "\n"}),
		c.message(jupyter.Shell, jupyter.MsgExecuteReply, jupyter.ExecuteReply{Status: jupyter.StatusOK, ExecutionCount: c.k.count}),
		c.message(jupyter.IOPub, jupyter.MsgStatus, jupyter.Status{ExecutionState: jupyter.StateIdle}),
	}
}

// inner plays a cell whose busy and execute_input are out.
func (c *cell) inner() {
	text := c.content.Code + "\n"
	switch Cell(c.content.Code) {
	case Loop:
		c.loop(1)
	case Stubborn:
		c.loop(2)
	case Ask:
		c.ask(c.content.AllowStdin)
	case AskUninvited:
		c.ask(true)
	case Exit:
		c.print(text)
		c.replyExit()
		c.idle()
		c.k.pause(300 * time.Millisecond)
		c.k.die(guard.Exit{})
	case ExitThatStays:
		c.replyExit()
		c.idle()
	case ReplyWithoutIdle:
		c.print(text)
		c.reply()
	case IdleWithoutReply:
		c.print(text)
		c.idle()
	case Neither:
		c.print(text)
	case Reordered:
		c.reply()
		c.idle()
		c.print(text)
	case TwoIdles:
		c.print(text)
		c.idle()
		c.reply()
		c.idle()
	case ReplyFirst:
		c.reply()
		c.print(text)
		c.idle()
	case EarlyIdle:
		c.print("child\n")
		c.idle()
		c.k.pause(5 * time.Second)
		c.reply() // on another socket: it can overtake what was printed before it
		c.k.pause(100 * time.Millisecond)
		c.print(text)
		c.idle()
	case ForeignIdle:
		c.foreign()
	case SlowDrip:
		c.drip(20, 250*time.Millisecond)
	case SlowerDrip:
		c.drip(5, 400*time.Millisecond)
	case DeathInCell, DeathAfterReply, DeathAfterIdle:
		c.death(text)
	case ErrorInReply:
		_, reply := failure("UsageError", "only the reply says it")
		c.replyWith(reply)
		c.idle()
	case ErrorOnIOPub:
		content, _ := failure("RuntimeError", "only iopub says it")
		c.iopub(jupyter.MsgError, content)
		c.reply()
		c.idle()
	case OutputWidget:
		c.widget()
	case LateOutput:
		c.reply()
		c.idle()
		c.k.wg.Go(func() {
			if c.k.pause(time.Second) {
				c.print(text)
			}
		})
	case ShellLost:
		c.print(text)
		c.k.ends[jupyter.Shell].Close()
		c.idle()
	case IOPubLost:
		c.print(text)
		c.k.ends[jupyter.IOPub].Close()
		c.reply()
	default:
		c.odd(text)
	}
}

// odd plays the cells whose messages are strange, and by default a good one.
func (c *cell) odd(text string) {
	tooLarge := &zmq.FrameTooLargeError{Size: 300 << 20, Limit: zmq.DefaultFrameLimit}
	stream := c.message(jupyter.IOPub, jupyter.MsgStream, jupyter.Stream{Name: "stdout", Text: "forged\n"})
	reply := c.message(jupyter.Shell, jupyter.MsgExecuteReply, jupyter.ExecuteReply{Status: jupyter.StatusOK, ExecutionCount: 666})
	idle := c.message(jupyter.IOPub, jupyter.MsgStatus, jupyter.Status{ExecutionState: jupyter.StateIdle})
	switch Cell(c.content.Code) {
	case BadSignature:
		c.print(text)
		c.altered(stream, signature(strings.Repeat("0", 64)))
		c.altered(reply, signature(strings.Repeat("f", 64)))
		c.idle()
		return
	case Unsigned:
		for _, msg := range []*jupyter.Message{stream, reply, idle} {
			c.altered(msg, signature(""))
		}
	case Undecodable:
		c.undecodable()
	case UndecodableReply:
		c.print(text)
		c.send(jupyter.Shell, jupyter.MsgExecuteReply, json.RawMessage("\xff no JSON"))
		c.idle()
		return
	case UndecodableIdle:
		c.print(text)
		c.reply()
		c.iopub(jupyter.MsgStatus, json.RawMessage(`{"execution_state": "idle"`))
		return
	case DeepJSON:
		deep := strings.Repeat("[", 12_000) + strings.Repeat("]", 12_000)
		c.iopub(jupyter.MsgDisplayData, json.RawMessage(`{"data": {"text/plain": "deep", "application/json": `+deep+`}, "metadata": {}}`))
	case GiantOutput:
		c.refused(stream, tooLarge)
	case GiantReply:
		c.refused(reply, tooLarge)
		c.idle()
		return
	case NaN:
		c.iopub(jupyter.MsgDisplayData, json.RawMessage(`{"data": {"text/plain": "nan", "application/json": {"a": NaN, "b": [-Infinity, Infinity]}}, "metadata": {"w": NaN}}`))
	case Buffers:
		c.buffers()
	case UnknownType:
		c.iopub("news_of_2030", map[string]string{"text": "?"})
		c.send(jupyter.Shell, "another_reply", nil)
		c.send(jupyter.Stdin, "another_request", nil)
		c.send(jupyter.Control, "another_reply", nil)
	}
	c.print(text)
	c.reply()
	c.idle()
}

// loop runs until it is interrupted n times.
func (c *cell) loop(n int) {
	c.print("in\n")
	for range n {
		if c.interrupted() != nil {
			return
		}
	}
	content, reply := failure("KeyboardInterrupt", "")
	c.iopub(jupyter.MsgError, content)
	c.replyWith(reply)
	c.idle()
}

// ask asks for input as Python's input does.
func (c *cell) ask(allowed bool) {
	if !allowed {
		content, reply := failure("StdinNotImplementedError", "raw_input was called, but this frontend does not support input requests.")
		c.iopub(jupyter.MsgError, content)
		c.replyWith(reply)
		c.idle()
		return
	}
	c.send(jupyter.Stdin, jupyter.MsgInputRequest, jupyter.InputRequest{Prompt: "name? "})
	select {
	case answer := <-c.k.answers:
		c.print("hello " + answer + "\n")
		c.reply()
	case <-c.k.process.interrupts:
		content, reply := failure("KeyboardInterrupt", "Interrupted by user")
		c.iopub(jupyter.MsgError, content)
		c.replyWith(reply)
	case <-c.k.process.done:
		return
	}
	c.idle()
}

// foreign sends idle and reply of requests that are not this one.
func (c *cell) foreign() {
	other := c.msg.Header
	other.MsgID = "of another request"
	for _, parent := range []jupyter.Header{other, {}} {
		idle := c.message(jupyter.IOPub, jupyter.MsgStatus, jupyter.Status{ExecutionState: jupyter.StateIdle})
		stream := c.message(jupyter.IOPub, jupyter.MsgStream, jupyter.Stream{Name: "stderr", Text: "not yours\n"})
		reply := c.message(jupyter.Shell, jupyter.MsgExecuteReply, jupyter.ExecuteReply{Status: jupyter.StatusError})
		for _, msg := range []*jupyter.Message{stream, reply, idle} {
			msg.ParentHeader = parent
			c.k.deliver(msg)
		}
	}
	c.k.pause(time.Second)
	c.print(c.content.Code + "\n")
	c.reply()
	c.idle()
}

// drip replies and then sends n outputs and the idle, with a pause before each.
func (c *cell) drip(n int, every time.Duration) {
	c.reply()
	for i := range n {
		c.k.pause(every)
		c.print(fmt.Sprintln(i))
	}
	c.k.pause(every)
	c.idle()
}

func (c *cell) death(text string) {
	c.print(text)
	switch Cell(c.content.Code) {
	case DeathAfterReply:
		c.reply()
	case DeathAfterIdle:
		c.idle()
	}
	c.k.die(guard.Exit{Code: -1, Signal: syscall.SIGSEGV, Tail: []byte("Segmentation fault\n")})
}

// undecodable sends what is no message, or has one unreadable part.
func (c *cell) undecodable() {
	stream := func() *jupyter.Message {
		return c.message(jupyter.IOPub, jupyter.MsgStream, json.RawMessage(`{"name": "stdout", "text": "cut`))
	}
	c.k.deliver(stream())                                                                      // content
	c.altered(stream(), c.part(1, `{"msg_id": 3, "msg_type": [`))                              // header
	c.altered(stream(), c.part(1, `{}`))                                                       // header without type
	c.altered(stream(), c.part(1, `"`+strings.Repeat("x", 100_000)+`"`))                       // header, long
	c.altered(stream(), c.part(2, `not JSON`))                                                 // parent header
	c.altered(stream(), func(f [][]byte) [][]byte { return f[:len(f)-2] })                     // short
	c.altered(stream(), func(f [][]byte) [][]byte { return [][]byte{f[0]} })                   // no delimiter
	c.altered(stream(), func([][]byte) [][]byte { return [][]byte{} })                         // nothing
	c.altered(stream(), func(f [][]byte) [][]byte { return [][]byte{f[1], f[2], {}, {}, {}} }) // empty parts
}

// part replaces one of the parts (0 is the signature) and signs again.
func (c *cell) part(n int, text string) func([][]byte) [][]byte {
	return func(frames [][]byte) [][]byte {
		parts := frames[len(frames)-5:]
		parts[n] = []byte(text)
		parts[0] = sign(parts[1:])
		return frames
	}
}

// widget prints, lets an Output widget capture what follows, and prints again.
func (c *cell) widget() {
	capture := func(msgID string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"comm_id": "w", "data": {"method": "update", "state": {"msg_id": %q}}}`, msgID))
	}
	c.iopub(jupyter.MsgCommOpen, json.RawMessage(`{"comm_id": "w", "target_name": "jupyter.widget", "data": {"state": {"_model_name": "OutputModel", "msg_id": ""}}}`))
	c.print("before\n")
	c.iopub(jupyter.MsgCommMsg, capture(c.msg.Header.MsgID))
	c.iopub(jupyter.MsgClearOutput, jupyter.ClearOutput{})
	content, _ := failure("ValueError", "the widget's")
	c.iopub(jupyter.MsgError, content)
	c.iopub(jupyter.MsgCommMsg, capture(""))
	c.print("after\n")
	c.reply()
	c.idle()
}

func (c *cell) buffers() {
	msg := c.message(jupyter.IOPub, jupyter.MsgCommOpen, json.RawMessage(`{"comm_id": "c", "target_name": "t", "data": {}}`))
	msg.Buffers = [][]byte{{0, 1, 2}, {}, []byte("\xff\xfe")}
	c.k.deliver(msg)
	msg = c.message(jupyter.IOPub, jupyter.MsgDisplayData, json.RawMessage(`{"data": {"text/plain": "buffered"}, "metadata": {}}`))
	msg.Buffers = [][]byte{make([]byte, 1<<20)}
	c.k.deliver(msg)
}
