// Package rundir makes a server's private directories for sockets. One is locked while
// its server lives, made again when something that cleans temporary files has taken
// it, and swept by others when its server was killed. It knows nothing of what lies
// in it.
package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// prefix begins the names of our private directories.
const prefix = "mce-"

// maxSocketPath is what a socket's path may have on macOS, the shortest.
const maxSocketPath = 103

// ErrRemoved says that the directory was removed for good.
var ErrRemoved = errors.New("the private directory was removed")

// Dir is a server's private directory (0700). It is safe for concurrent use.
type Dir struct {
	mu     sync.Mutex // protects the fields below
	path   string     // "" before it is first asked for
	closed bool
}

// Get returns the directory, made when it is first asked for: a server that is only
// listed by a client makes nothing. places are where it may be made, best first; the
// system's follow. It is made again when something that cleans temporary files has
// taken it: kernels that run have what they need of it.
func (d *Dir) Get(places []string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return "", ErrRemoved
	}
	if d.path != "" && keepDir(d.path) == nil {
		return d.path, nil
	}
	path, err := makeDir(places...)
	if err == nil {
		d.path = path
	}
	return path, err
}

// Remove removes the directory; none is made afterwards.
func (d *Dir) Remove() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.path == "" {
		return nil
	}
	return os.RemoveAll(d.path)
}

// makeDir makes the private directory (0700) that holds the sockets of
// this server's kernels. It takes the first of the places given, and then the
// system's, whose path is short enough for a unix socket: a socket's path has
// room for about 100 bytes, and a TMPDIR can be longer. What dead servers left
// there is removed.
func makeDir(places ...string) (string, error) {
	if runtime.GOOS != "windows" {
		places = append(places, "/tmp")
	}
	places = append(places, os.TempDir())
	var failures []string
	for i, place := range places {
		long := len(filepath.Join(place, prefix+"0123456789", "k0123456789", "s-1")) > maxSocketPath
		if place == "" || (long && i < len(places)-1) {
			continue
		}
		sweep(place)
		dir, err := os.MkdirTemp(place, prefix)
		if err != nil {
			failures = append(failures, err.Error())
			continue
		}
		if err := lockDir(dir); err != nil {
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
	return "", fmt.Errorf("making a private directory for sockets: %s; TMPDIR has to be a directory that can be written to", strings.Join(failures, "; "))
}

// tryRoom writes as much as a kernel's own files take: on a full disk a directory
// can still be made.
func tryRoom(dir string) error {
	file := filepath.Join(dir, "room")
	defer os.Remove(file)
	return os.WriteFile(file, make([]byte, 128<<10), 0o600)
}

// sweep removes the directories of servers that were killed: those whose
// lock nobody holds any more.
func sweep(place string) {
	dirs, _ := filepath.Glob(filepath.Join(place, prefix+"*"))
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && ownedByUs(info) && lockFree(dir) {
			os.RemoveAll(dir)
		}
	}
}
