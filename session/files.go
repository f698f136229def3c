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

// madeFile is a file with the time that it was written.
type madeFile struct {
	MadeFile
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
		all = append(all, madeFile{MadeFile{Name: name, Size: mark.size, New: !known && before.whole}, mark.time})
	}
	return all
}

// newest returns at most maxFilesNamed files, the newest of all, by name.
func newest(all []madeFile) (files []MadeFile) {
	slices.SortFunc(all, func(a, b madeFile) int {
		// Many files can have one tick of the file system's clock: the last by name.
		return cmp.Or(b.time.Compare(a.time), strings.Compare(b.Name, a.Name))
	})
	for _, f := range all[:min(len(all), maxFilesNamed)] {
		files = append(files, f.MadeFile)
	}
	slices.SortFunc(files, func(a, b MadeFile) int { return strings.Compare(a.Name, b.Name) })
	return files
}

// watchFiles looks at the working directory of the session's kernel before a run.
// The function it returns looks again and tells what is different, but for the files
// in stored, absolute paths, and what git ignores.
func (s *Session) watchFiles(pid int, start string) func(stored []string) ([]MadeFile, int) {
	dir, begun := workingDir(pid, start), time.Now()
	after := s.watchDir(dir)
	return func(stored []string) ([]MadeFile, int) {
		all := after(begun)
		for _, path := range stored {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				path = real
			}
			if name, err := filepath.Rel(dir, path); err == nil {
				all = slices.DeleteFunc(all, func(f madeFile) bool { return f.Name == name })
			}
		}
		if len(all) > 0 && s.manager.config.Provisioner != nil {
			var names []string
			for _, f := range all {
				names = append(names, f.Name)
			}
			ignored := s.manager.config.Provisioner.Installer.Finder.Host.GitIgnored(s.ctx, dir, names)
			all = slices.DeleteFunc(all, func(f madeFile) bool { return ignored[f.Name] })
		}
		return newest(all), len(all)
	}
}

// watchDir is watched by the system where that can be, and listed elsewhere. A file
// system that has answered quickly is trusted to go on: a goroutine that could be
// given up costs a warm call more than the look itself.
func (s *Session) watchDir(dir string) func(begun time.Time) []madeFile {
	if s.watch == nil || s.watch.dir != dir {
		s.watch.close()
		s.watch = watchSoon(dir)
	}
	if w := s.watch; w != nil {
		w.drain()
		return func(begun time.Time) []madeFile {
			files, ok := w.made(begun)
			if !ok { // events were lost: what is newer than the run
				if after, ok := lookSoon(dir); ok {
					return madeFiles(listing{dir: dir, taken: begun}, after)
				}
			}
			return files
		}
	}
	look := func() (listing, bool) {
		if s.quickFiles {
			return listFiles(dir), true
		}
		return lookSoon(dir)
	}
	before, ok := look()
	s.quickFiles = ok && time.Since(before.taken) < 2*maxFilesTime
	return func(time.Time) []madeFile {
		if !ok {
			return nil
		}
		if after, ok := look(); ok {
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
