package keep

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// What goes from a front to the server are frames: a byte that tells the kind, four
// that tell the length, the content. The other way go the bytes for the client as
// they are; the front counts them and says how many the client has.
const (
	frameData = 'd' // bytes of the client's
	frameHas  = 'h' // how many bytes the client has, 8 bytes
	frameEnd  = 'e' // the client has closed its side

	frameHeader = 5
)

var errFrame = errors.New("a frame of no known kind")

// putHeader writes a frame's header in front of content that lies behind it.
func putHeader(frame []byte, kind byte) {
	frame[0] = kind
	binary.BigEndian.PutUint32(frame[1:], uint32(len(frame)-frameHeader))
}

// hasLength is the length of the frame that tells how many bytes the client has.
const hasLength = frameHeader + 8

// putHas makes that frame.
func putHas(frame []byte, n int64) {
	putHeader(frame, frameHas)
	binary.BigEndian.PutUint64(frame[frameHeader:], uint64(n))
}

// incoming reads what a front sends: it is the reader of the client's bytes, and
// hands on what the client has.
type incoming struct {
	r     *bufio.Reader
	has   func(int64)
	left  uint32 // of the data frame being read
	ended func() // called once, when the client has gone
	once  sync.Once
}

func newIncoming(r io.Reader, has func(int64), ended func()) *incoming {
	return &incoming{r: bufio.NewReaderSize(r, 64<<10), has: has, ended: ended}
}

// Read implements [io.Reader]. After the client's end, what it has still comes from
// the front, and a goroutine reads it until the front is gone.
func (in *incoming) Read(p []byte) (int, error) {
	for in.left == 0 {
		end, err := in.next()
		if end && err == nil {
			go in.drain()
			err = io.EOF
		}
		if err != nil {
			in.once.Do(in.ended)
			return 0, err
		}
	}
	n, err := in.r.Read(p[:min(len(p), int(in.left))])
	in.left -= uint32(n)
	if err != nil {
		in.once.Do(in.ended)
	}
	return n, err
}

// next reads up to the content of the next data frame, or to the end frame.
func (in *incoming) next() (end bool, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(in.r, header[:]); err != nil {
		return false, err
	}
	size := binary.BigEndian.Uint32(header[1:])
	switch kind := header[0]; {
	case kind == frameData:
		in.left = size
	case kind == frameHas && size == 8:
		var n [8]byte
		if _, err := io.ReadFull(in.r, n[:]); err != nil {
			return false, err
		}
		in.has(int64(binary.BigEndian.Uint64(n[:])))
	case kind == frameEnd && size == 0:
		return true, nil
	default:
		return false, fmt.Errorf("%w: %q, %d bytes", errFrame, kind, size)
	}
	return false, nil
}

func (in *incoming) drain() {
	for {
		if _, err := in.next(); err != nil {
			return
		}
		if in.left > 0 { // nothing should come; nobody wants it
			if _, err := io.CopyN(io.Discard, in.r, int64(in.left)); err != nil {
				return
			}
			in.left = 0
		}
	}
}

// outgoing is the writer of the bytes for the client. It knows which have reached it.
type outgoing struct {
	w io.Writer

	mu           sync.Mutex // protects the fields below
	written, has int64
	waiting      []waiting // in the order of upTo
}

type waiting struct {
	upTo int64
	done chan struct{}
}

func (o *outgoing) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written += int64(n)
	return n, err
}

// Receipt implements [rpc.Receipts].
func (o *outgoing) Receipt() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := make(chan struct{})
	if o.has >= o.written {
		close(done)
	} else {
		o.waiting = append(o.waiting, waiting{o.written, done})
	}
	return done
}

// confirm notes that the client has n bytes.
func (o *outgoing) confirm(n int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.has = max(o.has, n)
	for len(o.waiting) > 0 && o.waiting[0].upTo <= o.has {
		close(o.waiting[0].done)
		o.waiting = o.waiting[1:]
	}
}
