package terminal

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/processtest"
)

// TestTerminal: a terminal is known as one, with its width; one that does not
// know its size has 80 columns; other files are none.
func TestTerminal(t *testing.T) {
	_, program := processtest.Terminal(t)
	for columns, want := range map[uint16]int{40: 40, 0: 80} {
		if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
			t.Fatal(err)
		}
		if got := Width(program); got != want || !Is(program) {
			t.Errorf("%d columns: %d, terminal %v", columns, got, Is(program))
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, f := range map[string]*os.File{"pipe": r, "null": null} {
		if Is(f) || Width(f) != 0 {
			t.Errorf("a %s is a terminal", name)
		}
	}
}
