// Package zmq carries messages to and from one channel of a kernel: frames in,
// frames out, over one ZeroMQ (ZMTP 3.0, NULL) connection on a unix or TCP
// socket.
//
// # What it promises
//
// A connection never reconnects by itself: its first error ends it, Recv
// returns that error within milliseconds of the peer's death, and the owner
// dials anew. Dial, handshake and Send are bounded in time. Nothing a peer sends
// can make the process allocate more than the limits say, or panic it: a frame
// above the limit is drained and named ([FrameTooLargeError]), and the messages
// behind it still come.
//
// # Why not the Socket API of zmq4
//
// Only the handshake of zmq4 and its framing of what is sent are used (Open and
// SendMsg); it would take new memory for each frame that comes. Its
// sockets deadlock when they reconnect, drop messages to a dead peer without a
// word, cannot give up on a silent one, and allocate whatever length a frame's
// header claims.
//
// # Concurrency
//
// A [Conn] starts no goroutine. Send may be called from any number of
// goroutines, Recv from one at a time, Close from anywhere. The owner must call
// Recv without pause on iopub: the kernel drops output, or stops, when its
// reader stalls.
package zmq
