//go:build !unix

package rundir

import (
	"fmt"
	"io/fs"
	"os"
)

// Without flock no directory can be told to be free: none is swept.
func lockDir(string) error       { return nil }
func lockFree(string) bool       { return false }
func ownedByUs(fs.FileInfo) bool { return false }

// Private fails: who can get at a directory is not known here.
func Private(path string) error {
	return fmt.Errorf("%s: who can get at it is not known on this system", path)
}

func keepDir(dir string) error {
	_, err := os.Lstat(dir)
	return err
}
