package zmq

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync/atomic"
	"time"
)

const (
	// greetingSize is a ZMTP greeting's length, before any frame.
	greetingSize = 64
	// commandLimit bounds a command, in bytes; a READY has about 50.
	commandLimit = 64 << 10
	// messageSlack is how much the other parts of a message with a frame at
	// the limit may have.
	messageSlack = 1 << 20
	// partLimit bounds the parts of one message: a widget sends a few dozen.
	partLimit = 4096
	// drainLimit bounds what is read and thrown away of one message. Above it
	// the header lies, or the rest is not worth waiting for.
	drainLimit = 8 << 30
	// reuseLeast and reuseMost are the sizes of frames whose memory is used again:
	// a kernel's flood comes in pieces between them.
	reuseLeast = 64 << 10
	reuseMost  = 1 << 20
)

// FrameTooLargeError names a frame that was refused.
type FrameTooLargeError struct {
	// Part counts the message's frames from 0.
	Part int
	// Size is the frame's length in bytes.
	Size uint64
	// Limit is what a frame may have; or, when Total is set, what all frames of
	// the message may have together.
	Limit int64
	Total bool
}

func (e *FrameTooLargeError) Error() string {
	if e.Total {
		return fmt.Sprintf("frame of %d bytes refused: the message would have more than %d bytes", e.Size, e.Limit)
	}
	return fmt.Sprintf("frame of %d bytes refused: the limit is %d bytes", e.Size, e.Limit)
}

// TooManyPartsError means that the end of a message with more parts than Limit
// was refused.
type TooManyPartsError struct{ Limit int }

func (e *TooManyPartsError) Error() string {
	return fmt.Sprintf("message of more than %d parts cut", e.Limit)
}

// Reasons why a stream is not ZMTP.
var (
	errFlags     = errors.New("malformed frame: reserved flags are set")
	errNoCommand = errors.New("malformed handshake: expected a single command")
)

// Flags of a frame (ZMTP 3.0, section "Framing").
const (
	flagMore     = 1 << 0
	flagLong     = 1 << 1
	flagCommand  = 1 << 2
	flagReserved = 0xff &^ (flagMore | flagLong | flagCommand)
)

// wire stands between zmq4 and the socket. zmq4 allocates whatever length a
// frame's header claims, so wire reads the headers first: a frame above the
// limits is drained from the socket and an empty frame is in its place. zmq4
// reads the handshake; what comes after it message reads.
// Commands are dropped after the handshake: ZMTP 3.0, which we speak, has none
// then.
//
// Read and message are called by one goroutine, Write by one at a time.
type wire struct {
	net.Conn
	in  *bufio.Reader
	out *bufio.Writer // used once the handshake is over

	limit    int64
	greeting int  // bytes of the greeting zmq4 has yet to read
	ready    bool // the handshake is over

	// What zmq4 reads next: the rest of a header, then body bytes from in.
	header [9]byte
	head   []byte
	body   uint64

	// The message being read.
	inside  bool // its last frame has not come
	parts   int
	bytes   uint64
	drained uint64
	refused error // the first thing refused

	spare []byte // memory for a frame, see reuse

	heard atomic.Pointer[time.Time] // when bytes last came
}

func newWire(nc net.Conn, limit int64) *wire {
	w := &wire{
		Conn:     nc,
		out:      bufio.NewWriterSize(nc, bufferSize),
		limit:    limit,
		greeting: greetingSize,
	}
	w.in = bufio.NewReaderSize(socket{w}, bufferSize)
	return w
}

// socket reads the connection's bytes and notes when they came.
type socket struct{ w *wire }

func (s socket) Read(p []byte) (int, error) {
	n, err := s.w.Conn.Read(p)
	if n > 0 {
		now := time.Now()
		s.w.heard.Store(&now)
	}
	return n, err
}

// Write is buffered after the handshake: zmq4 writes each frame in two pieces.
func (w *wire) Write(p []byte) (int, error) {
	if !w.ready {
		return w.Conn.Write(p)
	}
	return w.out.Write(p)
}

// takeRefusal returns what was refused of the last message, once.
func (w *wire) takeRefusal() error {
	err := w.refused
	w.refused = nil
	return err
}

// Read gives zmq4 the bytes of the frames that are within the limits. An error
// never comes with bytes: io.ReadFull would swallow it.
func (w *wire) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if w.greeting > 0 {
		n, err := w.in.Read(p[:min(len(p), w.greeting)])
		w.greeting -= n
		return n, err
	}
	if len(w.head) == 0 && w.body == 0 {
		if err := w.nextFrame(); err != nil {
			return 0, err
		}
	}
	if len(w.head) > 0 {
		n := copy(p, w.head)
		w.head = w.head[n:]
		return n, nil
	}
	n, err := w.in.Read(p[:min(uint64(len(p)), w.body)])
	w.body -= uint64(n)
	return n, unexpected(err)
}

// message reads the next message.
func (w *wire) message() (frames [][]byte, err error) {
	large := false
	for more := true; more; more = w.inside {
		if err := w.nextFrame(); err != nil {
			return nil, err
		}
		large = large || w.body >= reuseLeast
		frame := w.memory(w.body)
		if _, err := io.ReadFull(w.in, frame); err != nil {
			return nil, unexpected(err)
		}
		w.head, w.body = nil, 0
		frames = append(frames, frame)
	}
	if !large { // the flood is over
		w.spare = nil
	}
	return frames, nil
}

func (w *wire) memory(size uint64) []byte {
	if size < reuseLeast || size > uint64(len(w.spare)) {
		return make([]byte, size)
	}
	frame := w.spare[:size:size]
	w.spare = nil
	return frame
}

// reuse keeps the memory of the largest frame.
func (w *wire) reuse(frames [][]byte) {
	for _, frame := range frames {
		frame = frame[:cap(frame)]
		if len(frame) >= max(reuseLeast, len(w.spare)) && len(frame) <= reuseMost {
			w.spare = frame
		}
	}
}

// nextFrame reads headers, draining what is refused, until there is one for zmq4.
func (w *wire) nextFrame() error {
	for {
		flags, size, err := w.readHeader()
		if err != nil {
			return err
		}
		command := flags&flagCommand != 0
		switch {
		case command && size > commandLimit:
			return &FrameTooLargeError{Size: size, Limit: commandLimit}
		case !w.ready && flags&^flagLong != flagCommand:
			return errNoCommand // zmq4 would go on reading as long as there is more
		case !w.ready:
			w.pass(flags, size)
			return nil
		case command:
			err = w.discard(size)
		default:
			var passed bool
			if passed, err = w.messageFrame(flags, size); passed {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// messageFrame passes a frame of a message to zmq4, or an empty one if it is
// refused. It returns false if there is nothing to pass: parts above partLimit
// go, but for the last, which ends the message.
func (w *wire) messageFrame(flags byte, size uint64) (passed bool, err error) {
	if !w.inside {
		w.parts, w.bytes, w.drained, w.refused = 0, 0, 0, nil
	}
	part := w.parts
	w.parts++
	w.inside = flags&flagMore != 0

	refusal := w.judge(part, size)
	if refusal == nil {
		w.bytes += size
		w.pass(flags, size)
		return true, nil
	}
	if w.refused == nil {
		w.refused = refusal
	}
	w.drained += min(size, drainLimit)
	if size > drainLimit || w.drained > drainLimit {
		return false, refusal
	}
	if err := w.discard(size); err != nil {
		return false, err
	}
	if part >= partLimit && w.inside {
		return false, nil
	}
	w.pass(flags&flagMore, 0)
	return true, nil
}

// judge returns why a frame is refused, nil if it is not.
func (w *wire) judge(part int, size uint64) error {
	total := w.limit + messageSlack
	switch {
	case size > uint64(w.limit):
		return &FrameTooLargeError{Part: part, Size: size, Limit: w.limit}
	case part >= partLimit:
		return &TooManyPartsError{Limit: partLimit}
	case w.bytes+size > uint64(total):
		return &FrameTooLargeError{Part: part, Size: size, Limit: total, Total: true}
	}
	return nil
}

// readHeader reads a frame's flags and length. The end of the stream is io.EOF
// only between messages.
func (w *wire) readHeader() (flags byte, size uint64, err error) {
	flags, err = w.in.ReadByte()
	if err != nil {
		if w.inside {
			err = unexpected(err)
		}
		return 0, 0, err
	}
	if flags&flagReserved != 0 {
		return 0, 0, errFlags
	}
	if flags&flagLong == 0 {
		short, err := w.in.ReadByte()
		return flags, uint64(short), unexpected(err)
	}
	var long [8]byte
	if _, err := io.ReadFull(w.in, long[:]); err != nil {
		return 0, 0, unexpected(err)
	}
	return flags, binary.BigEndian.Uint64(long[:]), nil
}

// pass makes the frame what zmq4 reads next.
func (w *wire) pass(flags byte, size uint64) {
	w.body = size
	if size <= math.MaxUint8 {
		w.header[0], w.header[1] = flags&^flagLong, byte(size)
		w.head = w.header[:2]
		return
	}
	w.header[0] = flags | flagLong
	binary.BigEndian.PutUint64(w.header[1:], size)
	w.head = w.header[:]
}

// discard reads size bytes and keeps none.
func (w *wire) discard(size uint64) error {
	const step = 1 << 30 // fits an int of 32 bits
	for size > 0 {
		n, err := w.in.Discard(int(min(size, step)))
		size -= uint64(n)
		if err != nil {
			return unexpected(err)
		}
	}
	return nil
}

// unexpected is err, but for an end of the stream where there must not be one.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
