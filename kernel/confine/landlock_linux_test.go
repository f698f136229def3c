package confine

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestRuleset: each version of Landlock is asked for what it knows and no more, and no
// rule gives what cannot be given.
func TestRuleset(t *testing.T) {
	for abi := OldestABI; abi <= WholeABI; abi++ {
		attr := ruleset(abi, false)
		if got := attr.Handled_access_fs&unix.LANDLOCK_ACCESS_FS_IOCTL_DEV != 0; got != (abi >= 5) {
			t.Errorf("%d: devices %v", abi, got)
		}
		if got := attr.Handled_access_fs&unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX != 0; got != (abi >= 9) {
			t.Errorf("%d: sockets with a path %v", abi, got)
		}
		if got := attr.Scoped != 0; got != (abi >= 6) {
			t.Errorf("%d: signals %v", abi, got)
		}
		for _, r := range []rule{{access: reading}, {access: writing}, {access: device}} {
			if rights := r.rights(attr.Handled_access_fs, true); rights == 0 || rights&^attr.Handled_access_fs != 0 ||
				rights&(unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX|unix.LANDLOCK_ACCESS_FS_MAKE_CHAR|unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK) != 0 {
				t.Errorf("%d, %v: rights %x", abi, r.access, rights)
			}
			if rights := r.rights(attr.Handled_access_fs, false); rights&^fileRights != 0 {
				t.Errorf("%d, %v: rights of a file %x", abi, r.access, rights)
			}
		}
		if attr.Handled_access_net == 0 || ruleset(abi, true).Handled_access_net != 0 {
			t.Errorf("%d: network %x", abi, attr.Handled_access_net)
		}
	}
}
