package rpc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"
)

// How much of a refused line is kept: enough to find the request's id.
const (
	longLineHead = 4 << 10
	longLineTail = 512
)

// longLineError says that a line was over the limit. It was skipped to its newline.
type longLineError struct {
	limit      int
	size       int64 // bytes of the whole line
	head, tail []byte
}

func (e *longLineError) Error() string {
	return fmt.Sprintf("the line is %d bytes long, the limit is %d bytes; send less in one message", e.size, e.limit)
}

// lineReader splits a stream into lines of at most limit bytes.
type lineReader struct {
	r     *bufio.Reader
	limit int
}

func newLineReader(r io.Reader, limit int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

// next returns the next line without its newline, as a slice of its own. The
// last line needs no newline. A line over the limit is a *longLineError, and
// the next call returns the line after it.
func (l *lineReader) next() ([]byte, error) {
	var line []byte
	for {
		part, err := l.r.ReadSlice('\n')
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		if len(line)+len(part) > l.limit {
			return nil, l.skip(append(line, part...), ended)
		}
		line = append(line, part...)
		switch {
		case ended:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		default:
			return nil, err
		}
	}
}

// skip drains a line of which read is the beginning.
func (l *lineReader) skip(read []byte, ended bool) error {
	long := &longLineError{
		limit: l.limit,
		size:  int64(len(read)),
		head:  bytes.Clone(read[:min(len(read), longLineHead)]),
		tail:  bytes.Clone(read[max(0, len(read)-longLineTail):]),
	}
	for !ended {
		part, err := l.r.ReadSlice('\n')
		ended = err == nil
		if ended {
			part = part[:len(part)-1]
		}
		long.size += int64(len(part))
		long.tail = append(long.tail, part...)
		long.tail = bytes.Clone(long.tail[max(0, len(long.tail)-longLineTail):])
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break // the stream's error comes again with the next read
		}
	}
	return long
}

// lastID matches an id that is the last member of a message. Quotes inside a
// JSON string are escaped, so only members can look like this.
var lastID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`,\s*"id"\s*:\s*(-?[0-9]+|"[^"\\]*")\s*}\s*$`) })

// id finds the id of the message without reading all of it, so that the client
// does not wait for ever. Some clients send the id first, some last. nil if
// it is in neither place.
func (e *longLineError) id() json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(e.head))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for {
		key, err := dec.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		// A number that ends where the kept bytes end may be cut.
		if dec.Decode(&value) != nil || dec.InputOffset() >= int64(len(e.head)) {
			break
		}
		if key == "id" {
			if _, ok := idKey(value); ok {
				return value
			}
			return nil
		}
	}
	// {"a":{"id":1}} ends in two braces and does not match; {"a":[{"x":1,"id":1}
	// cannot be the end of a whole message.
	if m := lastID().FindSubmatch(e.tail); m != nil {
		return m[1]
	}
	return nil
}
