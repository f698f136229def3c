//go:build unix

package keep

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
)

// errFirstProcess is why the first process of a container keeps nothing.
var errFirstProcess = errors.New("this is the first process of a container, with which everything in it ends; " +
	"start the container with `docker run -d -e KEEP=8h … keep`, and use `docker exec -i NAME mcp-code-executor` as the client's command")

// Front serves a client by a background server, which it finds or starts. It returns
// the exit status when the connection has ended. An error means that no server could
// be had: nothing was read from stdin yet, and the process can serve by itself.
func Front(o Options) (status int, err error) {
	if os.Getpid() == 1 {
		return 0, errFirstProcess
	}
	l, err := connect(o)
	if err != nil {
		return 0, err
	}
	defer l.conn.Close()
	fds, err := descriptors(o.Stdin, o.Stdout, l.conn)
	for _, fd := range fds {
		defer unix.Close(fd)
	}
	if err != nil {
		return 0, err
	}
	l.conn.Close() // else Go's poller wakes us for each thing that comes
	p := newPump(fds[0], fds[1], fds[2])
	p.down, _ = l.r.Peek(l.r.Buffered()) // what came behind the greeting
	if p.run() {
		return 0, nil
	}
	fmt.Fprintln(o.Stderr, "mcp-code-executor: the background server has ended, and its sessions with it")
	return 1, nil
}

// connect finds the background server for these settings, or starts it.
func connect(o Options) (*line, error) {
	p, err := openPlace(server.FindPlaces(o.Getenv).State)
	if err != nil {
		return nil, err
	}
	key, err := keyOf(o.Getenv, p.secret)
	if err != nil {
		return nil, err
	}
	h := hello{Protocol: protocol, Kind: kindFront, Version: o.Version, Args: o.Args, Environ: o.Environ}
	for begun := time.Now(); ; {
		a, err := p.address(key)
		if err == nil {
			l, err := dial(a, h, answerPatience)
			if !errors.Is(err, errGone) {
				return l, err
			}
		}
		started, err := p.startUnlessAlive(key, o)
		if err != nil {
			return nil, err
		}
		if started {
			h.Others = p.others(key)
			begun = time.Now()
		} else if given(begun, p.holder(key, a), answerPatience) {
			return nil, &NoAnswerError{p.holder(key, a), p.file(key, "log")}
		} else {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// others lists where the user's other background servers run code.
func (p *place) others(key string) []string {
	var dirs []string
	for _, other := range p.keys() {
		if other != key && p.alive(other) {
			if a, err := p.address(other); err == nil && !slices.Contains(dirs, a.WorkDir) {
				dirs = append(dirs, a.WorkDir)
			}
		}
	}
	return dirs
}

// startUnlessAlive starts the server of that key when there is none. Of several
// fronts that come at once, one starts it.
func (p *place) startUnlessAlive(key string, o Options) (started bool, err error) {
	if p.alive(key) {
		return false, nil
	}
	unlock, err := p.lock(lockPatience)
	if err != nil {
		return false, err
	}
	defer unlock()
	if p.alive(key) {
		return false, nil
	}
	p.remove(key) // of one that was killed
	return true, p.start(key, o)
}
