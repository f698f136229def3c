package spare

import "golang.org/x/sys/unix"

// Of setpriority(2): a process in the background, which its user can take out again.
const (
	prioDarwinProcess = 4
	prioDarwinBG      = 0x1000
)

func lowerPriority(pid int) (restore func()) {
	_ = unix.Setpriority(prioDarwinProcess, pid, prioDarwinBG)
	return func() { _ = unix.Setpriority(prioDarwinProcess, pid, 0) }
}
