package jupyter

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Why not encoding/json: it refuses NaN and more than 10,000 levels, both of
// which kernels send, scans a text twice before copying it, and turns a list of
// a million empty strings into sixteen times its bytes. This scanner finds the
// members of one object and leaves their values as sent.

var errNotObject = errors.New("not a JSON object")

// scanner walks over JSON text. It checks only what it needs to find the ends
// of values, without recursion.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) errorf(what string) error {
	return fmt.Errorf("invalid JSON at byte %d: %s", s.i, what)
}

func (s *scanner) space() {
	for s.i < len(s.b) && isSpace(s.b[s.i]) {
		s.i++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// take steps over c if it is what comes next after space.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// str returns the string that starts here, with its quotes.
func (s *scanner) str() ([]byte, error) {
	start := s.i
	if start >= len(s.b) || s.b[start] != '"' {
		return nil, s.errorf("expected a string")
	}
	for from := start + 1; ; {
		n := bytes.IndexByte(s.b[from:], '"')
		if n < 0 {
			return nil, s.errorf("unfinished string")
		}
		quote := from + n
		escapes := 0
		for k := quote - 1; k > start && s.b[k] == '\\'; k-- {
			escapes++
		}
		from = quote + 1
		if escapes%2 == 0 {
			s.i = from
			return s.b[start:from], nil
		}
	}
}

// value returns the value that comes next.
func (s *scanner) value() ([]byte, error) {
	s.space()
	if s.i >= len(s.b) {
		return nil, s.errorf("expected a value")
	}
	switch s.b[s.i] {
	case '"':
		return s.str()
	case '{', '[':
		return s.nested()
	}
	start := s.i
	for s.i < len(s.b) && !isSpace(s.b[s.i]) && !strings.ContainsRune(`,:]}"[{`, rune(s.b[s.i])) {
		s.i++
	}
	if s.i == start {
		return nil, s.errorf("expected a value")
	}
	return s.b[start:s.i], nil
}

// nested steps over a list or an object by counting brackets.
func (s *scanner) nested() ([]byte, error) {
	start, depth := s.i, 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if _, err := s.str(); err != nil {
				return nil, err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			return s.b[start:s.i], nil
		}
	}
	return nil, s.errorf("unfinished list or object")
}

func (s *scanner) end() error {
	if s.space(); s.i < len(s.b) {
		return s.errorf("text after the end")
	}
	return nil
}

// isNull says whether raw is absent or null.
func isNull(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}

// eachMember calls fn with the (quoted) key and the value of each member of the
// object raw, until fn returns false. Nothing and null are empty objects.
func eachMember(raw []byte, fn func(key, value []byte) bool) error {
	if isNull(raw) {
		return nil
	}
	s := scanner{b: raw}
	if !s.take('{') {
		return errNotObject
	}
	if s.take('}') {
		return s.end()
	}
	for {
		s.space()
		key, err := s.str()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.errorf("expected a colon")
		}
		value, err := s.value()
		if err != nil {
			return err
		}
		if !fn(key, value) {
			return nil
		}
		if s.take(',') {
			continue
		}
		if s.take('}') {
			return s.end()
		}
		return s.errorf("expected a comma or the object's end")
	}
}

// eachElement is eachMember for a list; it stops at what it cannot read.
func eachElement(raw []byte, fn func(value []byte) bool) {
	s := scanner{b: raw}
	if !s.take('[') || s.take(']') {
		return
	}
	for {
		value, err := s.value()
		if err != nil || !fn(value) || !s.take(',') {
			return
		}
	}
}

// member returns the value of one member of the object raw, nil if there is none.
func member(raw []byte, name string) []byte {
	var found []byte
	_ = eachMember(raw, func(key, value []byte) bool {
		if string(unquote(key)) == name {
			found = value
		}
		return true
	})
	return found
}

// unquote returns the text of a quoted JSON string as valid UTF-8: what is not,
// and lone surrogates, become U+FFFD, as encoding/json has it. The result
// shares memory with q when there was nothing to change.
func unquote(q []byte) []byte {
	if len(q) < 2 {
		return nil
	}
	s := q[1 : len(q)-1]
	next := bytes.IndexByte(s, '\\')
	if next < 0 && utf8.Valid(s) {
		return s
	}
	out := make([]byte, 0, len(s))
	for next >= 0 {
		out = appendValid(out, s[:next])
		s = s[next:]
		var n int
		out, n = appendEscape(out, s)
		s = s[n:]
		next = bytes.IndexByte(s, '\\')
	}
	return appendValid(out, s)
}

// unquoteHere is unquote in q's own memory: what q was is lost. A flood of text is
// the one large thing with escapes in it, and it needs no second copy.
func unquoteHere(q []byte) []byte {
	if len(q) < 2 {
		return nil
	}
	s := q[1 : len(q)-1]
	next := bytes.IndexByte(s, '\\')
	if next < 0 || !utf8.Valid(s) { // U+FFFD is longer than the byte it replaces
		return unquote(q)
	}
	out := s[:0]
	for next >= 0 {
		out = append(out, s[:next]...)
		s = s[next:]
		var n int
		out, n = appendEscape(out, s) // never longer than the escape
		s = s[n:]
		next = bytes.IndexByte(s, '\\')
	}
	return slices.Clip(append(out, s...))
}

func appendValid(out, s []byte) []byte {
	if utf8.Valid(s) {
		return append(out, s...)
	}
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		out = utf8.AppendRune(out, r)
		s = s[n:]
	}
	return out
}

// appendEscape appends what the escape at the start of s stands for and returns
// how many bytes it took. An unknown escape stands for itself.
func appendEscape(out, s []byte) ([]byte, int) {
	if len(s) < 2 {
		return append(out, s...), len(s)
	}
	switch c := s[1]; c {
	case '"', '\\', '/':
		return append(out, c), 2
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'n':
		return append(out, '\n'), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'u':
		return appendUnicode(out, s)
	}
	return append(out, '\\'), 1
}

func appendUnicode(out, s []byte) ([]byte, int) {
	r := hex4(s)
	if r < 0 {
		return append(out, '\\'), 1
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), 6
	}
	if pair := utf16.DecodeRune(r, hex4(s[6:])); pair != utf8.RuneError {
		return utf8.AppendRune(out, pair), 12
	}
	return utf8.AppendRune(out, utf8.RuneError), 6
}

// hex4 reads the \uXXXX at the start of s, -1 if there is none.
func hex4(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range s[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// EachMember calls fn with the members of the JSON object raw, values as they are
// written. Python's NaN and Infinity are values too.
func EachMember(raw []byte, fn func(name string, value []byte)) error {
	return eachMember(raw, func(key, value []byte) bool {
		fn(string(unquote(key)), value)
		return true
	})
}
