// Package jupyter knows the Jupyter messaging protocol as bytes: what a message
// looks like in frames, how it is signed, what its content means, where a
// kernel's channels are. It opens no socket and starts no process.
//
// # Reading what a kernel sends
//
// A kernel runs the user's code, so whatever it sends may be broken or hostile.
// [Codec.Decode] therefore reads part by part: an unreadable parent header or
// content does not cost the message its own header, because a reply or an
// "idle" must count whatever else is in it. JSON is split by a scanner of ours
// that takes what Python writes and encoding/json refuses: NaN and Infinity,
// invalid UTF-8, thousands of nested levels. It copies a large text once, and
// bounds how many elements of a list or object are kept, since small JSON can
// ask for large memory.
//
// [OutputFrom] and [PayloadOutputs] turn messages into the plain [Output] values
// the rest of the program works with.
//
// # Concurrency
//
// A [Codec] is immutable and safe for concurrent use. A [Replay] belongs to one
// reader. Everything else is plain data. Decoded values share memory with the
// frames they came from, which must not be changed afterwards.
package jupyter
