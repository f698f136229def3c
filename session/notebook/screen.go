package notebook

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// screen is the text of a stream as a frontend shows and saves it: a carriage return
// goes back to the beginning of the line and what follows is written over it, a
// backspace takes the last character away. At most limit bytes are kept.
type screen struct {
	limit   int
	text    []byte
	line    int // where the current line begins
	cursor  int // where the next character goes, in the current line
	dropped int64
}

// write adds a piece of the stream.
func (s *screen) write(b []byte) {
	for len(b) > 0 {
		n := bytes.IndexAny(b, "\r\b\n")
		if n < 0 {
			n = len(b)
		}
		s.put(b[:n])
		if n == len(b) {
			return
		}
		s.control(b[n])
		b = b[n+1:]
	}
}

func (s *screen) control(c byte) {
	switch c {
	case '\n':
		s.cursor = len(s.text)
		s.put([]byte{'\n'})
		s.line = len(s.text)
	case '\r':
		s.cursor = s.line
	case '\b':
		if s.cursor > s.line {
			_, size := utf8.DecodeLastRune(s.text[s.line:s.cursor])
			s.text = append(s.text[:s.cursor-size], s.text[s.cursor:]...)
			s.cursor -= size
		}
	}
}

// put writes text without control characters at the cursor.
func (s *screen) put(b []byte) {
	if len(b) == 0 {
		return
	}
	if room := s.limit - s.cursor; len(b) > room {
		s.dropped += int64(len(b) - max(room, 0))
		b = b[:max(room, 0)]
	}
	if s.cursor == len(s.text) {
		s.text = append(s.text, b...)
		s.cursor = len(s.text)
		return
	}
	over := overwritten(s.text[s.cursor:], utf8.RuneCount(b))
	if bytes.IndexByte(s.text[s.line:], '\x1b') >= 0 || bytes.IndexByte(b, '\x1b') >= 0 {
		over = len(s.text) - s.cursor // colours take no room: the new text stands for the old
	}
	rest := append([]byte{}, s.text[s.cursor+over:]...)
	s.text = append(append(s.text[:s.cursor], b...), rest...)
	s.cursor += len(b)
}

// overwritten is how many bytes n runes of b have.
func overwritten(b []byte, n int) int {
	size := 0
	for range n {
		if size == len(b) {
			break
		}
		_, width := utf8.DecodeRune(b[size:])
		size += width
	}
	return size
}

// copyFrom writes all that r has.
func (s *screen) copyFrom(r io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		s.write(buf[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// cutWords says what of a stream is missing, "" for nothing.
func (s *screen) cutWords(where string) string {
	if s.dropped == 0 {
		return ""
	}
	return fmt.Sprintf("\n[cut: %s more; %s]\n", byteSize(s.dropped), where)
}

func byteSize(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}
