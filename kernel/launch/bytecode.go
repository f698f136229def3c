package launch

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// sourceTime is the time that the launcher's files have, in seconds since 1970: Python uses
// bytecode again whose source has the same time and size.
const sourceTime = 1_000_000_000

// oldBytecode is when the bytecode of another version is removed, after it was made.
const oldBytecode = 30 * 24 * time.Hour

// KeepBytecode has Python keep the launcher's bytecode in a directory below kept, for the
// kernels of other servers too, instead of below dir, where [Write] has written it. What is
// in kept runs as the user, so only the user may write there; it can be removed at any time.
// An error means that there is none, and each server's first kernel starts later.
func KeepBytecode(dir, kept string) error {
	link := filepath.Join(dir, "mce_launch", "__pycache__")
	if _, err := os.Lstat(link); err == nil {
		return nil
	}
	own := filepath.Join(kept, version())
	if _, err := os.Lstat(own); err != nil {
		removeOld(kept)
		if err := os.MkdirAll(own, 0o700); err != nil {
			return err
		}
	}
	if err := os.Symlink(own, link); err != nil {
		if _, there := os.Lstat(link); there != nil { // else another kernel's start has made it
			return err
		}
	}
	return nil
}

// version tells the files of this launcher from those of others.
var version = sync.OnceValue(func() string {
	sum := sha256.New()
	// They are in this program: reading them cannot fail.
	_ = fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		source, err := sources.ReadFile(name)
		sum.Write([]byte(name))
		sum.Write(source)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8])
})

// removeOld removes bytecode that nothing is likely to use any more.
func removeOld(kept string) {
	entries, _ := os.ReadDir(kept)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > oldBytecode {
			os.RemoveAll(filepath.Join(kept, entry.Name()))
		}
	}
}
