package render

import (
	"bytes"
	"unicode/utf8"
)

// chunkSize bounds the pieces a stream's text is kept in, and so how much
// more than wanted is kept of an end.
const chunkSize = 16 << 10

// piece is one part of an answer, in order: text of a stream as the terminal
// left it, or a display: text (already escaped, see ours.go), then pictures.
type piece struct {
	stream   string // "stdout", "stderr"; empty for a display
	comm     string // the widget that captured it
	text     []byte
	chars    int
	labeled  bool // a display whose text says itself what it is
	sticky   bool // a notice: not cleared by the code
	pictures []*picture
	dropped  bool // no longer in the answer
	silent   bool // a display of empty HTML: without text it takes no line
}

// empty tells a display that shows nothing.
func (p *piece) empty() bool { return len(p.text) == 0 && len(p.pictures) == 0 && !p.labeled }

// copy returns a piece that shows the same at another place.
func (p *piece) copy() *piece {
	q := *p
	q.pictures = nil
	for _, pic := range p.pictures {
		again := *pic
		q.pictures = append(q.pictures, &again)
	}
	return &q
}

// size is a number of characters and lines.
type size struct{ chars, lines int64 }

func (s *size) add(text []byte) {
	s.chars += int64(runes(text))
	s.lines += int64(bytes.Count(text, []byte{'\n'}))
}

// collector keeps the beginning and the end of what it is given and counts
// what it lets go between them. Pictures are always kept.
type collector struct {
	headRoom int // characters the head still takes
	tailSize int // characters the tail keeps at least
	full     bool

	head, tail []*piece
	tailChars  int
	pictures   []*piece // those between head and tail
	dropped    size
	kept       size // of dropped: what no clear takes back
	spare      []byte
}

func newCollector(chars int) *collector {
	return &collector{headRoom: chars, tailSize: chars}
}

// add appends a display's piece.
func (c *collector) add(p *piece) {
	p.chars = runes(p.text)
	if !c.full && p.chars <= c.headRoom {
		c.headRoom -= p.chars
		c.head = append(c.head, p)
		return
	}
	c.full = true
	c.tail = append(c.tail, p)
	c.tailChars += p.chars
	c.trim()
}

// write appends text of a stream.
func (c *collector) write(stream, comm string, text []byte) {
	if !c.full {
		n := prefix(text, c.headRoom)
		c.headRoom -= runes(text[:n])
		c.head = c.join(c.head, stream, comm, text[:n])
		text = text[n:]
		if len(text) == 0 {
			return
		}
		c.full = true
	}
	// A rune has at most four bytes: what lies before this is surely cut.
	if surplus := len(text) - 4*c.tailSize; surplus > chunkSize {
		for surplus < len(text) && !utf8.RuneStart(text[surplus]) {
			surplus++
		}
		c.let(len(c.tail))
		c.dropped.add(text[:surplus])
		text = text[surplus:]
	}
	for len(text) > 0 {
		n := min(chunkSize, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n++
		}
		c.tail = c.join(c.tail, stream, comm, text[:n])
		c.tailChars += runes(text[:n])
		text = text[n:]
		c.trim()
	}
}

// join appends text to the last piece when it is of the same stream.
func (c *collector) join(pieces []*piece, stream, comm string, text []byte) []*piece {
	if len(text) == 0 {
		return pieces
	}
	if n := len(pieces); n > 0 {
		last := pieces[n-1]
		if last.stream == stream && last.comm == comm && last.pictures == nil && len(last.text)+len(text) <= 2*chunkSize {
			last.text = append(last.text, text...)
			last.chars += runes(text)
			return pieces
		}
	}
	p := &piece{stream: stream, comm: comm, chars: runes(text)}
	p.text = append(c.spare[:0:cap(c.spare)], text...)
	c.spare = nil
	return append(pieces, p)
}

// trim lets go what the tail does not need.
func (c *collector) trim() {
	n, chars := 0, c.tailChars
	for n < len(c.tail)-1 && chars-c.tail[n].chars >= c.tailSize {
		chars -= c.tail[n].chars
		n++
	}
	c.let(n)
}

// let lets the first n pieces of the tail go.
func (c *collector) let(n int) {
	for _, p := range c.tail[:n] {
		c.tailChars -= p.chars
		c.dropped.add(p.text)
		if p.stream == "" && len(p.text) > 0 {
			c.dropped.lines++ // a display's text does not end in a line feed
		} else if cap(p.text) > cap(c.spare) {
			c.spare = p.text
		}
		p.text = nil
		if p.pictures != nil {
			c.pictures = append(c.pictures, p)
			p.chars = 0
			continue
		}
		p.dropped = true
	}
	clear(c.tail[:n])
	c.tail = c.tail[n:]
}

// clear removes what the cell has put out, or a widget's part of it, and
// reports whether there was any.
func (c *collector) clear(comm string) bool {
	cleared := false
	keep := func(pieces []*piece) []*piece {
		kept := pieces[:0]
		for _, p := range pieces {
			if p.sticky || comm != "" && p.comm != comm {
				kept = append(kept, p)
				continue
			}
			cleared, p.dropped = true, true
		}
		clear(pieces[len(kept):])
		return kept
	}
	total := c.headRoom
	for _, p := range c.head {
		total += p.chars
	}
	c.head, c.tail, c.pictures = keep(c.head), keep(c.tail), keep(c.pictures)
	c.headRoom, c.tailChars = total, 0
	for _, p := range c.head {
		c.headRoom -= p.chars
	}
	for _, p := range c.tail {
		c.tailChars += p.chars
	}
	if comm == "" {
		cleared = cleared || c.dropped.chars > c.kept.chars
		c.dropped = c.kept
		c.full = len(c.tail) > 0
	}
	return cleared
}

// keep lets no later clear remove what is there.
func (c *collector) keep() {
	for _, pieces := range [][]*piece{c.head, c.tail, c.pictures} {
		for _, p := range pieces {
			p.sticky = true
		}
	}
	c.kept = c.dropped
}

// prefix returns how many bytes of text the first chars characters take.
func prefix(text []byte, chars int) int {
	if len(text) <= chars {
		return len(text)
	}
	i := 0
	for ; chars > 0 && i < len(text); chars-- {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, n := utf8.DecodeRune(text[i:])
		i += n
	}
	return i
}

// suffix returns where the last chars characters of text begin.
func suffix(text []byte, chars int) int {
	i := len(text)
	for ; chars > 0 && i > 0; chars-- {
		_, n := utf8.DecodeLastRune(text[:i])
		i -= n
	}
	return i
}

// resized takes note that p's text was replaced.
func (c *collector) resized(p *piece, before int) {
	p.chars = runes(p.text)
	for _, q := range c.tail {
		if q == p {
			c.tailChars += p.chars - before
			c.trim()
			return
		}
	}
}

// endsWith tells whether text is in the last piece of a stream, or ends a display.
func (c *collector) endsWith(text string) bool {
	for _, pieces := range [][]*piece{c.tail, c.head} {
		if n := len(pieces); n > 0 {
			last := pieces[n-1]
			return last.stream != "" && bytes.Contains(last.text, []byte(text)) || bytes.HasSuffix(bytes.TrimSpace(last.text), []byte("\n"+text))
		}
	}
	return false
}
