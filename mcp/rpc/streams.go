package rpc

// Streams is a writer to a client that has a stream of its own for each request: what
// a request causes goes there, and the rest to Write. Both may be called at the same
// time, and streams of several requests too.
type Streams interface {
	// Write writes a line that belongs to no request.
	Write(line []byte) (int, error)
	// Stream is the stream of a request whose line was just read, by the key of its
	// id (see [Envelope]). It is called in the order of the lines.
	Stream(key string) Stream
}

// Stream takes what one request causes. Its methods wait for no slow client but
// Answer, which may for as long as the client takes.
type Stream interface {
	// Report sends a line that is of use only now, if the client can have it at
	// once, and reports whether it did.
	Report(line []byte) bool
	// Ask sends a line that the client must get.
	Ask(line []byte) error
	// Answer sends the answer. delivered, nil if nobody wants to know, is called when
	// the client has it: before Answer returns, or later, or never.
	Answer(line []byte, delivered func())
	// Close tells that nothing more comes: the request was answered, or cancelled.
	Close()
}

// answerTo writes an error instead of handling a request.
func (c *connection) answerTo(call *call, code int, text string) {
	if call.stream == nil {
		c.sendError(call.id, code, text)
		return
	}
	if line, err := encodeLine(errorReply(call.id, code, text)); err == nil {
		call.stream.Answer(line, nil)
	}
}

// answerOn sends an answer on the call's own stream, unless it was given up.
func (c *connection) answerOn(call *call, line []byte, callbacks []func()) {
	select {
	case <-c.done:
		return
	default:
	}
	if c.givenUp(call) {
		return
	}
	if len(callbacks) == 0 {
		call.stream.Answer(line, nil)
		return
	}
	call.stream.Answer(line, func() {
		for _, callback := range callbacks {
			c.runCallback(callback)
		}
	})
}
