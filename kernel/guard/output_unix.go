//go:build linux || darwin

package guard

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Pipes are the numbers, in the kernel, of the reading ends of its stdout and
// stderr and of the pipe for its log. The kernel reads the first two itself and
// shows them with its prints; the guard reads what the kernel cannot.
const Pipes = "3,4,5"

const (
	// stallAfter is how long a pipe must be full, and the kernel not move, until
	// the guard reads in its place.
	stallAfter = 500 * time.Millisecond
	stallLook  = 100 * time.Millisecond
	// largestPipe bounds what is read after a death: a child may be filling the
	// pipe as fast as we read.
	largestPipe = 1 << 20
	readSize    = 64 << 10
)

// output is the kernel's stdout (1) or stderr (2). Its reading end is
// non-blocking and shared with the kernel. The guard keeps the writing end: only
// there the system says that a pipe is full.
type output struct {
	number   int
	r, w     *os.File
	progress *progress
	reports  *reports

	mu    sync.Mutex // held while it reads and hands on, so that nothing overtakes
	ended bool
}

func newOutput(number int, reports *reports, progress *progress) (*output, error) {
	r, w, err := kernelPipe()
	if err != nil {
		return nil, err
	}
	return &output{number: number, r: r, w: w, progress: progress, reports: reports}, nil
}

// kernelPipe is a pipe whose writing end is for a kernel: it shares that end's
// flags, and Python cannot write to a non-blocking stdout.
func kernelPipe() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	if err := syscall.SetNonblock(int(w.Fd()), false); err != nil {
		r.Close()
		w.Close()
		return nil, nil, err
	}
	return r, w, nil
}

// descriptor is f's number. Unlike Fd it leaves f non-blocking.
func descriptor(f *os.File) (fd uintptr) {
	if conn, err := f.SyscallConn(); err == nil {
		conn.Control(func(n uintptr) { fd = n })
	}
	return fd
}

// watch waits for stalls until the kernel is dead. It sleeps while the pipe is
// empty, which is nearly always.
func (o *output) watch() {
	for !o.over() {
		if o.await() != nil {
			return
		}
		if o.stalled() {
			o.standIn()
		}
	}
}

// stalled reports whether the pipe stays full while the kernel stands still. It
// returns false when the pipe is empty, or no longer full.
func (o *output) stalled() bool {
	last := o.progress.read()
	for begun := time.Now(); time.Since(begun) < stallAfter; {
		time.Sleep(stallLook)
		now := o.progress.read()
		if o.over() || !full(int(o.w.Fd())) || now != last {
			return false
		}
	}
	return true
}

// standIn reads and hands on until the kernel moves again or nothing comes.
func (o *output) standIn() {
	defer o.r.SetReadDeadline(time.Time{})
	buf := make([]byte, readSize)
	last := o.progress.read()
	for o.progress.read() == last {
		o.r.SetReadDeadline(time.Now().Add(stallLook))
		if err := o.await(); err != nil || o.over() || o.progress.read() != last {
			return
		}
		o.mu.Lock()
		o.take(reportText, buf)
		o.mu.Unlock()
	}
}

// await returns when the pipe holds something.
func (o *output) await() error {
	conn, err := o.r.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool { return waiting(int(fd)) })
}

// take reads once, hands it on and returns its size. It looks first: whoever else
// has this end may have made it blocking. The caller has the lock.
func (o *output) take(kind string, buf []byte) (n int) {
	conn, err := o.r.SyscallConn()
	if err != nil {
		return 0
	}
	conn.Control(func(fd uintptr) {
		if waiting(int(fd)) {
			n, _ = syscall.Read(int(fd), buf)
		}
	})
	if n > 0 {
		o.reports.text(kind, o.number, buf[:n])
	}
	return n
}

func (o *output) over() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// rest hands on what a dead kernel left in the pipe, without waiting for those
// that may still hold it open.
func (o *output) rest() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.r.SetReadDeadline(time.Now()) // whoever waits for more
	buf := make([]byte, readSize)
	for taken := 0; taken < largestPipe; {
		n := o.take(reportRest, buf)
		if n <= 0 {
			return
		}
		taken += n
	}
}

func waiting(fd int) bool { return ready(fd, unix.POLLIN) }

func full(fd int) bool { return !ready(fd, unix.POLLOUT) }

func ready(fd int, events int16) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// progress tells whether the kernel's Python moves: it counts what it reads and
// prints in a file. What the counts are is of no interest here.
type progress struct{ file *os.File }

// moves are the places of the counts in the file.
var moves = [...]int64{0, 128 << 10}

func openProgress(path string) *progress {
	if path == "" {
		return &progress{}
	}
	file, err := os.Open(path)
	if err != nil {
		return &progress{} // then a full pipe alone is a stall
	}
	return &progress{file}
}

func (p *progress) read() (now [len(moves)][8]byte) {
	if p.file != nil {
		for i, at := range moves {
			p.file.ReadAt(now[i][:], at)
		}
	}
	return now
}
