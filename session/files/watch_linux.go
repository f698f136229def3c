package files

import (
	"bytes"
	"hash/maphash"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxWatched bounds how many directories are watched: the system's limit for all
// programs of a user can be 8192.
const maxWatched = 500

// fileWatch is told by the system (inotify) which files below a directory are
// written, so that a run in a project of any size pays one system call for it. It
// belongs to one goroutine.
type fileWatch struct {
	dir   string // without links
	fd    int
	dirs  map[int32]string // what is watched, relative to dir
	seed  maphash.Seed
	known map[uint64]struct{} // names of files there are
	whole bool                // all is watched, and all names are known
}

// newFileWatch watches dir as listFiles looks through it; nil where that cannot be.
func newFileWatch(dir string) *fileWatch {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	w := &fileWatch{dir: dir, fd: fd, dirs: map[int32]string{}, seed: maphash.MakeSeed(), known: map[uint64]struct{}{}, whole: true}
	w.add(".", 0, func(name string) { w.know(name) })
	if len(w.dirs) == 0 {
		w.close()
		return nil
	}
	return w
}

func (w *fileWatch) close() {
	if w != nil {
		unix.Close(w.fd)
	}
}

func (w *fileWatch) know(name string) {
	if len(w.known) >= maxFilesLooked {
		w.whole = false
		return
	}
	w.known[maphash.String(w.seed, name)] = struct{}{}
}

// add watches a directory and those below it, and tells the files in them.
func (w *fileWatch) add(sub string, depth int, file func(name string)) {
	if depth >= maxFilesDepth {
		return
	}
	const events = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_ONLYDIR | unix.IN_EXCL_UNLINK
	if len(w.dirs) >= maxWatched {
		w.whole = false
		return
	}
	wd, err := unix.InotifyAddWatch(w.fd, filepath.Join(w.dir, sub), events)
	if err != nil {
		w.whole = false
		return
	}
	w.dirs[int32(wd)] = sub
	d, err := os.Open(filepath.Join(w.dir, sub))
	if err != nil {
		return
	}
	var below []string
	for w.whole {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			name := filepath.Join(sub, e.Name())
			switch {
			case e.IsDir() && !skippedDir(e.Name()):
				below = append(below, name)
			case e.Type().IsRegular():
				file(name)
			}
		}
		if err != nil {
			break
		}
	}
	d.Close()
	for _, name := range below {
		w.add(name, depth+1, file)
	}
}

// drain takes in what has happened: the files written, with whether each was created
// rather than written to. ok is false when the system has lost events.
func (w *fileWatch) drain() (written map[string]bool, ok bool) {
	written, ok = map[string]bool{}, true
	var buffer [8 << 10]byte
	for {
		n, err := unix.Read(w.fd, buffer[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n < unix.SizeofInotifyEvent {
			return written, ok
		}
		for rest := buffer[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			event := (*unix.InotifyEvent)(unsafe.Pointer(&rest[0]))
			size := unix.SizeofInotifyEvent + int(event.Len)
			name := string(bytes.TrimRight(rest[unix.SizeofInotifyEvent:size], "\x00"))
			ok = w.event(event, name, written) && ok
			rest = rest[size:]
		}
	}
}

// event takes in one event; false when events were lost.
func (w *fileWatch) event(event *unix.InotifyEvent, name string, written map[string]bool) bool {
	sub, watched := w.dirs[event.Wd]
	switch {
	case event.Mask&unix.IN_Q_OVERFLOW != 0:
		return false
	case event.Mask&unix.IN_IGNORED != 0:
		delete(w.dirs, event.Wd)
	case !watched || name == "":
	case event.Mask&unix.IN_ISDIR != 0:
		if depth := depthOf(sub) + 1; event.Mask&(unix.IN_CREATE|unix.IN_MOVED_TO) != 0 && !skippedDir(name) {
			w.add(filepath.Join(sub, name), depth, func(file string) { written[file] = true })
		}
	default:
		path := filepath.Join(sub, name)
		written[path] = written[path] || event.Mask&unix.IN_CREATE != 0
	}
	return true
}

func depthOf(sub string) int {
	if sub == "." {
		return 0
	}
	depth := 1
	for _, c := range sub {
		if c == filepath.Separator {
			depth++
		}
	}
	return depth
}

// made are the files of a run that began at begun.
func (w *fileWatch) made(begun time.Time) (files []madeFile, ok bool) {
	written, ok := w.drain()
	if !ok {
		return nil, false
	}
	for name, created := range written {
		info, err := os.Lstat(filepath.Join(w.dir, name))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		_, known := w.known[maphash.String(w.seed, name)]
		if !created && known && info.ModTime().Before(begun.Add(-filesTimeMargin)) {
			continue // opened for writing, and not written
		}
		files = append(files, madeFile{Made{Name: name, Size: info.Size(), New: !known && (w.whole || created)}, info.ModTime()})
		w.know(name)
	}
	return files, true
}
