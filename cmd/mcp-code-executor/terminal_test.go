package main

import (
	"bytes"
	"os"
	"testing"
)

// TestProgressPlain: where there is no terminal each thing is a line, once.
func TestProgressPlain(t *testing.T) {
	var b bytes.Buffer
	p := newProgressLine(&b)
	for _, text := range []string{"one", "one", "", "two"} {
		p.say(text)
	}
	p.clear()
	p.close()
	if b.String() != "... one\n... two\n" {
		t.Errorf("%q", b.String())
	}
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if width := terminalWidth(file); width != 0 {
		t.Errorf("a file is a terminal of %d columns", width)
	}
}

// TestProgressMoving: on a terminal one line is drawn over and over, never wider
// than the terminal, and taken away.
func TestProgressMoving(t *testing.T) {
	var b bytes.Buffer
	p := &progressLine{w: &b, width: 12, stop: make(chan struct{})}
	p.say("a long line äöü")
	p.say("b")
	p.close()
	if want := "\r\x1b[K... a long \r\x1b[K... b\r\x1b[K"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
