package launch

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// A kernel keeps the end of what its streams have taken in a file, which it maps:
// what it had not sent when it died can be read there. mce_launch/unsent.py writes
// it. For each of stdout and stderr it holds two 64-bit numbers, little endian (how
// many characters the stream has taken, and the place of the next byte in the
// ring), and a ring of UTF-8.
const (
	unsentSize = 64 << 10 // of one stream
	unsentHead = 16
	unsentRoom = unsentSize - unsentHead
)

// MakeUnsent makes the file at path, with mode 0600.
func MakeUnsent(path string) error {
	if err := os.WriteFile(path, make([]byte, 2*unsentSize), 0o600); err != nil {
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
	part := u[(stream-1)*unsentSize : stream*unsentSize]
	total = int64(binary.LittleEndian.Uint64(part))
	place := binary.LittleEndian.Uint64(part[8:])
	want := total - seen
	if want <= 0 || total < 0 || seen < 0 || place > unsentRoom {
		return "", max(total, 0), 0
	}
	ring := part[unsentHead:]
	all := bytes.TrimLeft(append(bytes.Clone(ring[place:]), ring[:place]...), "\x00")
	from, n := len(all), int64(0)
	for ; n < want && from > 0; n++ {
		_, size := utf8.DecodeLastRune(all[:from])
		from -= size
	}
	return string(bytes.ToValidUTF8(all[from:], []byte("\ufffd"))), total, want - n
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
