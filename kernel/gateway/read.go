package gateway

import (
	"bytes"
	"fmt"
	"io"

	"github.com/coder/websocket"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const (
	// maxMessage is what a message may have, in bytes, as on ZeroMQ.
	maxMessage = 256 << 20
	// largeMessage is from where on a message gets the memory it was read into.
	largeMessage = 64 << 10
)

// MessageTooLargeError names a message that was refused.
type MessageTooLargeError struct{ Size, Limit int64 }

func (e *MessageTooLargeError) Error() string {
	return fmt.Sprintf("message of %d bytes refused: the limit is %d bytes", e.Size, e.Limit)
}

// heardReader notes that bytes came: a large message can take minutes on its way, and the
// server answers no ping while it sends one.
type heardReader struct {
	io.Reader
	kernel *Kernel
}

func (r heardReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.kernel.hear()
	return n, err
}

// read hands on messages until the connection ends, and returns why.
func (k *Kernel) read(conn *websocket.Conn) error {
	v1 := conn.Subprotocol() == subprotocol
	var buffer bytes.Buffer
	for {
		kind, r, err := conn.Reader(k.ctx)
		if err != nil {
			return err
		}
		r = heardReader{r, k}
		buffer.Reset()
		if _, err := buffer.ReadFrom(io.LimitReader(r, maxMessage)); err != nil {
			return err
		}
		rest, err := io.Copy(io.Discard, r)
		if err != nil {
			return err
		}
		var refused error
		if rest > 0 {
			refused = &MessageTooLargeError{Size: maxMessage + rest, Limit: maxMessage}
		}
		if buffer.Len() < largeMessage {
			k.handOn(bytes.Clone(buffer.Bytes()), kind, v1, refused)
			continue
		}
		k.handOn(buffer.Bytes(), kind, v1, refused)
		buffer = bytes.Buffer{} // the message has it now
	}
}

// handOn decodes a message and gives it to its channel. Of one that was refused only
// its headers are given: whom it belongs to can be told.
func (k *Kernel) handOn(data []byte, kind websocket.MessageType, v1 bool, refused error) {
	var name jupyter.Channel
	var parts [][]byte
	var err error
	if v1 {
		name, parts, err = decodeV1(data)
	} else {
		name, parts, err = decodeOlder(data, kind == websocket.MessageBinary)
	}
	if refused != nil && parts != nil {
		parts, err = [][]byte{parts[0], parts[1], []byte("{}"), []byte("{}")}, nil
	}
	if err != nil {
		k.want.Log.Warn("message of the Jupyter server dropped", "err", err)
		return
	}
	c := k.channels[name]
	if c == nil || !k.note(name, parts) {
		return
	}
	c.deliver(parts, refused)
}
