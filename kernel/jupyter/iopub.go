package jupyter

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxEvalue bounds Output.Evalue, in bytes: the message of an exception can be
// the data that was wrong.
const maxEvalue = 64 << 10

// OutputFrom returns what a message says as an Output, and false for messages
// that are no output. An output whose content cannot be read becomes a notice,
// so that nothing disappears without a word. Large texts share memory with the
// message, and a stream's text is made where it lay: msg.Content cannot be read again.
func OutputFrom(msg *Message) (Output, bool) {
	read := readerOf(msg.Header.MsgType)
	if read == nil {
		return Output{}, false
	}
	out := Output{Type: OutputType(msg.Header.MsgType)}
	err := msg.ContentErr
	if err == nil {
		err = eachMember(msg.Content, func(key, value []byte) bool {
			read(&out, string(unquote(key)), value, len(msg.Content))
			return true
		})
	}
	if err != nil {
		out = Output{Type: OutputNotice, Text: TextValue(fmt.Sprintf("A %s message of the kernel could not be read: %v.", msg.Header.MsgType, err))}
	}
	out.Time = msg.Header.Time()
	return out, true
}

// memberReader puts one member of a content into an output; whole is the
// content's length.
type memberReader func(out *Output, key string, value []byte, whole int)

func readerOf(msgType string) memberReader {
	switch msgType {
	case MsgStream:
		return readStream
	case MsgDisplayData, MsgUpdateDisplayData, MsgExecuteResult:
		return readDisplay
	case MsgError:
		return readError
	case MsgClearOutput:
		return readClear
	case MsgInputRequest:
		return readInput
	}
	return nil
}

func readStream(out *Output, key string, value []byte, whole int) {
	switch key {
	case "name":
		decodeValue(value, &out.Name)
	case "text":
		if isNull(value) || value[0] != '"' {
			out.Text = InlineValue(own(text(value, ""), whole))
			return
		}
		out.Text = InlineValue(own(unquoteHere(value), whole))
	}
}

func readDisplay(out *Output, key string, value []byte, whole int) {
	switch key {
	case "data":
		out.Data, out.Undecoded = bundle(value, whole)
	case "metadata":
		out.Metadata = validJSON(value)
	case "execution_count":
		decodeValue(value, &out.ExecutionCount)
	case "transient":
		var t Transient
		decodeValue(value, &t)
		out.DisplayID = t.DisplayID
	}
}

func readError(out *Output, key string, value []byte, whole int) {
	switch key {
	case "ename":
		decodeValue(value, &out.Ename)
	case "evalue":
		out.Evalue = string(clipUTF8(text(value, ""), maxEvalue))
	case "traceback":
		out.Text = InlineValue(own(text(value, "\n"), whole))
	}
}

func readClear(out *Output, key string, value []byte, _ int) {
	if key == "wait" {
		decodeValue(value, &out.Wait)
	}
}

func readInput(out *Output, key string, value []byte, _ int) {
	switch key {
	case "prompt":
		decodeValue(value, &out.Prompt)
	case "password":
		decodeValue(value, &out.Password)
	}
}

// clipUTF8 cuts b to at most n bytes, between characters.
func clipUTF8(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}

// payload is an entry of an execute_reply's payload list.
type payload struct {
	Source     string          `json:"source"`
	Data       json.RawMessage `json:"data"`
	Text       string          `json:"text"`
	KeepKernel bool            `json:"keepkernel"`
}

// PayloadOutputs returns the outputs that come only in the reply: pages (`len?`)
// and next inputs (`%load`), in order.
func PayloadOutputs(reply ExecuteReply) []Output {
	var outs []Output
	for _, raw := range reply.Payload {
		var p payload
		if decodeObject(raw, &p) != nil {
			continue
		}
		switch p.Source {
		case "page":
			outs = append(outs, page(p))
		case "set_next_input":
			outs = append(outs, Output{Type: OutputNextInput, Text: TextValue(p.Text)})
		}
	}
	return outs
}

// page is a pager's text: text/plain of its bundle, or the member "text" of
// older kernels. Without either it keeps the bundle.
func page(p payload) Output {
	out := Output{Type: OutputPage}
	if plain := member(p.Data, "text/plain"); plain != nil {
		out.Text = InlineValue(text(plain, ""))
		return out
	}
	if p.Text != "" {
		out.Text = TextValue(p.Text)
		return out
	}
	out.Data, out.Undecoded = bundle(p.Data, len(p.Data))
	return out
}

// AskExit says whether the code asked the kernel to exit (`exit()`), and
// whether only its client should go and the kernel stay.
func AskExit(reply ExecuteReply) (exits, keepKernel bool) {
	for _, raw := range reply.Payload {
		var p payload
		if decodeObject(raw, &p) == nil && p.Source == "ask_exit" {
			exits, keepKernel = true, p.KeepKernel
		}
	}
	return exits, keepKernel
}
