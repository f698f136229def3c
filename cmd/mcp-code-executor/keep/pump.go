//go:build unix

package keep

import (
	"errors"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tellDelay is how long it takes until the server is told what the client has, unless
// that goes along with the client's next line.
const tellDelay = time.Millisecond

// pipeRoom is how much a pipe takes at once that poll(2) says can be written to: half a
// kilobyte by POSIX, a page on Linux.
func pipeRoom() int {
	if runtime.GOOS == "linux" {
		return 4096
	}
	return 512
}

// dataAt is where the client's bytes lie in a buffer: what may stand in front of them
// are the frame that tells what the client has, and their own header.
const dataAt = hasLength + frameHeader

// pump copies between a client and a server in one goroutine, which waits for both. It
// reads where it has room and writes where poll(2) says it can: who does not read holds
// back nothing but what goes to him. With a goroutine for each way Go's scheduler took
// a third of what a front adds to a call.
type pump struct {
	in, out int    // descriptors, the client's, which may block
	server  int    // one that does not
	up      []byte // frames that the server has not taken
	down    []byte // bytes that the client has not taken

	fromClient, fromServer []byte // what up and down lie in

	has, told int64     // how many bytes the client has, and the server knows of
	untold    time.Time // since when the client has more than the server knows of
	ended     bool      // the client has closed its side
}

func newPump(in, out, server int) *pump {
	return &pump{in: in, out: out, server: server, fromClient: make([]byte, dataAt+32<<10), fromServer: make([]byte, 32<<10)}
}

// run copies until one of them ends. It reports whether the client was the one.
func (p *pump) run() (byClient bool) {
	for {
		ready, in, out, server := p.wait()
		if !ready {
			continue
		}
		if out && !p.writeDown() {
			return true
		}
		if in {
			p.readUp()
		} else if len(p.up) == 0 && p.has > p.told && time.Since(p.untold) >= tellDelay {
			p.up = p.frames(p.fromClient[:hasLength])
		}
		p.writeUp()
		if server && len(p.down) == 0 && !p.readDown() {
			return p.ended
		}
	}
}

// wait waits until something can be read for which there is room, or written, or told.
func (p *pump) wait() (ready, in, out, server bool) {
	fds := [3]unix.PollFd{{Fd: -1}, {Fd: -1}, {Fd: -1}}
	want := func(i, fd int, events int16) {
		fds[i].Fd, fds[i].Events = int32(fd), fds[i].Events|events
	}
	if len(p.up) > 0 {
		want(2, p.server, unix.POLLOUT)
	} else if !p.ended {
		want(0, p.in, unix.POLLIN)
	}
	if len(p.down) > 0 {
		want(1, p.out, unix.POLLOUT)
	} else {
		want(2, p.server, unix.POLLIN)
	}
	patience := -1
	if p.has > p.told && len(p.up) == 0 {
		patience = int(tellDelay / time.Millisecond)
	}
	_, err := unix.Poll(fds[:], patience)
	return err == nil, fds[0].Revents != 0, fds[1].Revents != 0, fds[2].Revents&^unix.POLLOUT != 0
}

// readUp reads from the client into a frame; at the client's end it is the end frame.
func (p *pump) readUp() {
	n, err := unix.Read(p.in, p.fromClient[dataAt:])
	if later(err) {
		return
	}
	p.ended = err != nil || n == 0
	frame := p.fromClient[hasLength : dataAt+max(n, 0)]
	putHeader(frame, frameData)
	if p.ended {
		putHeader(frame, frameEnd)
	}
	p.up = p.frames(p.fromClient[:hasLength+len(frame)])
}

// frames are frames with room in front for the one that tells what the client has,
// together with that if it has more than was told.
func (p *pump) frames(frames []byte) []byte {
	if p.has == p.told {
		return frames[hasLength:]
	}
	p.told = p.has
	putHas(frames[:hasLength], p.has)
	return frames
}

func (p *pump) writeUp() {
	if len(p.up) == 0 {
		return
	}
	n, err := unix.Write(p.server, p.up)
	switch {
	case later(err):
	case err != nil:
		p.up = nil // reading shows that the server has gone
	default:
		p.up = p.up[n:]
	}
}

// readDown reports whether the server is still there.
func (p *pump) readDown() bool {
	n, err := unix.Read(p.server, p.fromServer)
	if later(err) {
		return true
	}
	p.down = p.fromServer[:max(n, 0)]
	return err == nil && n > 0
}

// writeDown reports whether the client is still there.
func (p *pump) writeDown() bool {
	n, err := unix.Write(p.out, p.down[:min(len(p.down), pipeRoom())])
	if later(err) {
		return true
	}
	if err != nil {
		return false
	}
	if p.has == p.told {
		p.untold = time.Now()
	}
	p.has += int64(n)
	p.down = p.down[n:]
	return true
}

// later reports whether an error says to try again.
func later(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) }

// descriptors are copies of the descriptors of files and connections, which Go's poller
// does not know of. Whether they block stays as it is: that is shared with others.
func descriptors(of ...syscall.Conn) (fds []int, err error) {
	for _, c := range of {
		raw, connErr := c.SyscallConn()
		if connErr != nil {
			return fds, errors.Join(err, connErr)
		}
		connErr = raw.Control(func(own uintptr) {
			fd, dupErr := unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
			if fds = append(fds, fd); dupErr != nil {
				err = errors.Join(err, dupErr)
			}
		})
		err = errors.Join(err, connErr)
	}
	return fds, err
}
