package livenotebook

import (
	"bufio"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// errChanged says that somebody else has changed a notebook, or removed it.
var errChanged = errors.New("somebody else has changed the notebook")

// file is a notebook as it was written last.
type file struct {
	path, name string // "" before the first time
	before     string // the file that it goes on from, or ""
	first      int    // of its cells
	spans      []notebook.Span
	size       int64
	info       fs.FileInfo // nil when it could not be asked
	seed       maphash.Seed
	sum        uint64 // of the content
}

// writer writes the book's next version. What has not changed comes from old, the
// version before, which is nil for none.
func (f *file) writer(b *book, old *version) func(io.Writer) error {
	return func(w io.Writer) error {
		sum := &maphash.Hash{}
		about := map[string]any{"live": map[string]any{"server": b.prefix, "before": f.before}}
		before := f.before
		if before != "" {
			before = filepath.Base(before)
		}
		known := f.spans
		kept := func(i int, w io.Writer) (bool, error) {
			if old == nil || i-f.first >= len(known) {
				return false, nil
			}
			return true, old.copy(w, known[i-f.first])
		}
		spans, err := b.grown.Write(io.MultiWriter(w, sum), f.first, notebook.ContinuedWords(before), about, kept)
		if err == nil && old != nil {
			err = old.verify(f.sum)
		}
		f.spans, f.seed, f.sum = spans, sum.Seed(), sum.Sum64()
		return err
	}
}

// placed notes where the file is now.
func (f *file) placed(made codefile.File) {
	f.path, f.name, f.size = made.Path, made.Name, made.Size
	f.info, _ = os.Lstat(f.path) // without it the content tells
	f.permit(^fs.FileMode(0o222))
}

// permit lets the file have those of its permissions that allowed has. While it is
// written again it is read-only: JupyterLab saves by itself what it has only opened. On
// Windows no read-only file can be replaced.
func (f *file) permit(allowed fs.FileMode) {
	if f.info != nil && runtime.GOOS != "windows" {
		_ = os.Chmod(f.path, f.info.Mode().Perm()&allowed) // it is a help, no more
	}
}

// version is a notebook as it lies there, being read once from its beginning.
type version struct {
	path string
	file *os.File
	info fs.FileInfo
	sum  *maphash.Hash
	in   *bufio.Reader
	at   int64
}

// open opens what was written last; errChanged when that is not there any more.
func (f *file) open() (*version, error) {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() != f.size) {
		return nil, errChanged
	}
	if err != nil {
		return nil, err
	}
	opened, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	v := &version{path: f.path, file: opened, info: info, sum: &maphash.Hash{}}
	v.sum.SetSeed(f.seed)
	v.in = bufio.NewReaderSize(io.TeeReader(opened, v.sum), 256<<10)
	if same(info, f.info) {
		return v, nil
	}
	// Written again as it was, or only touched: then it is still ours.
	var whole maphash.Hash
	whole.SetSeed(f.seed)
	if _, err = io.Copy(&whole, opened); err == nil {
		_, err = opened.Seek(0, io.SeekStart)
	}
	if err == nil && whole.Sum64() != f.sum {
		err = errChanged
	}
	if err != nil {
		opened.Close()
		return nil, err
	}
	return v, nil
}

func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// copy writes a piece; pieces must come in order.
func (v *version) copy(w io.Writer, s notebook.Span) error {
	if _, err := v.in.Discard(int(s.From - v.at)); err != nil {
		return shortened(err)
	}
	v.at = s.To
	_, err := io.CopyN(w, v.in, s.To-s.From)
	return shortened(err)
}

// shortened is the error of reading what should be there.
func shortened(err error) error {
	if errors.Is(err, io.EOF) {
		return errChanged
	}
	return err
}

// verify reads the rest: what was copied must be what was written.
func (v *version) verify(sum uint64) error {
	if _, err := io.Copy(io.Discard, v.in); err != nil {
		return err
	}
	if v.sum.Sum64() != sum {
		return errChanged
	}
	return nil
}

// unchanged is asked right before another version takes its place.
func (v *version) unchanged() error {
	v.file.Close() // Windows replaces no open file
	if now, err := os.Lstat(v.path); err != nil || !same(now, v.info) {
		return errChanged
	}
	return nil
}

func (v *version) Close() { v.file.Close() }
