package terminal

import (
	"os"

	"golang.org/x/term"
)

// Is reports whether f is a terminal. A pipe is not touched: asking for its
// descriptor would make it block.
func Is(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && term.IsTerminal(int(f.Fd()))
}

// Width returns the columns of the terminal f is, 0 when it is none or does not
// understand escape sequences.
func Width(f *os.File) int {
	if !Is(f) || !understandsEscapes(f) {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns == 0 {
		return 80 // a terminal that does not know its size, as in some containers
	}
	return columns
}
