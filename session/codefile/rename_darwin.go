package codefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames within dir unless the new name is taken. The names
// have no separators, so nothing outside dir can be meant.
func renameNoReplace(dir *os.File, from, to string) error {
	fd := int(dir.Fd())
	err := unix.RenameatxNp(fd, from, fd, to, unix.RENAME_EXCL)
	if err == unix.ENOTSUP || err == unix.EINVAL { // the file system does not know the flag
		return errors.ErrUnsupported
	}
	return err
}
