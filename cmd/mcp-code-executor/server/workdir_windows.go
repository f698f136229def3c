package server

import (
	"os"
	"path/filepath"
)

// usable reports whether a directory is there and writable, which only writing tells.
func usable(dir string) bool {
	f, err := os.CreateTemp(dir, ".mce-")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(filepath.Join(dir, filepath.Base(f.Name()))) == nil
}
