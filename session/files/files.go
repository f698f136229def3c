package files

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Made is a file in the working directory that a run created or changed.
// Whatever else wrote there meanwhile is among them: nothing tells who wrote.
type Made struct {
	// Name is relative to the working directory the run began in.
	Name string
	Size int64 // bytes
	// New says that there was no such file before the run. It is false also
	// where the directory was too large to be looked through before.
	New bool
}

// Limits of looking for files, before a run and after it. They bound what a run
// in a large directory pays, which then may miss files, but names no wrong one.
const (
	maxFilesNamed   = 20
	maxFilesLooked  = 10_000
	maxFilesTime    = 10 * time.Millisecond // each time: 20 ms a run
	maxFilesDepth   = 3
	filesTimeMargin = 10 * time.Millisecond // file systems take the time from a coarse clock
)

// fileMark tells whether a file is as it was.
type fileMark struct {
	size int64
	time time.Time
}

// listing is what lies in a directory, or what could be seen of it in time.
type listing struct {
	dir   string
	taken time.Time
	files map[string]fileMark
	whole bool
}

// listFiles looks through dir, what is near the top first, until it has seen
// all or a limit is reached. Hidden and generated directories are left out.
func listFiles(dir string) listing {
	l := listing{dir: dir, taken: time.Now(), files: map[string]fileMark{}, whole: true}
	looked := 0
	level := []string{"."}
	for depth := 0; depth < maxFilesDepth && len(level) > 0; depth++ {
		var below []string
		for _, sub := range level {
			d, err := os.Open(filepath.Join(dir, sub))
			if err != nil {
				continue
			}
			for {
				// In parts, so that one huge directory cannot take long.
				entries, err := d.ReadDir(256)
				for _, e := range entries {
					name := filepath.Join(sub, e.Name())
					switch {
					case e.IsDir() && !skippedDir(e.Name()):
						below = append(below, name)
					case e.Type().IsRegular():
						if info, err := e.Info(); err == nil {
							l.files[name] = fileMark{info.Size(), info.ModTime()}
						}
					}
				}
				looked += len(entries)
				if looked >= maxFilesLooked || time.Since(l.taken) > maxFilesTime {
					l.whole = false
					d.Close()
					return l
				}
				if err != nil {
					break
				}
			}
			d.Close()
		}
		level = below
	}
	return l
}

func skippedDir(name string) bool {
	return strings.HasPrefix(name, ".") || name == "__pycache__" || name == "node_modules" || name == "site-packages"
}

// lookSoon is listFiles that gives up on a file system that hangs. The
// goroutine it leaves behind ends when the file system answers.
func lookSoon(dir string) (listing, bool) {
	result := make(chan listing, 1)
	go func() { result <- listFiles(dir) }()
	select {
	case l := <-result:
		return l, true
	case <-time.After(5 * maxFilesTime):
		return listing{}, false
	}
}

// madeFile is a file with the time that it was written.
type madeFile struct {
	Made
	time time.Time
}

// madeFiles compares two listings of a directory.
func madeFiles(before, after listing) []madeFile {
	since := before.taken.Add(-filesTimeMargin)
	var all []madeFile
	for name, mark := range after.files {
		old, known := before.files[name]
		switch {
		case known && old == mark:
			continue
		case !known && !before.whole && mark.time.Before(since):
			continue // it may have been there
		}
		all = append(all, madeFile{Made{Name: name, Size: mark.size, New: !known && before.whole}, mark.time})
	}
	return all
}

// newest returns at most maxFilesNamed files, the newest of all, by name.
func newest(all []madeFile) (files []Made) {
	slices.SortFunc(all, func(a, b madeFile) int {
		// Many files can have one tick of the file system's clock: the last by name.
		return cmp.Or(b.time.Compare(a.time), strings.Compare(b.Name, a.Name))
	})
	for _, f := range all[:min(len(all), maxFilesNamed)] {
		files = append(files, f.Made)
	}
	slices.SortFunc(files, func(a, b Made) int { return strings.Compare(a.Name, b.Name) })
	return files
}

// Watcher tells which files the runs of one session make. The zero value is ready.
// It belongs to one goroutine; Close may be called when that has ended.
type Watcher struct {
	watch *fileWatch
	quick bool // the directory answers quickly
}

// Close ends watching, and forgets the files: runs that are kept keep their session.
func (w *Watcher) Close() {
	w.watch.close()
	*w = Watcher{}
}

// Begin looks at dir, a path without links, before a run. The function it returns
// looks again and tells the newest files that are different, and how many are in
// all, but for those in stored, absolute paths, and those that ignored names.
func (w *Watcher) Begin(dir string, ignored func(names []string) map[string]bool) func(stored []string) ([]Made, int) {
	begun := time.Now()
	after := w.look(dir)
	return func(stored []string) ([]Made, int) {
		all := after(begun)
		for _, path := range stored {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				path = real
			}
			if name, err := filepath.Rel(dir, path); err == nil {
				all = slices.DeleteFunc(all, func(f madeFile) bool { return f.Name == name })
			}
		}
		if len(all) > 0 {
			var names []string
			for _, f := range all {
				names = append(names, f.Name)
			}
			unwanted := ignored(names)
			all = slices.DeleteFunc(all, func(f madeFile) bool { return unwanted[f.Name] })
		}
		return newest(all), len(all)
	}
}

// look has dir watched by the system where that can be, and listed elsewhere. A file
// system that has answered quickly is trusted to go on: a goroutine that could be
// given up costs a warm call more than the look itself.
func (w *Watcher) look(dir string) func(begun time.Time) []madeFile {
	if w.watch == nil || w.watch.dir != dir {
		w.watch.close()
		w.watch = watchSoon(dir)
	}
	if watch := w.watch; watch != nil {
		watch.drain()
		return func(begun time.Time) []madeFile {
			files, ok := watch.made(begun)
			if !ok { // events were lost: what is newer than the run
				if after, ok := lookSoon(dir); ok {
					return madeFiles(listing{dir: dir, taken: begun}, after)
				}
			}
			return files
		}
	}
	list := func() (listing, bool) {
		if w.quick {
			return listFiles(dir), true
		}
		return lookSoon(dir)
	}
	before, ok := list()
	w.quick = ok && time.Since(before.taken) < 2*maxFilesTime
	return func(time.Time) []madeFile {
		if !ok {
			return nil
		}
		if after, ok := list(); ok {
			return madeFiles(before, after)
		}
		return nil
	}
}

// watchSoon is newFileWatch that gives up on a file system that hangs.
func watchSoon(dir string) *fileWatch {
	result := make(chan *fileWatch, 1)
	go func() { result <- newFileWatch(dir) }()
	select {
	case w := <-result:
		return w
	case <-time.After(20 * maxFilesTime):
		go func() { (<-result).close() }()
		return nil
	}
}

// WorkingDir is where the process is, for code can change that; without Linux's
// /proc it is storage.
func WorkingDir(pid int, storage string) string {
	// In a sandbox /proc may number processes as the machine does: pid is another's there.
	self, _ := os.Readlink("/proc/self")
	if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil && self == strconv.Itoa(os.Getpid()) {
		if info, err := os.Stat(dir); err == nil && info.Mode()&fs.ModeDir != 0 {
			return dir
		}
	}
	if dir, err := filepath.EvalSymlinks(storage); err == nil {
		return dir
	}
	return storage
}
