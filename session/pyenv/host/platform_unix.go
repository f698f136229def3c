//go:build unix

package host

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names that differ by operating system.
const (
	binName   = "bin" // a venv's directory of programs
	ExeSuffix = ""
)

func setGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(p *os.Process) { _ = unix.Kill(-p.Pid, unix.SIGKILL) }

// Writable reports whether this process may write to path.
func Writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

// alive reports whether there is a process of that id.
func alive(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// HasLinks reports whether a file has another name as well.
func HasLinks(info os.FileInfo) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && status.Nlink > 1
}
