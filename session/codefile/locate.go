package codefile

import (
	"io"
	"os"
	"path/filepath"
)

// Locate gives the absolute path of a file or directory inside the storage
// directory, for a program that reads it itself, such as an installer. path is
// as for [Folder.Path], and so are the errors.
func (d *Folder) Locate(path string) (abs string, dir bool, err error) {
	rel, err := d.relative(path)
	if err != nil {
		return "", false, err
	}
	info, err := d.root.Stat(rel)
	if err != nil {
		return "", false, d.openError(path, err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return "", false, &NotRegularError{Path: path, Kind: kindOf(info)}
	}
	return filepath.Join(d.dir, rel), info.IsDir(), nil
}

// Bytes gives the beginning of a file as it is: at most limit bytes. path is as
// for [Folder.Path], and so are the errors.
func (d *Folder) Bytes(path string, limit int) ([]byte, error) {
	f, _, err := d.open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)))
	if err != nil {
		return nil, d.openError(path, err)
	}
	return b, nil
}
