package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// terminalWidth returns the columns of the console f is, 0 when it is none or
// does not understand escape sequences.
func terminalWidth(f *os.File) int {
	var mode uint32
	if windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) != nil || mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING == 0 {
		return 0
	}
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info) != nil {
		return 80
	}
	return int(info.Size.X)
}
