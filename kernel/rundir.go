package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// runDirPrefix begins the names of our private directories.
const runDirPrefix = "mce-"

// runDir is a server's private directory. It is safe for concurrent use.
type runDir struct {
	mu     sync.Mutex // protects the fields below
	path   string     // "" before the first kernel
	closed bool
}

// get returns the directory, made at the first kernel's start: a server that is
// only listed by a client makes nothing. It is made again when something that cleans
// temporary files has taken it: kernels that run have what they need of it.
func (d *runDir) get(places []string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return "", ErrDead
	}
	if d.path != "" && keepRunDir(d.path) == nil {
		return d.path, nil
	}
	path, err := makeRuntimeDir(places...)
	if err == nil {
		d.path = path
	}
	return path, err
}

// remove removes the directory; none is made afterwards.
func (d *runDir) remove() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.path == "" {
		return nil
	}
	return os.RemoveAll(d.path)
}

// makeRuntimeDir makes the private directory (0700) that holds the sockets of
// this server's kernels. It takes the first of the places given, and then the
// system's, whose path is short enough for a unix socket: a socket's path has
// room for about 100 bytes, and a TMPDIR can be longer. What dead servers left
// there is removed.
func makeRuntimeDir(places ...string) (string, error) {
	if runtime.GOOS != "windows" {
		places = append(places, "/tmp")
	}
	places = append(places, os.TempDir())
	var failures []string
	for i, place := range places {
		long := len(filepath.Join(place, runDirPrefix+"0123456789", "k0123456789", "s-1")) > maxSocketPath
		if place == "" || (long && i < len(places)-1) {
			continue
		}
		sweepRunDirs(place)
		dir, err := os.MkdirTemp(place, runDirPrefix)
		if err != nil {
			failures = append(failures, err.Error())
			continue
		}
		if err := lockRunDir(dir); err != nil {
			failures = append(failures, err.Error())
			os.RemoveAll(dir)
			continue
		}
		if err := tryRoom(dir); err != nil {
			failures = append(failures, err.Error())
			os.RemoveAll(dir)
			continue
		}
		return dir, nil
	}
	return "", fmt.Errorf("making a private directory for sockets: %s", strings.Join(failures, "; "))
}

// tryRoom writes as much as a kernel's own files take: on a full disk a directory
// can still be made.
func tryRoom(dir string) error {
	file := filepath.Join(dir, "room")
	defer os.Remove(file)
	return os.WriteFile(file, make([]byte, 128<<10), 0o600)
}

// sweepRunDirs removes the directories of servers that were killed: those whose
// lock nobody holds any more.
func sweepRunDirs(place string) {
	dirs, _ := filepath.Glob(filepath.Join(place, runDirPrefix+"*"))
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && ownedByUs(info) && lockFree(dir) {
			os.RemoveAll(dir)
		}
	}
}
