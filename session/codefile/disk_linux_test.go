package codefile

import "golang.org/x/sys/unix"

// mountTiny mounts a disk of 1 MiB; only root in its own mount space may.
func mountTiny(dir string) error {
	return unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")
}

func unmountTiny(dir string) { unix.Unmount(dir, unix.MNT_DETACH) }
