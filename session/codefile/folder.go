package codefile

import (
	"errors"
	"os"
	"path/filepath"
)

// Folder is a directory whose files are looked up and read, and which nothing leads
// out of. It is safe for concurrent use.
type Folder struct {
	dir     string // absolute, as configured
	real    string // dir with its symbolic links resolved
	root    *os.Root
	escapes error // what os.Root says of a path that leads out; it exports no name for it
}

// Look opens a directory to read files in it; it makes and changes nothing there.
// The error is a [*StorageError].
func Look(dir string) (*Folder, error) {
	d := &Folder{}
	abs, err := filepath.Abs(dir)
	if err == nil {
		var info os.FileInfo
		// Looking first, because opening a FIFO as a directory would block.
		if info, err = os.Stat(abs); err == nil && !info.IsDir() {
			err = errors.New("is " + kindOf(info) + ", not a directory")
		}
	}
	if err == nil {
		err = d.enter(abs)
	}
	if err != nil {
		return nil, &StorageError{Path: dir, Reason: plain(err), Err: err}
	}
	return d, nil
}

// enter opens dir, an absolute path.
func (d *Folder) enter(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	d.dir, d.real, d.root = dir, dir, root
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		d.real = real
	}
	_, err = root.Lstat("..")
	d.escapes = cause(err)
	return nil
}

// Dir is the absolute path of the directory.
func (d *Folder) Dir() string { return d.dir }

// is reports whether it is the directory that info describes.
func (d *Folder) is(info os.FileInfo) bool {
	own, err := d.root.Stat(".")
	return err == nil && os.SameFile(own, info)
}

// Close releases the directory. Files stay.
func (d *Folder) Close() error { return d.root.Close() }

// names lists the directory, at most 10,000 entries.
func (d *Folder) names() ([]string, error) { return d.namesIn(".") }

// namesIn lists what is in a directory below.
func (d *Folder) namesIn(rel string) ([]string, error) {
	dir, err := d.root.OpenFile(rel, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(10_000)
}
