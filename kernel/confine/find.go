package confine

import (
	"os"
	"path/filepath"
)

// Find returns bubblewrap's path: the system's, or the first in dirs. It is run
// outside of the sandbox, so one in a directory that code can write to does not count.
func Find(dirs []string, writable []string) (string, error) {
	for _, dir := range append([]string{"/usr/bin", "/bin", "/usr/local/bin"}, dirs...) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path, err := filepath.EvalSymlinks(filepath.Join(dir, "bwrap"))
		if err != nil || withinAny(path, writable) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &Refused{Reason: "bubblewrap (bwrap) is not installed",
		Next: "install it (apt-get install bubblewrap, dnf install bubblewrap, pacman -S bubblewrap)"}
}

func withinAny(path string, dirs []string) bool {
	for _, dir := range dirs {
		if Within(path, dir) {
			return true
		}
	}
	return false
}
