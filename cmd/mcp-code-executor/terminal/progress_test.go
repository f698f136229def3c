package terminal

import (
	"bytes"
	"os"
	"testing"
)

// TestProgressPlain: where there is no terminal each thing is a line, once.
func TestProgressPlain(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b)
	for _, text := range []string{"one", "one", "", "two"} {
		p.Say(text)
	}
	p.Clear()
	p.Close()
	if b.String() != "... one\n... two\n" {
		t.Errorf("%q", b.String())
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if width := Width(file); width != 0 {
		t.Errorf("a file is a terminal of %d columns", width)
	}
}

// TestProgressMoving: on a terminal one line is drawn over and over, never wider
// than the terminal, and taken away.
func TestProgressMoving(t *testing.T) {
	var b bytes.Buffer
	p := &Progress{w: &b, width: 12, stop: make(chan struct{})}
	p.Say("a long line äöü")
	p.Say("b")
	p.Close()
	if want := "\r\x1b[K... a long \r\x1b[K... b\r\x1b[K"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
