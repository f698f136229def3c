package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// configFile is a client's file as it was read.
type configFile struct {
	path    string // as the client knows it
	target  string // where the bytes lie: path may be a symbolic link
	content []byte
	info    fs.FileInfo // nil when there is no file
}

// maxFile bounds what is read: a configuration is never so large.
const maxFile = 64 << 20

// readFile reads a file, which need not be there.
func readFile(path string) (*configFile, error) {
	f := &configFile{path: path, target: path}
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if link, err := os.Readlink(path); err == nil {
			return nil, fmt.Errorf("%s is a symbolic link to %s, which is not there: make that file or remove the link", path, link)
		}
		return f, nil
	} else if err != nil {
		return nil, err
	}
	f.target = target
	if f.info, err = os.Stat(target); err != nil {
		return nil, err
	}
	if !f.info.Mode().IsRegular() || f.info.Size() > maxFile {
		return nil, fmt.Errorf("%s is no file of a configuration", path)
	}
	f.content, err = os.ReadFile(target)
	return f, err
}

// write puts content into the file's place, whole or not at all, and returns the path
// of the backup of what was there.
func (f *configFile) write(content []byte) (backup string, err error) {
	dir, mode := filepath.Dir(f.target), fs.FileMode(0o600)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if f.info != nil {
		if mode = f.info.Mode().Perm(); mode&0o200 == 0 {
			return "", fmt.Errorf("%s is read-only and was not changed: make it writable (chmod u+w), or add the entry by hand", f.target)
		}
		if now, err := os.ReadFile(f.target); err != nil || !bytes.Equal(now, f.content) {
			return "", fmt.Errorf("%s has changed meanwhile and was left alone: run this again", f.target)
		}
		if backup, err = writeBackup(f.target, f.content, mode); err != nil {
			return "", fmt.Errorf("writing a backup: %w; nothing was changed", err)
		}
	}
	return backup, replace(f.target, content, mode)
}

// replace writes a new file beside the old one and moves it into its place.
func replace(path string, content []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("%s was not changed: %w", path, err)
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("%s was not changed: %w", path, err)
	}
	return nil
}

// writeBackup keeps the old content beside the file, under a name of its own.
func writeBackup(path string, content []byte, mode fs.FileMode) (string, error) {
	stem := path + ".backup-" + time.Now().Format("20060102-150405")
	for i := 0; ; i++ {
		name := stem
		if i > 0 {
			name = fmt.Sprintf("%s-%d", stem, i)
		}
		b, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if errors.Is(err, fs.ErrExist) && i < 100 {
			continue
		} else if err != nil {
			return "", err
		}
		_, err = b.Write(content)
		return name, errors.Join(err, b.Close())
	}
}
