package codefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mcp-code-executor/mcp-code-executor/session/spelling"
)

// Path gives the absolute path of a code file named by its name, its path
// relative to the storage directory, or its full path. It is meant for handing
// the file to Python; use [Folder.Read] to read it. Errors are [*NameError],
// [*NotFoundError], [*NotRegularError], [*OutsideError] and [*StorageError].
func (d *Folder) Path(path string) (string, error) {
	f, rel, err := d.open(path, os.O_RDONLY)
	if err != nil {
		err = instead(err, func(file string) string { return "to run that file, run this code: " + runLine(file) })
		if e, ok := errors.AsType[*OutsideError](err); ok { // which is not looked at
			e.Instead = "if it is there, this code runs it: " + runLine(e.File)
		}
		return "", err
	}
	f.Close()
	return filepath.Join(d.dir, rel), nil
}

// open opens a regular file inside the directory without blocking. rel is its
// path relative to the directory.
func (d *Folder) open(path string, flag int) (f *os.File, rel string, err error) {
	rel, err = d.relative(path)
	if err != nil {
		return nil, "", err
	}
	rel, info, err := d.find(rel)
	if err != nil {
		return nil, "", d.openError(path, err)
	}
	// Looking first spares devices the side effects of being opened; the look
	// after the open is the one that counts.
	if !info.Mode().IsRegular() {
		return nil, "", &NotRegularError{Path: path, Kind: kindOf(info)}
	}
	f, err = d.root.OpenFile(rel, flag|nonblock, 0)
	if err != nil {
		return nil, "", d.openError(path, err)
	}
	if err := checkOpened(f, path, flag != os.O_RDONLY); err != nil {
		f.Close()
		return nil, "", err
	}
	return f, rel, nil
}

// checkOpened judges the file behind the handle, which no swap can change.
func checkOpened(f *os.File, path string, writing bool) error {
	info, err := f.Stat()
	if err != nil {
		return &StorageError{Path: path, Reason: plain(err), Err: err}
	}
	if !info.Mode().IsRegular() {
		return &NotRegularError{Path: path, Kind: kindOf(info)}
	}
	if n := links(f, info); writing && n > 1 {
		return &NotRegularError{Path: path, Kind: fmt.Sprintf("a file with %d hard links (writing to it would change the others)", n)}
	}
	return nil
}

// find looks up the name as given, then in NFC, then with ".py".
func (d *Folder) find(rel string) (string, fs.FileInfo, error) {
	info, err := d.root.Stat(rel)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return rel, info, err
	}
	composed := norm.NFC.String(rel)
	for _, other := range []string{composed, composed + ".py"} {
		if other == rel || hasExtension(filepath.Base(rel)) && other != composed {
			continue
		}
		if info, e := d.root.Stat(other); e == nil {
			return other, info, nil
		}
	}
	return rel, nil, err
}

// relative turns what a caller calls a file into a path below the directory.
// It judges only text; os.Root judges the file system.
func (d *Folder) relative(path string) (string, error) {
	bad := func(reason string) (string, error) { return "", &NameError{Name: path, Reason: reason} }
	switch {
	case strings.TrimSpace(path) == "":
		return bad("is empty")
	case len(path) > 4096:
		return bad(fmt.Sprintf("has %d bytes, more than 4096", len(path)))
	case !utf8.ValidString(path):
		return bad("is not valid UTF-8")
	case strings.ContainsFunc(path, unicode.IsControl):
		return bad("holds a control character")
	}
	rel := filepath.Clean(path)
	if filepath.IsAbs(path) {
		rel = d.below(path)
	}
	if rel == "" || !filepath.IsLocal(rel) {
		return "", d.outside(path)
	}
	for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		if len(part) > 255 {
			return bad(fmt.Sprintf("has a part of %d bytes, more than a file system's 255", len(part)))
		}
	}
	return rel, nil
}

// below is the path relative to the directory, by either of its names, or "".
func (d *Folder) below(path string) string {
	for _, dir := range []string{d.dir, d.real} {
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return ""
}

// openError says in our terms why a path could not be opened.
func (d *Folder) openError(path string, err error) error {
	switch {
	case d.escapes != nil && errors.Is(err, d.escapes):
		e := d.outside(path)
		e.Link = true
		return e
	case errors.Is(err, fs.ErrNotExist):
		if d.isLink(path) {
			return &NotRegularError{Path: path, Kind: "a symbolic link whose target is not there"}
		}
		return d.notFound(path)
	case errors.Is(err, syscall.ENOTDIR):
		return d.notFound(path)
	case errors.Is(err, syscall.EISDIR):
		return &NotRegularError{Path: path, Kind: "a directory"}
	case errors.Is(err, syscall.ENXIO): // a FIFO or socket that was swapped in
		return &NotRegularError{Path: path, Kind: "a FIFO or socket"}
	case errors.Is(err, syscall.ELOOP):
		return &NotRegularError{Path: path, Kind: "a loop of symbolic links"}
	}
	return &StorageError{Path: path, Reason: "cannot be opened: " + plain(err), Err: err}
}

func (d *Folder) isLink(path string) bool {
	rel, err := d.relative(path)
	if err != nil {
		return false
	}
	info, err := d.root.Lstat(rel)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// Bounds on the files an error names: how many, and in how many bytes.
const (
	maxNames      = 10
	maxNamesBytes = 600
)

// notFound makes the error for a file that is not there.
func (d *Folder) notFound(path string) error {
	e := &NotFoundError{Path: path, Near: d.near(path), Storage: d.dir}
	names, _ := d.names()
	names = slices.DeleteFunc(names, func(name string) bool { return IsTemporary(name) || name == "__pycache__" })
	slices.Sort(names)
	e.Total = len(names)
	size := 0
	for _, name := range names {
		if strings.ContainsFunc(name, unusable) {
			name = quote(name)
		}
		if size += len(name); len(e.Names) == maxNames || size > maxNamesBytes {
			break
		}
		e.Names = append(e.Names, name)
	}
	return e
}

// near gives existing names close to the one asked for, in its directory.
func (d *Folder) near(path string) []string {
	dir := "."
	if rel, err := d.relative(path); err == nil {
		dir = filepath.Dir(rel)
	}
	want := strings.ToLower(strings.TrimSuffix(filepath.Base(path), ".py"))
	if len(want) > MaxName {
		return nil
	}
	type candidate struct {
		name string
		far  int
	}
	var found []candidate
	names, _ := d.namesIn(dir)
	for _, name := range names {
		stem := strings.ToLower(strings.TrimSuffix(name, ".py"))
		if IsTemporary(name) || len(stem) > MaxName {
			continue
		}
		far := spelling.Distance(want, stem)
		if strings.HasPrefix(stem, want+"_") { // plot → plot_2
			far = 1
		}
		if far <= 1+len(want)/4 {
			found = append(found, candidate{name, far})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.far != b.far {
			return a.far - b.far
		}
		return strings.Compare(a.name, b.name)
	})
	var near []string
	for _, c := range found[:min(3, len(found))] {
		near = append(near, filepath.Join(dir, c.name))
	}
	return near
}

// outside makes the error for a path that leads out.
func (d *Folder) outside(path string) *OutsideError {
	abs := path
	if !filepath.IsAbs(path) {
		abs = filepath.Join(d.dir, path)
	}
	return &OutsideError{Path: path, Storage: d.dir, File: abs}
}

// runPlain matches paths that IPython's %run takes as they are. Others it would
// split, or expand as $variables and {expressions}.
var runPlain = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\pL\pN/_.,@+=~:-]+$`) })

// runLine is a line of code that runs the file in the session's namespace.
func runLine(path string) string {
	if runPlain().MatchString(path) {
		return "%run " + path
	}
	if runPlain().MatchString(strings.ReplaceAll(path, " ", "")) {
		return `%run "` + path + `"`
	}
	return fmt.Sprintf("import runpy; globals().update(runpy.run_path(%s, run_name='__main__'))", pythonString(path))
}

// pythonString is a Python literal of s.
func pythonString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// kindOf names what a FileInfo describes.
func kindOf(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "something else than a file"
}

// plain is an error's cause without the operation and the path around it.
func plain(err error) string { return cause(err).Error() }

func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
