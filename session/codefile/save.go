package codefile

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ExistsError says that a file is there already and was left alone.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return quote(e.Path) + " is there already" }

// Save writes a file of any size into the storage directory, or a directory in it that
// is there. The file appears whole or not at all. One that is there already is an
// [*ExistsError], unless overwrite is set. path is as for [Store.Path]; other errors
// are [*NameError], [*OutsideError], [*NotRegularError] and [*StorageError].
func (s *Store) Save(path string, overwrite bool, write func(io.Writer) error) (File, error) {
	return s.save(path, func(in *Store, temp, name string) (string, error) {
		if !overwrite {
			err := in.place(temp, name)
			if errors.Is(err, fs.ErrExist) {
				err = &ExistsError{Path: filepath.Join(in.dir, name)}
			}
			return name, err
		}
		if info, err := in.root.Lstat(name); err == nil && !info.Mode().IsRegular() {
			return "", &NotRegularError{Path: path, Kind: kindOf(info)}
		}
		return name, in.replace(temp, name)
	}, write)
}

// Renew is Save over a file that is written again and again: it does not wait for the
// disk. Right before the new file gets its name, ready is asked; its error leaves
// everything as it was.
func (s *Store) Renew(path string, write func(io.Writer) error, ready func() error) (File, error) {
	unsynced := &Store{Folder: s.Folder, fault: s.fault, unsynced: true}
	return unsynced.save(path, func(in *Store, temp, name string) (string, error) {
		if err := ready(); err != nil {
			return "", &sourceError{err}
		}
		if err := in.faulty("place"); err != nil {
			return "", err
		}
		return name, in.root.Rename(temp, name)
	}, write)
}

// SaveBeside is Save under the name asked for when it is free, else a numbered one.
func (s *Store) SaveBeside(path string, write func(io.Writer) error) (File, error) {
	return s.save(path, func(in *Store, temp, name string) (string, error) {
		for {
			n := in.firstFree(func(n int) string { return numbered(name, n) })
			err := in.place(temp, numbered(name, n))
			if !errors.Is(err, fs.ErrExist) {
				return numbered(name, n), err
			}
		}
	}, write)
}

// MakeFolder makes a directory for the files that belong to one, such as the pictures of a
// text. One that is there already is an [*ExistsError], unless existing is allowed.
func (s *Store) MakeFolder(path string, existing bool) error {
	in, name, err := s.within(path, true)
	if err != nil {
		return err
	}
	defer in.root.Close()
	err = in.root.Mkdir(name, 0o755)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrExist):
		return in.diskError("making "+name, err)
	}
	if info, err := in.root.Lstat(name); !existing || err != nil || !info.IsDir() {
		return &ExistsError{Path: filepath.Join(in.dir, name)}
	}
	return nil
}

// DropFolder removes a directory that MakeFolder has made, with what is in it.
func (s *Store) DropFolder(path string) {
	if in, name, err := s.within(path, true); err == nil {
		_ = in.root.RemoveAll(name) // what is left does no harm
		in.root.Close()
	}
}

// Content gives what a code file holds, and when it was changed last; ok is false when
// it cannot be read, or is larger than one call writes.
func (s *Store) Content(path string) (text string, changed time.Time, ok bool) {
	f, _, err := s.open(path, os.O_RDONLY)
	if err != nil {
		return "", changed, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() > MaxContent {
		return "", changed, false
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxContent))
	return string(b), info.ModTime(), err == nil
}

// save writes a temporary file and lets place give it its name.
func (s *Store) save(path string, place func(in *Store, temp, name string) (string, error), write func(io.Writer) error) (File, error) {
	in, name, err := s.within(path, false)
	if err != nil {
		return File{}, err
	}
	defer in.root.Close()
	temp, size, err := in.temporary(write)
	if err != nil {
		return File{}, err
	}
	asked := name
	if name, err = place(in, temp, name); err != nil {
		in.root.Remove(temp)
		return File{}, in.placeError(asked, err)
	}
	return File{Path: filepath.Join(in.dir, name), Name: name, Size: size, Renamed: name != asked}, nil
}

func (s *Store) placeError(name string, err error) error {
	var exists *ExistsError
	var special *NotRegularError
	var source *sourceError
	if errors.As(err, &source) {
		return source.err
	}
	if errors.As(err, &exists) || errors.As(err, &special) {
		return err
	}
	return s.diskError("saving "+name, err)
}

// within opens the directory of a new file, or directory. The caller closes its root.
func (s *Store) within(path string, folder bool) (in *Store, name string, err error) {
	rel, err := s.relative(path)
	if err != nil {
		return nil, "", err
	}
	dir, name := filepath.Split(rel)
	const noFile = ".d" // what has no extension would get one
	if folder {
		name += noFile
	}
	if name, err = CheckName(name, nil); err != nil {
		return nil, "", err
	}
	if folder {
		name = strings.TrimSuffix(name, noFile)
	}
	if dir = filepath.Clean(dir); dir == "" {
		dir = "."
	}
	root, err := s.root.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", &StorageError{Path: filepath.Join(s.dir, dir), Reason: "is not there", Fix: "make that directory, or choose one that is there", Err: err}
	}
	if err != nil {
		return nil, "", s.openError(path, err)
	}
	return &Store{Folder: Folder{dir: filepath.Join(s.dir, dir), real: s.real, root: root, escapes: s.escapes}, fault: s.fault, unsynced: s.unsynced}, name, nil
}

// temporary writes a hidden file, on the disk when it returns unless that is not wanted.
func (s *Store) temporary(write func(io.Writer) error) (name string, size int64, err error) {
	f, name, err := s.newTemp()
	if err != nil {
		return "", 0, s.diskError("making a file", err)
	}
	told := &sourceError{}
	defer func() {
		if err != nil {
			s.root.Remove(name)
			if !errors.As(err, &told) {
				err = s.diskError("writing the file", err)
			} else {
				err = told.err
			}
		}
	}()
	size, err = fill(f, write)
	if err == nil && !s.unsynced {
		if err = s.faulty("sync"); err == nil {
			err = f.Sync()
		}
	}
	if e := f.Close(); err == nil {
		err = e // network file systems report a full disk only here
	}
	return name, size, err
}

// sourceError is an error of what is written, not of where.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }

func fill(f *os.File, write func(io.Writer) error) (int64, error) {
	w := bufio.NewWriterSize(f, 64<<10)
	if err := write(w); err != nil {
		if w.Flush() == nil {
			return 0, &sourceError{err}
		}
		return 0, err // the disk's
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// replace gives temp the name of a file that may be there.
func (s *Store) replace(temp, name string) error {
	if err := s.faulty("place"); err != nil {
		return err
	}
	if err := s.root.Rename(temp, name); err != nil {
		return err
	}
	dir, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return syncDir(dir)
}
