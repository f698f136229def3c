package streamable

import "sync"

// Limits of what is kept of streams that have ended, for clients that resume them.
const (
	keptStreams = 256
	keptBytes   = 8 << 20
)

// kept are the streams of an endpoint that have ended and can be resumed, oldest
// first. The oldest go when there are too many, or too large.
type kept struct {
	mu      sync.Mutex // protects the fields below
	streams []keptStream
	bytes   int
}

type keptStream struct {
	of     *connection
	stream *stream
	bytes  int
}

// add keeps a stream that has ended, unless nobody could resume it.
func (k *kept) add(c *connection, s *stream) {
	n, resumable := s.bytes()
	if !resumable {
		c.drop(s)
		return
	}
	k.mu.Lock()
	k.streams = append(k.streams, keptStream{of: c, stream: s, bytes: n})
	k.bytes += n
	var gone []keptStream
	for len(k.streams) > 1 && (len(k.streams) > keptStreams || k.bytes > keptBytes) {
		gone = append(gone, k.streams[0])
		k.bytes -= k.streams[0].bytes
		k.streams = k.streams[1:]
	}
	k.mu.Unlock()
	for _, one := range gone {
		one.of.drop(one.stream)
	}
}

// forget lets go what was kept of a connection.
func (k *kept) forget(c *connection) {
	k.mu.Lock()
	defer k.mu.Unlock()
	left := k.streams[:0]
	for _, one := range k.streams {
		if one.of == c {
			k.bytes -= one.bytes
			continue
		}
		left = append(left, one)
	}
	clear(k.streams[len(left):])
	k.streams = left
}
