package render

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// The screen a terminal remembers. Text above or before it is settled: no
// carriage return or cursor movement reaches it any more, so memory stays flat.
const (
	screenRows = 64   // rows the cursor can go up
	screenCols = 4096 // columns of a row; a longer line is settled in pieces
	spillSize  = 256 << 10
	maxCSI     = 64   // bytes of a control sequence; a longer one is not one
	maxString  = 4096 // bytes of an OSC, DCS, … string
)

// terminal turns what a program wrote to one stream into the text a person
// would read on a terminal: carriage return, backspace, erase and cursor
// movement are carried out, colours and other escapes dropped, NUL, invalid
// UTF-8 and other controls shown as \x00. What it puts out does not depend on
// how the input is cut into pieces. Not safe for concurrent use.
//
// It has two representations of the same screen. As long as text is only
// appended, it lies in plain and the cursor is at its end; the first movement
// takes the last row, and upper rows when the cursor reaches them, out of
// plain into rows. A line feed in the lowest row puts them back.
type terminal struct {
	out func([]byte) // takes settled text; the slice is valid during the call

	plain   []byte // rows above rows, or all of them
	floor   int    // the cursor cannot go above plain[floor:]
	column  int    // length in runes of plain's last row, while rows is nil
	spillAt int    // length of plain at which it is settled

	rows []row // the edited part of the screen, nil while text is only appended
	y, x int   // cursor in rows

	returned bool   // a \r that may turn out to be half of \r\n
	pending  []byte // an escape or UTF-8 sequence that has not ended
}

type row struct {
	text   []rune
	edited bool // blanks at its end are erased text, not the program's
}

func newTerminal(out func([]byte)) *terminal {
	return &terminal{out: out, spillAt: spillSize}
}

// Write feeds one piece of the stream. It never fails.
func (t *terminal) Write(piece []byte) (int, error) {
	b := piece
	if len(t.pending) > 0 {
		b = append(t.pending, b...)
		t.pending = nil
	}
	for len(b) > 0 {
		n := plainPrefix(b)
		if n > 0 {
			t.text(b[:n])
			b = b[n:]
			continue
		}
		if n = t.control(b); n == 0 {
			t.pending = bytes.Clone(b)
			break
		}
		b = b[n:]
	}
	return len(piece), nil
}

// settle puts out what later text of this stream cannot change. A row that is
// being redrawn (a progress bar) stays, so that output of another stream in
// between does not leave a copy of each of its states.
func (t *terminal) settle() {
	t.carriageReturn()
	if len(t.plain) > 0 {
		t.out(t.plain)
	}
	t.plain, t.floor, t.column = t.plain[:0], 0, 0
}

// finish puts out everything and leaves an empty screen.
func (t *terminal) finish() {
	for len(t.pending) > 0 {
		b := t.pending
		t.pending = nil
		t.visible(b[:1])
		_, _ = t.Write(b[1:])
	}
	t.returned = false
	n := len(t.rows)
	for n > 0 && t.rows[n-1].edited && len(t.rows[n-1].trimmed()) == 0 {
		n--
	}
	erased := n < len(t.rows)
	t.rows = t.rows[:n]
	t.flattenRows()
	if erased && n > 0 {
		t.plain = append(t.plain, '\n')
	}
	t.settle()
}

// plainPrefix returns how many bytes of b are printable text, tabs and line
// feeds: what needs no look at each rune later.
func plainPrefix(b []byte) int {
	i := 0
	for i < len(b) {
		// Eight bytes at once while they are all printable ASCII.
		for i+8 <= len(b) && printable(binary.LittleEndian.Uint64(b[i:])) {
			i += 8
		}
		if i == len(b) {
			break
		}
		c := b[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 || hiddenControl(r) {
			return i
		}
		i += size
	}
	return i
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// printable tells whether all bytes of w lie between blank and tilde.
func printable(w uint64) bool {
	del := w ^ 0x7f*ones
	return (w|(w-' '*ones)|(del-ones))&tops == 0
}

// runes returns the number of runes of b, which is valid UTF-8: of its bytes
// that do not continue one.
func runes(b []byte) int {
	n := len(b)
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		n -= bits.OnesCount64(w & (^w << 1) & tops)
		b = b[8:]
	}
	for _, c := range b {
		if c&0xc0 == 0x80 {
			n--
		}
	}
	return n
}

// hiddenControl tells runes that start a new line or steer a terminal without
// being ASCII: C1 controls, line and paragraph separators.
func hiddenControl(r rune) bool {
	return r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029
}

// text writes a run of printable text.
func (t *terminal) text(b []byte) {
	if t.returned && b[0] == '\n' {
		t.returned, t.x = false, 0
	}
	t.carriageReturn()
	for len(b) > 0 && t.rows != nil {
		r, size := utf8.DecodeRune(b)
		if r == '\n' {
			t.lineFeed()
		} else if !t.put(r) {
			break
		}
		b = b[size:]
	}
	t.appendPlain(b)
}

// appendPlain appends text to plain, settling rows that get too long.
func (t *terminal) appendPlain(b []byte) {
	for len(b) > 0 {
		room := screenCols - t.column
		// Rows that end within room bytes fit, whatever their runes.
		if i := bytes.LastIndexByte(b[:min(len(b), room+1)], '\n'); i >= 0 {
			t.plain = append(t.plain, b[:i+1]...)
			b, t.column = b[i+1:], 0
			continue
		}
		if len(b) <= room {
			t.plain = append(t.plain, b...)
			t.column += runes(b)
			break
		}
		i, n := 0, 0
		for ; i < len(b) && n < room && b[i] != '\n'; n++ {
			_, size := utf8.DecodeRune(b[i:])
			i += size
		}
		t.plain = append(t.plain, b[:i]...)
		b = b[i:]
		t.column += n
		if len(b) > 0 && b[0] != '\n' {
			t.floor, t.column = len(t.plain), 0
		}
	}
	if len(t.plain) > t.spillAt {
		t.spill()
	}
}

// spill settles all of plain that lies above the screen.
func (t *terminal) spill() {
	keep := len(t.plain)
	for range screenRows + 1 {
		keep = bytes.LastIndexByte(t.plain[:keep], '\n')
		if keep <= t.floor {
			break
		}
	}
	keep = max(keep+1, t.floor)
	if keep > 0 {
		t.out(t.plain[:keep])
	}
	t.plain = append(t.plain[:0], t.plain[keep:]...)
	t.floor -= min(t.floor, keep)
	t.spillAt = max(spillSize, 2*len(t.plain))
}

// control handles what b begins with, not being plain text, and returns its
// length, or 0 when its end has not come yet.
func (t *terminal) control(b []byte) int {
	switch c := b[0]; {
	case c == '\r':
		t.returned = true
	case c == '\b':
		t.edit()
		t.x = max(0, t.x-1)
	case c == '\a': // a bell is not text
	case c == 0x1b:
		return t.escape(b)
	case c >= utf8.RuneSelf:
		return t.multibyte(b)
	default:
		t.visible(b[:1])
	}
	return 1
}

func (t *terminal) multibyte(b []byte) int {
	// A lone surrogate, as Python's surrogatepass writes it.
	if b[0] == 0xed && (len(b) == 1 || b[1] >= 0xa0 && b[1] < 0xc0) {
		if len(b) < 3 {
			return 0
		}
		if b[2]&0xc0 == 0x80 {
			t.text(fmt.Appendf(nil, `\ud%x%02x`, b[1]>>2&0xf, b[1]&3<<6|b[2]&0x3f))
			return 3
		}
	}
	if !utf8.FullRune(b) {
		return 0
	}
	r, size := utf8.DecodeRune(b)
	if size == 1 {
		t.visible(b[:1])
	} else {
		t.text(fmt.Appendf(nil, `\u%04x`, r))
	}
	return size
}

func (t *terminal) visible(b []byte) { t.text(fmt.Appendf(nil, `\x%02x`, b[0])) }

// carriageReturn carries out a \r that was no part of \r\n.
func (t *terminal) carriageReturn() {
	if t.returned {
		t.edit()
		t.x = 0
	}
}

// edit takes the last row out of plain, so that its cells can be changed.
func (t *terminal) edit() {
	wasReturned := t.returned
	t.returned = false
	if t.rows == nil {
		t.rows = append(t.rows[:0:0], t.takeRow())
		t.y, t.x = 0, len(t.rows[0].text)
	}
	if wasReturned {
		t.x = 0
	}
}

// takeRow removes plain's last row, which does not end in a line feed.
func (t *terminal) takeRow() row {
	start := max(t.floor, bytes.LastIndexByte(t.plain, '\n')+1)
	text := []rune(string(t.plain[start:]))
	t.plain = t.plain[:start]
	return row{text: text}
}

// put writes one rune at the cursor. It reports false when the row was full
// and the rune must be written to a new one.
func (t *terminal) put(r rune) bool {
	if t.x >= screenCols {
		if t.y == len(t.rows)-1 {
			t.flattenRows()
			t.floor, t.column = len(t.plain), 0
			return false
		}
		t.x = screenCols - 1
	}
	line := &t.rows[t.y]
	line.edited = true
	for len(line.text) < t.x {
		line.text = append(line.text, ' ')
	}
	if t.x < len(line.text) {
		line.text[t.x] = r
	} else {
		line.text = append(line.text, r)
	}
	t.x++
	return true
}

func (t *terminal) lineFeed() {
	if t.y < len(t.rows)-1 {
		t.y, t.x = t.y+1, 0
		return
	}
	t.flattenRows()
	t.plain = append(t.plain, '\n')
	t.column = 0
}

// flattenRows puts rows back into plain.
func (t *terminal) flattenRows() {
	for i, line := range t.rows {
		if i > 0 {
			t.plain = append(t.plain, '\n')
		}
		for _, r := range line.trimmed() {
			t.plain = utf8.AppendRune(t.plain, r)
		}
	}
	t.rows = nil
}

func (l row) trimmed() []rune {
	text := l.text
	for l.edited && len(text) > 0 && text[len(text)-1] == ' ' {
		text = text[:len(text)-1]
	}
	return text
}

// up moves the cursor n rows up, as far as the screen reaches.
func (t *terminal) up(n int) {
	t.edit()
	for ; n > 0; n-- {
		if t.y > 0 {
			t.y--
			continue
		}
		if len(t.rows) >= screenRows || len(t.plain) <= t.floor {
			return
		}
		t.plain = t.plain[:len(t.plain)-1] // the line feed that ends it
		t.rows = slices.Insert(t.rows, 0, t.takeRow())
	}
}
