package host

import (
	"errors"
	"os"
	"os/exec"

	"golang.org/x/sys/windows"
)

// Names that differ by operating system.
const (
	binName   = "Scripts" // a venv's directory of programs
	ExeSuffix = ".exe"
)

func setGroup(cmd *exec.Cmd) {}

func killGroup(p *os.Process) { _ = p.Kill() }

// Writable reports whether a file may be written to as far as its attributes say.
func Writable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && (info.IsDir() || info.Mode().Perm()&0o200 != 0)
}

// alive reports whether there is a process of that id.
func alive(pid int) bool {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return !errors.Is(err, windows.ERROR_INVALID_PARAMETER)
	}
	_ = windows.CloseHandle(h)
	return true
}

// HasLinks reports whether a file has another name as well, which is not known here.
func HasLinks(os.FileInfo) bool { return false }
