package session

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// MadeFile is a file in the working directory that a run created or changed.
// Whatever else wrote there meanwhile is among them: nothing tells who wrote.
type MadeFile struct {
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

// madeFiles compares two listings of a directory and returns at most
// maxFilesNamed files, the newest first, and how many there are.
// What is in ignored, as absolute paths, is left out.
func madeFiles(before, after listing, ignored []string) (files []MadeFile, total int) {
	for _, path := range ignored {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if name, err := filepath.Rel(after.dir, path); err == nil {
			delete(after.files, name)
		}
	}
	since := before.taken.Add(-filesTimeMargin)
	type found struct {
		MadeFile
		time time.Time
	}
	var all []found
	for name, mark := range after.files {
		old, known := before.files[name]
		switch {
		case known && old == mark:
			continue
		case !known && !before.whole && mark.time.Before(since):
			continue // it may have been there
		}
		all = append(all, found{MadeFile{Name: name, Size: mark.size, New: !known && before.whole}, mark.time})
	}
	slices.SortFunc(all, func(a, b found) int {
		// Many files can have one tick of the file system's clock: the last by name.
		return cmp.Or(b.time.Compare(a.time), strings.Compare(b.Name, a.Name))
	})
	for _, f := range all[:min(len(all), maxFilesNamed)] {
		files = append(files, f.MadeFile)
	}
	slices.SortFunc(files, func(a, b MadeFile) int { return strings.Compare(a.Name, b.Name) })
	return files, len(all)
}

// watchFiles looks at a kernel's working directory. The function it returns
// looks again and returns what is different, but for the files in ignored. A
// file system that has answered quickly is trusted to go on: a goroutine that
// could be given up costs a warm call more than the look itself.
func watchFiles(pid int, storage string, trusted *bool) func(ignored []string) ([]MadeFile, int) {
	look := func(dir string) (listing, bool) {
		if *trusted {
			return listFiles(dir), true
		}
		return lookSoon(dir)
	}
	dir := workingDir(pid, storage)
	before, ok := look(dir)
	*trusted = ok && time.Since(before.taken) < 2*maxFilesTime
	if !ok {
		return func([]string) ([]MadeFile, int) { return nil, 0 }
	}
	return func(ignored []string) ([]MadeFile, int) {
		after, ok := look(dir)
		if !ok {
			return nil, 0
		}
		return madeFiles(before, after, ignored)
	}
}

// workingDir is where the process is, for code can change that; without Linux's
// /proc it is storage.
func workingDir(pid int, storage string) string {
	if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil {
		if info, err := os.Stat(dir); err == nil && info.Mode()&fs.ModeDir != 0 {
			return dir
		}
	}
	if dir, err := filepath.EvalSymlinks(storage); err == nil {
		return dir
	}
	return storage
}
