//go:build unix

package keep

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
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
	// Everything here waits for one thing after the other: more processors cost
	// memory, and a change of threads for each line.
	runtime.GOMAXPROCS(1)
	if l.copy(o.Stdin, o.Stdout) {
		return 0, nil
	}
	fmt.Fprintln(o.Stderr, "mcp-code-executor: the background server has ended, and its sessions with it")
	return 1, nil
}

// movePatience is how long a server that lives may be without an address at which it
// answers: it makes its socket again when that was removed.
const movePatience = 3 * time.Second

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
	for deadline := time.Now().Add(movePatience); ; time.Sleep(20 * time.Millisecond) {
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
			deadline = time.Now().Add(movePatience)
		} else if time.Now().After(deadline) {
			return nil, &NoAnswerError{a.PID, p.file(key, "log")}
		}
	}
}

// others lists where the user's other background servers run code.
func (p *place) others(key string) []string {
	var dirs []string
	for _, other := range p.keys() {
		if other != key && p.alive(other) {
			if a, err := p.address(other); err == nil {
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
func (l *line) copy(stdin io.Reader, stdout io.Writer) (byClient bool) {
	var ended atomic.Bool
	var written atomic.Int64
	news := make(chan struct{}, 1) // written has grown
	var mu sync.Mutex              // held while a frame is written
	send := func(frame []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		_, err := l.conn.Write(frame)
		return err == nil
	}
	go func() {
		frame := make([]byte, frameHeader+32<<10)
		for {
			n, err := stdin.Read(frame[frameHeader:])
			if n > 0 {
				putHeader(frame[:frameHeader+n], frameData)
				send(frame[:frameHeader+n])
			}
			if err != nil {
				ended.Store(true)
				end := make([]byte, frameHeader)
				putHeader(end, frameEnd)
				send(end)
				return
			}
		}
	}()
	// What the client has is told beside the copying: a server that is busy writing
	// to us, and does not read, must not keep us from reading.
	go func() {
		for range news {
			send(hasFrame(written.Load()))
		}
	}()
	defer close(news)
	buf := make([]byte, 32<<10)
	for {
		n, err := l.r.Read(buf)
		if n > 0 {
			if _, err := stdout.Write(buf[:n]); err != nil {
				return true
			}
			written.Add(int64(n))
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
