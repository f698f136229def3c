package pyenv

import (
	"os"
	"path/filepath"
	"testing"
)

// newHost returns a world of its own: an empty home, an empty operating system,
// and just the variables given.
func newHost(t testing.TB, environ ...string) *Host {
	t.Helper()
	dir := t.TempDir()
	h := &Host{Home: filepath.Join(dir, "home"), DataDir: filepath.Join(dir, "data"), Sysroot: filepath.Join(dir, "sys")}
	h.Environ = func() []string { return append([]string{"HOME=" + h.Home}, environ...) }
	for _, d := range []string{h.Home, h.Sysroot} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return h
}
