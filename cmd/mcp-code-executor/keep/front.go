//go:build unix

package keep

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	if l.copy(o.Stdin, o.Stdout) {
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
		} else if given(begun, a.PID, answerPatience) {
			return nil, &NoAnswerError{a.PID, p.file(key, "log")}
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

// copy copies between the client and the server until one of them ends. It reports
// whether the client was the one.
//
// Its goroutines: its own, which copies to the client until the server has closed; one
// that copies from the client, which ends with stdin, or with the process; one that
// tells what the client has, which ends with its own.
func (l *line) copy(stdin io.Reader, stdout io.Writer) (byClient bool) {
	up := &upward{conn: l.conn}
	var ended atomic.Bool
	go func() {
		up.copy(stdin)
		ended.Store(true)
		up.end()
	}()
	news := make(chan struct{}, 1) // the client has more
	defer close(news)
	go func() {
		for range news {
			time.Sleep(tellDelay)
			up.tell()
		}
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := l.r.Read(buf)
		if n > 0 {
			if _, err := stdout.Write(buf[:n]); err != nil {
				return true
			}
			up.has.Add(int64(n))
			select {
			case news <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return ended.Load()
		}
	}
}

// tellDelay is how long it takes until the server is told what the client has, unless
// that goes along with the client's next line. It is told beside the copying: a server
// that is busy writing to us, and does not read, must not keep us from reading.
const tellDelay = time.Millisecond

// upward is the way from a front to its server.
type upward struct {
	conn io.Writer
	has  atomic.Int64 // bytes the client has

	mu   sync.Mutex // protects told, and is held while something is written
	told int64
}

// copy copies the client's bytes until they end.
func (u *upward) copy(stdin io.Reader) {
	const data = hasLength + frameHeader // what may stand in front of the bytes
	buf := make([]byte, data+32<<10)
	for {
		n, err := stdin.Read(buf[data:])
		if n > 0 {
			putHeader(buf[hasLength:data+n], frameData)
			u.send(buf[:data+n])
		}
		if err != nil {
			return
		}
	}
}

// send writes frames that have room in front for the one that tells what the client
// has, together with that if it has more than was told.
func (u *upward) send(frames []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if has := u.has.Load(); has > u.told {
		u.told = has
		putHas(frames[:hasLength], has)
	} else {
		frames = frames[hasLength:]
	}
	if len(frames) > 0 {
		_, _ = u.conn.Write(frames) // who reads from the server sees that it has gone
	}
}

// tell tells what the client has, if that is news.
func (u *upward) tell() { u.send(make([]byte, hasLength)) }

// end tells that the client has closed its side.
func (u *upward) end() {
	frames := make([]byte, hasLength+frameHeader)
	putHeader(frames[hasLength:], frameEnd)
	u.send(frames)
}
