package rpc

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
)

// Envelope is what a transport must know of a message in order to carry it.
type Envelope struct {
	// Line is the message as one line, with its newline.
	Line []byte
	// Method is empty for an answer to a request of ours.
	Method string
	// ID is the request's id as it came, nil for a notification; Key the same as
	// something to compare: 1 and 1.0 are one id.
	ID  json.RawMessage
	Key string
	// Cancels is the key of the request that a cancel is for, "" for all else.
	Cancels string
	// Params are the parameters as they came, nil for none.
	Params json.RawMessage
	// Version and Client are what a request of the stateless era says of itself: the
	// protocol's version, and the client's name.
	Version, Client string
}

// IsRequest reports whether the message wants an answer.
func (e *Envelope) IsRequest() bool { return e.Method != "" && e.Key != "" }

// RefusedError says why a message is none that is taken.
type RefusedError struct {
	ID   json.RawMessage // nil when it could not be read
	Code int             // of JSON-RPC
	Text string
}

func (e *RefusedError) Error() string { return e.Text }

// Open reads what is needed of a message, which may have more than one line. The
// error is a [*RefusedError].
func Open(message []byte) (*Envelope, error) {
	var line bytes.Buffer
	line.Grow(len(message) + 1)
	if err := json.Compact(&line, bytes.TrimPrefix(message, []byte("\ufeff"))); err != nil {
		return nil, &RefusedError{Code: mcp.PARSE_ERROR, Text: "the body is not one JSON message: " + err.Error()}
	}
	m, err := parseMessage(line.Bytes())
	if bad, ok := errors.AsType[*messageError](err); ok {
		return nil, &RefusedError{ID: bad.id, Code: bad.code, Text: bad.text}
	}
	e := &Envelope{Method: m.method, ID: m.id, Key: m.key, Version: m.params.Meta.ProtocolVersion}
	var rest struct {
		Params json.RawMessage `json:"params"`
	}
	if json.Unmarshal(line.Bytes(), &rest) == nil {
		e.Params = rest.Params
	}
	var meta struct {
		Meta struct {
			Client struct {
				Name string `json:"name"`
			} `json:"io.modelcontextprotocol/clientInfo"`
		} `json:"_meta"`
	}
	if json.Unmarshal(e.Params, &meta) == nil {
		e.Client = meta.Meta.Client.Name
	}
	if m.method == string(mcp.MethodNotificationCancelled) {
		e.Cancels, _ = idKey(m.params.RequestID)
	}
	line.WriteByte('\n')
	e.Line = line.Bytes()
	return e, nil
}
