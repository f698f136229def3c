package kernel

import (
	"strings"
	"testing"
)

// TestWhole: characters that the guard's reads have cut are put together again.
func TestWhole(t *testing.T) {
	const text = "a\u00e4\u20ac\U0001f40db"
	for cut := range len(text) + 1 {
		var s outsideStream
		got := string(s.whole([]byte(text[:cut]))) + string(s.whole([]byte(text[cut:])))
		if got != text || len(s.part) != 0 {
			t.Errorf("cut at %d: %q, left %q", cut, got, s.part)
		}
	}
	var s outsideStream
	var all strings.Builder
	for i := range len(text) {
		all.Write(s.whole([]byte{text[i]}))
	}
	if all.String() != text {
		t.Errorf("byte by byte: %q", all.String())
	}
	if got := string(s.whole([]byte("\xff\xfe.\xe2\x82"))) + string(s.part); got != "\ufffd.\xe2\x82" {
		t.Errorf("no UTF-8: %q", got)
	}
}

func TestWithout(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int64
		want string
	}{{"a\u00e4b", 0, "a\u00e4b"}, {"a\u00e4b", 2, "b"}, {"ab", 5, ""}, {"\xff\xfeb", 2, "b"}} {
		if got := string(without([]byte(tt.text), tt.n)); got != tt.want {
			t.Errorf("without(%q, %d) = %q", tt.text, tt.n, got)
		}
	}
}
