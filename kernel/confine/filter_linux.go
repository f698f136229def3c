package confine

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// The fields of struct seccomp_data (linux/seccomp.h). Arguments are eight bytes, low
// half first on the processors that we have a filter for.
const (
	dataNumber   = 0
	dataArch     = 4
	dataArgument = 16
)

// x32 is the bit of the numbers of amd64's second set of system calls.
const x32 = 0x4000_0000

// architecture is what the system calls this processor, 0 for one without a filter.
func architecture() uint32 {
	switch runtime.GOARCH {
	case "amd64":
		return unix.AUDIT_ARCH_X86_64
	case "arm64":
		return unix.AUDIT_ARCH_AARCH64
	}
	return 0
}

// refused are system calls that reach past a sandbox of mounts and namespaces, or are
// often the way out of one, and that no analysis needs.
func refused() []uint32 {
	return []uint32{
		// Keys of the person's, which no namespace hides.
		unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
		// Other processes' memory.
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
		// Mounts and namespaces.
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
		unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
		unix.SYS_SETNS, unix.SYS_UNSHARE, unix.SYS_CHROOT,
		// Files by number, which pass by all mounts.
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT,
		// The system's own parts.
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD,
		unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_SYSLOG, unix.SYS_ACCT, unix.SYS_QUOTACTL,
	}
}

// absent are refused as an older system does: programs then go another way.
func absent() []uint32 {
	return []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}
}

// families are the kinds of sockets that can be made. Others, such as VM sockets,
// reach past a network namespace or into rarely used parts of the system.
func families() []uint32 {
	return []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
}

// refusedAlone are those that namespaces of its own make harmless: without them they
// reach other programs of the person's.
func refusedAlone() []uint32 {
	return []uint32{
		unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SHMCTL, unix.SYS_SEMGET, unix.SYS_SEMOP, unix.SYS_SEMCTL, unix.SYS_SEMTIMEDOP,
		unix.SYS_MSGGET, unix.SYS_MSGSND, unix.SYS_MSGRCV, unix.SYS_MSGCTL, unix.SYS_MQ_OPEN, unix.SYS_MQ_UNLINK,
	}
}

// namespaces are the flags of clone that make some.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

func errno(e unix.Errno) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(e)}
}

func allow() unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// skip passes over n instructions unless the loaded value is k.
func skip(k uint32, n uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: n}
}

// filter is the program that judges each system call; nil for a processor without one.
// It allows what it does not name: what protects is the sandbox, this closes its gaps.
func filter() []unix.SockFilter {
	return newFilter(refused(), absent(), families(), []unix.SockFilter{errno(unix.EAFNOSUPPORT)})
}

// filterAlone is filter where there are no namespaces. Without network no socket of it
// can be made.
func filterAlone(network bool) []unix.SockFilter {
	families, otherwise := families(), []unix.SockFilter{errno(unix.EAFNOSUPPORT)}
	if !network {
		// libzmq aborts its process on any other error of its look for interfaces.
		families, otherwise = []uint32{unix.AF_UNIX}, []unix.SockFilter{skip(unix.AF_NETLINK, 1), errno(unix.EOPNOTSUPP), errno(unix.EACCES)}
	}
	// The flags of clone3 lie in memory, where a filter cannot look.
	f := newFilter(append(refused(), refusedAlone()...), append(absent(), unix.SYS_CLONE3), families, otherwise)
	if f == nil {
		return nil
	}
	return append(f[:len(f)-1],
		skip(unix.SYS_CLONE, 4), load(dataArgument),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: namespaces, Jf: 1}, errno(unix.EPERM), allow(),
		// The limits of other processes.
		skip(unix.SYS_PRLIMIT64, 4), load(dataArgument), skip(0, 1), allow(), errno(unix.EPERM),
		allow())
}

// KeepProcessors has what this thread starts keep the processors that the thread may use
// now. Of a sandbox: it cannot be undone.
func KeepProcessors() error {
	f := newFilter([]uint32{unix.SYS_SCHED_SETAFFINITY}, nil, nil, []unix.SockFilter{allow()})
	return loadFilter(f, 0)
}

// newFilter refuses system calls, has others as absent, and lets sockets of some families
// be made; otherwise is what comes of the others, and ends. Its last instruction allows
// the rest.
func newFilter(refused, absent, families []uint32, otherwise []unix.SockFilter) []unix.SockFilter {
	arch := architecture()
	if arch == 0 {
		return nil
	}
	// System calls of another set have other numbers: none of them.
	f := []unix.SockFilter{load(dataArch), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jt: 1}, errno(unix.EPERM), load(dataNumber)}
	if runtime.GOARCH == "amd64" {
		f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: x32, Jf: 1}, errno(unix.EPERM))
	}
	for _, number := range refused {
		f = append(f, skip(number, 1), errno(unix.EPERM))
	}
	for _, number := range absent {
		f = append(f, skip(number, 1), errno(unix.ENOSYS))
	}
	// Typing into a terminal that is not the sandbox's.
	f = append(f, skip(unix.SYS_IOCTL, 6), load(dataArgument+8), skip(unix.TIOCSTI, 1), errno(unix.EPERM), skip(unix.TIOCLINUX, 1), errno(unix.EPERM), allow())
	f = append(f, skip(unix.SYS_SOCKET, uint8(1+2*len(families)+len(otherwise))), load(dataArgument))
	for _, family := range families {
		f = append(f, skip(family, 1), allow())
	}
	return append(append(f, otherwise...), allow())
}
