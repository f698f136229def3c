package confine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LandlockABI is the version of Landlock that this system has, 0 for none.
func LandlockABI() int {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

// Rights of Landlock.
const (
	fileRights = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	readRights   = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	deviceRights = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	// writeRights have no device files in them.
	writeRights = readRights | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REFER |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
)

// ruleset says what is refused unless a rule allows it. A unix socket of somebody
// outside is allowed by none; those made inside always are.
func ruleset(abi int, network bool) unix.LandlockRulesetAttr {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: writeRights | unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK}
	if abi >= devicesABI {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= scopeABI {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	if abi >= WholeABI {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	}
	if !network {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	return attr
}

// rights are those of the rule, of what is refused otherwise.
func (r rule) rights(handled uint64, directory bool) uint64 {
	rights := map[access]uint64{reading: readRights, writing: writeRights | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, device: deviceRights}[r.access] & handled
	if !directory {
		rights &= fileRights
	}
	return rights
}

// landlock confines this thread, and what it starts, to the plan.
func (p Plan) landlock() error {
	if has := LandlockABI(); has < p.ABI || p.ABI < OldestABI {
		return fmt.Errorf("the Landlock of this system is version %d, and %d is needed", has, max(p.ABI, OldestABI))
	}
	rules, err := p.rules()
	if err != nil {
		return err
	}
	attr := ruleset(p.ABI, p.Network)
	set, err := newRuleset(attr)
	if err != nil {
		return err
	}
	defer unix.Close(set)
	for _, r := range rules {
		if err := r.add(set, attr.Handled_access_fs); err != nil && !(r.found && gone(err)) {
			return fmt.Errorf("allowing %s: %w", r.path, err)
		}
	}
	return restrictSelf(set)
}

// gone reports whether a path is not there, or nobody can get at it anyway.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO)
}

func newRuleset(attr unix.LandlockRulesetAttr) (fd int, err error) {
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return 0, fmt.Errorf("making a ruleset of Landlock: %w", errno)
	}
	return int(set), nil
}

func restrictSelf(set int) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(set), 0, 0); errno != 0 {
		return fmt.Errorf("entering Landlock: %w", errno)
	}
	return nil
}

// add adds the rule to a ruleset. The path has no links: one on it is new.
func (r rule) add(set int, handled uint64) error {
	fd, err := unix.Openat2(unix.AT_FDCWD, r.path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: r.rights(handled, stat.Mode&unix.S_IFMT == unix.S_IFDIR), Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// dropCapabilities takes all from this thread and from what it starts, root's too.
func dropCapabilities() error {
	for c := uintptr(0); ; c++ {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err != nil {
			break // the last was the one before
		}
		// Who may not do this has none that a program could get back.
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	return nil
}

// landlockThread starts a thread that is confined to the plan, and tries what must not
// work there. The thread stays until the process ends.
func (p Plan) landlockThread() (*Thread, error) {
	t := &Thread{calls: make(chan func())}
	entered := make(chan error)
	go t.run(p, entered)
	return t, <-entered
}

// run is never the first thread: that one stands for the process when it is sent a
// signal, or asked for its files.
func (t *Thread) run(p Plan, entered chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		go t.run(p, entered)
		select {} // holds it
	}
	err := p.enter()
	entered <- err
	for call := range t.calls {
		call()
	}
}

func (p Plan) enter() error {
	if err := p.landlock(); err != nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	if err := p.Check.Try(); err != nil {
		return err
	}
	return loadFilter(filterAlone(p.Network), 0)
}

// Do calls f on the thread, which then may use the processors that the caller may.
func (t *Thread) Do(f func()) {
	if t == nil || t.calls == nil {
		f()
		return
	}
	var cores unix.CPUSet
	known := unix.SchedGetaffinity(0, &cores) == nil
	done := make(chan struct{})
	t.calls <- func() {
		defer close(done)
		if known {
			unix.SchedSetaffinity(0, &cores)
		}
		f()
	}
	<-done
}
