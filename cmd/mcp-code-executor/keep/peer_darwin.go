package keep

import "golang.org/x/sys/unix"

// localPeerPID is LOCAL_PEERPID of sys/un.h.
const localPeerPID = 0x2

// credentials tells who is at the other end of a socket.
func credentials(fd int) (uid, pid int, err error) {
	c, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, 0, err
	}
	pid, err = unix.GetsockoptInt(fd, unix.SOL_LOCAL, localPeerPID)
	return int(c.Uid), pid, err
}

// parent is the parent of a process, 0 when that is not known.
func parent(pid int) int {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0
	}
	return int(info.Eproc.Ppid)
}

// stoppedState is SSTOP of sys/proc.h.
const stoppedState = 4

// stopped reports whether a process was stopped by a signal, which time does not end.
func stopped(pid int) bool {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	return err == nil && info.Proc.P_stat == stoppedState
}
