package terminal

import (
	"os"

	"golang.org/x/sys/windows"
)

// understandsEscapes asks the console, for an old one prints escape sequences.
func understandsEscapes(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil && mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0
}
