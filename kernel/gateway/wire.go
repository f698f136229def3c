package gateway

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// subprotocol is the newer of the two forms. A server that chooses none speaks the
// older one (jupyter_server's docs, "WebSocket kernel wire protocols").
const subprotocol = "v1.kernel.websocket.jupyter.org"

// messageParts are header, parent header, metadata and content.
const messageParts = 4

var errWire = errors.New("malformed websocket message")

// encodeV1 lays out a message: the number of offsets and the offsets as 64-bit
// little endian, the channel, the parts, the buffers.
func encodeV1(channel jupyter.Channel, parts [][]byte) []byte {
	offsets := len(parts) + 2
	size := 8*(1+offsets) + len(channel)
	for _, p := range parts {
		size += len(p)
	}
	out := make([]byte, 0, size)
	out = binary.LittleEndian.AppendUint64(out, uint64(offsets))
	at := 8 * (1 + offsets)
	out = binary.LittleEndian.AppendUint64(out, uint64(at))
	at += len(channel)
	out = binary.LittleEndian.AppendUint64(out, uint64(at))
	for _, p := range parts {
		at += len(p)
		out = binary.LittleEndian.AppendUint64(out, uint64(at))
	}
	out = append(out, channel...)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// decodeV1 is encodeV1's inverse. The parts share memory with data. What data has
// been cut off from comes beside the error.
func decodeV1(data []byte) (jupyter.Channel, [][]byte, error) {
	if len(data) < 8 {
		return "", nil, errWire
	}
	n := binary.LittleEndian.Uint64(data)
	if n < messageParts+2 || n > uint64(len(data)/8-1) {
		return "", nil, fmt.Errorf("%w: %d offsets", errWire, n)
	}
	sections := make([][]byte, 0, n-1)
	from := binary.LittleEndian.Uint64(data[8:])
	for i := uint64(2); i <= n; i++ {
		to := binary.LittleEndian.Uint64(data[8*i:])
		if from > to || to > uint64(len(data)) {
			return partial(sections, fmt.Errorf("%w: section %d from %d to %d of %d bytes", errWire, i-1, from, to, len(data)))
		}
		sections = append(sections, data[from:to])
		from = to
	}
	return jupyter.Channel(sections[0]), sections[1:], nil
}

// partial are the sections of a message that was cut, if its headers are there.
func partial(sections [][]byte, err error) (jupyter.Channel, [][]byte, error) {
	if len(sections) < 3 {
		return "", nil, err
	}
	return jupyter.Channel(sections[0]), sections[1:], err
}

// encodeOlder writes a message as one JSON object; with buffers it would be binary,
// and we send none.
func encodeOlder(channel jupyter.Channel, parts [][]byte) ([]byte, error) {
	return json.Marshal(struct {
		Channel      jupyter.Channel `json:"channel"`
		Header       json.RawMessage `json:"header"`
		ParentHeader json.RawMessage `json:"parent_header"`
		Metadata     json.RawMessage `json:"metadata"`
		Content      json.RawMessage `json:"content"`
		Buffers      []string        `json:"buffers"`
	}{channel, parts[0], parts[1], parts[2], parts[3], []string{}})
}

// decodeOlder reads a JSON object, or with buffers their number and offsets as
// 32-bit big endian, the object, the buffers. Python's json writes NaN too. What data
// has been cut off from comes beside the error; only iopub brings so much.
func decodeOlder(data []byte, binaryMessage bool) (jupyter.Channel, [][]byte, error) {
	var buffers [][]byte
	if binaryMessage {
		var err error
		if data, buffers, err = splitOlder(data); err != nil {
			return "", nil, err
		}
	}
	var channel jupyter.Channel
	parts := make([][]byte, messageParts, messageParts+len(buffers))
	err := jupyter.EachMember(data, func(name string, value []byte) {
		switch name {
		case "channel":
			var s string
			if json.Unmarshal(value, &s) == nil {
				channel = jupyter.Channel(s)
			}
		case "header":
			parts[0] = value
		case "parent_header":
			parts[1] = value
		case "metadata":
			parts[2] = value
		case "content":
			parts[3] = value
		}
	})
	if err != nil {
		err = fmt.Errorf("%w: %w", errWire, err)
		if parts[0] == nil || parts[1] == nil {
			return "", nil, err
		}
		return jupyter.IOPub, parts, err
	}
	for i, p := range parts {
		if p == nil {
			parts[i] = []byte("{}")
		}
	}
	return channel, append(parts, buffers...), nil
}

func splitOlder(data []byte) (object []byte, buffers [][]byte, err error) {
	if len(data) < 4 {
		return nil, nil, errWire
	}
	n := int(binary.BigEndian.Uint32(data))
	if n < 1 || n > len(data)/4-1 {
		return nil, nil, fmt.Errorf("%w: %d buffers", errWire, n)
	}
	for i := range n {
		from, to := int(binary.BigEndian.Uint32(data[4*(i+1):])), len(data)
		if i+1 < n {
			to = int(binary.BigEndian.Uint32(data[4*(i+2):]))
		}
		if from > to || to > len(data) {
			return nil, nil, fmt.Errorf("%w: buffer %d from %d to %d of %d bytes", errWire, i, from, to, len(data))
		}
		buffers = append(buffers, data[from:to])
	}
	return buffers[0], buffers[1:], nil
}
