package launch

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// A kernel keeps the end of what its streams have taken in a file, which it maps:
// what it had not sent when it died can be read there. mce_launch/unsent.py writes
// it. For each of stdout and stderr it holds a ring: a 64-bit number (from the top: 44
// bits, how many characters the stream has taken; 4 bits, how many reads of its pipe;
// 16 bits, the place of the next byte), and UTF-8. After it lies what is being read
// from the pipe: the number of the read, and its bytes, zero where there are none.
// Numbers are in this machine's order of bytes.
const (
	unsentRing  = 64 << 10
	unsentHead  = 8
	unsentRoom  = unsentRing - unsentHead
	landingHead = 8
	unsentSize  = 128 << 10 // of one stream
)

// MakeUnsent makes the file at path, with mode 0600.
func MakeUnsent(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		err = errors.Join(file.Truncate(2*unsentSize), file.Close()) // most of it will never be used
	}
	if err != nil {
		return fmt.Errorf("making a kernel's file for unsent output: %w", err)
	}
	return nil
}

// Unsent is what such a file held at one moment.
type Unsent []byte

// ReadUnsent reads the file at path.
func ReadUnsent(path string) (Unsent, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	u := make(Unsent, 2*unsentSize) // whatever user code has made of the file
	if _, err := io.ReadFull(file, u); err != nil {
		return nil, err
	}
	return u, nil
}

// After returns what a stream (1 stdout, 2 stderr) has taken since its first seen
// characters, how many it has taken in all, and how many of those not seen are no
// longer there. Whatever the file holds is read as well as can be.
func (u Unsent) After(stream int, seen int64) (text string, total, missing int64) {
	part := u.ring(stream)
	head := binary.NativeEndian.Uint64(part)
	total = int64(head >> 20)
	place := head & 0xffff
	want := total - seen
	if want <= 0 || seen < 0 || place > unsentRoom {
		return "", total, 0
	}
	ring := part[unsentHead:]
	all := bytes.TrimLeft(append(bytes.Clone(ring[place:]), ring[:place]...), "\x00")
	for len(all) > 0 && !utf8.RuneStart(all[0]) { // of a character whose start is overwritten
		all = all[1:]
	}
	from, n := len(all), int64(0)
	for ; n < want && from > 0; n++ {
		_, size := utf8.DecodeLastRune(all[:from])
		from -= size
	}
	return string(bytes.ToValidUTF8(all[from:], []byte("\ufffd"))), total, want - n
}

func (u Unsent) ring(stream int) []byte { return u[(stream-1)*unsentSize:][:unsentRing] }

// Landed returns what a stream (1 stdout, 2 stderr) has read from its pipe and not
// taken: it is in no message, and not what After returns.
func (u Unsent) Landed(stream int) []byte {
	taken := binary.NativeEndian.Uint64(u.ring(stream)) >> 16
	landing := u[(stream-1)*unsentSize:][unsentRing:unsentSize]
	if (binary.NativeEndian.Uint64(landing)-taken)&15 != 1 {
		return nil
	}
	return bytes.TrimRight(landing[landingHead:], "\x00")
}

// Text is where the text of a stream message stands in all that its stream has
// taken: From is the number of characters before it, To includes it.
type Text struct {
	Stream   int // 1 stdout, 2 stderr
	From, To int64
}

// TextOf reads a stream message's metadata; ok is false when it does not say.
func TextOf(metadata json.RawMessage) (t Text, ok bool) {
	if !bytes.Contains(metadata, []byte(`"mce_text"`)) {
		return Text{}, false
	}
	var said struct {
		Text [3]int64 `json:"mce_text"`
	}
	if json.Unmarshal(metadata, &said) != nil {
		return Text{}, false
	}
	t = Text{int(said.Text[0]) + 1, said.Text[1], said.Text[2]}
	return t, t.Stream >= 1 && t.Stream <= 2 && t.From >= 0 && t.From <= t.To
}
