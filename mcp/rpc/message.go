package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// message is one JSON-RPC message, taken apart as far as the read loop needs it.
type message struct {
	raw    json.RawMessage
	method string // empty for a response
	id     json.RawMessage
	key    string // id as a map key; empty for a notification
	result json.RawMessage
	err    json.RawMessage
	params messageParams
}

// messageParams are the parameters that the read loop itself acts on.
type messageParams struct {
	Name      string          `json:"name"`
	RequestID json.RawMessage `json:"requestId"`
	Reason    any             `json:"reason"`
	Arguments json.RawMessage `json:"arguments"`
	Meta      struct {
		ProgressToken   json.RawMessage `json:"progressToken"`
		ProtocolVersion string          `json:"io.modelcontextprotocol/protocolVersion"`
	} `json:"_meta"`
}

// messageError says why a line is no message we take, and how to answer it.
type messageError struct {
	id   json.RawMessage // nil when it could not be read
	code int
	text string
}

func (e *messageError) Error() string { return e.text }

// parseMessage takes a line apart. Its error is a *messageError.
func parseMessage(line []byte) (*message, error) {
	var wire struct {
		JSONRPC json.RawMessage `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  json.RawMessage `json:"method"`
		Params  json.RawMessage `json:"params"`
		Result  json.RawMessage `json:"result"`
		Error   json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(line, &wire); err != nil {
		var wrongType *json.UnmarshalTypeError
		switch {
		case !errors.As(err, &wrongType):
			return nil, &messageError{code: mcp.PARSE_ERROR,
				text: "the line is not one JSON message: " + err.Error()}
		case bytes.TrimSpace(line)[0] == '[':
			return nil, &messageError{code: mcp.INVALID_REQUEST,
				text: "batches are not supported: send one message a line"}
		default:
			return nil, &messageError{code: mcp.INVALID_REQUEST, text: "a message must be a JSON object"}
		}
	}

	m := &message{raw: line, result: wire.Result, err: wire.Error}
	invalid := func(format string, a ...any) (*message, error) {
		return nil, &messageError{id: m.id, code: mcp.INVALID_REQUEST, text: fmt.Sprintf(format, a...)}
	}
	hasID := wire.ID != nil
	if hasID {
		key, ok := idKey(wire.ID)
		if ok {
			m.id, m.key = wire.ID, key
		} else if !isNull(wire.ID) {
			return invalid("the id must be a string or a number")
		}
	}
	var version string
	if json.Unmarshal(wire.JSONRPC, &version) != nil || version != mcp.JSONRPC_VERSION {
		return invalid(`"jsonrpc" must be "2.0"`)
	}
	if wire.Method == nil {
		if m.key == "" || (m.result == nil && m.err == nil) {
			return invalid("a message needs a method, or an id and a result or an error")
		}
		return m, nil
	}
	if json.Unmarshal(wire.Method, &m.method) != nil || m.method == "" {
		return invalid("the method must be a string")
	}
	// Some clients send "id":null in a notification, as JSON-RPC 1.0 had it.
	if hasID && m.key == "" && !strings.HasPrefix(m.method, "notifications/") {
		return invalid("the id of a request must not be null")
	}
	if p := bytes.TrimSpace(wire.Params); len(p) > 0 && p[0] != '{' && !isNull(p) {
		return nil, &messageError{id: m.id, code: mcp.INVALID_PARAMS, text: "params must be an object"}
	}
	if wire.Params != nil {
		// A member of the wrong type is judged by whoever handles the method.
		_ = json.Unmarshal(wire.Params, &m.params)
	}
	return m, nil
}

// modern reports whether the message belongs to the stateless era (2026-07-28
// and later), which says so in each request.
func (m *message) modern() bool {
	return mcp.IsModernProtocol(m.params.Meta.ProtocolVersion)
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

// idKey turns a request id into a map key: 1 and 1.0 are the same id, 1 and "1"
// are not. It reports false for what is no id.
func idKey(raw json.RawMessage) (string, bool) {
	var value any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&value) != nil {
		return "", false
	}
	switch v := value.(type) {
	case string:
		return "s" + v, true
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return "n" + strconv.FormatInt(i, 10), true
		}
		f, err := v.Float64()
		if err != nil {
			return "n" + v.String(), true
		}
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return "n" + strconv.FormatInt(int64(f), 10), true
		}
		return "n" + strconv.FormatFloat(f, 'g', -1, 64), true
	}
	return "", false
}

// encodeLine encodes a message with its newline. It leaves <, > and & as they
// are: escaped they take six bytes each, and code and HTML are full of them.
func encodeLine(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return unescapeHTML(buf.Bytes()), nil
}

// unescapeHTML undoes, in place, the escapes of MarshalJSON methods inside the
// SDK, which no encoder option reaches.
func unescapeHTML(b []byte) []byte {
	out := b[:0]
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 >= len(b) {
			return append(out, b...)
		}
		out = append(out, b[:i]...)
		b = b[i:]
		var plain byte
		if len(b) >= 6 && b[1] == 'u' && b[2] == '0' && b[3] == '0' {
			switch string(b[4:6]) {
			case "3c":
				plain = '<'
			case "3e":
				plain = '>'
			case "26":
				plain = '&'
			}
		}
		if plain != 0 {
			out, b = append(out, plain), b[6:]
		} else {
			// Two bytes at once, so that the second half of \\ starts nothing.
			out, b = append(out, b[:2]...), b[2:]
		}
	}
}
