package render

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// shownLine is a line of an answer as it is shown.
type shownLine struct {
	text    string
	stream  string // as in piece
	labeled bool
	raw     size // what of the code's own output it stands for
	picture *picture
}

func (l *shownLine) cost() int { return utf8.RuneCountInString(l.text) + 1 }

// page is what is left of a collector after the cut.
type page struct {
	lines []shownLine
	cut   size // zero when everything is shown
}

// layout chooses at most chars characters: everything, or a third of them
// from the beginning and the rest from the end (an error and the newest
// output are there), at line boundaries, with a line of ours in between.
// Pictures are all kept. Note words the cut.
func layout(c *collector, chars int, note func(size) string) page {
	if c.dropped.chars == 0 && len(c.pictures) == 0 {
		all := splitLines(slices.Concat(c.head, c.tail))
		if total(all) <= chars { // marks only add to it
			if marked := withMarks(all, ""); total(marked) <= chars {
				return page{lines: marked}
			}
		}
		return cutPage(all, nil, size{}, nil, chars, note)
	}
	return cutPage(splitLines(c.head), splitLines(c.tail), c.dropped, c.pictures, chars, note)
}

func total(lines []shownLine) int {
	n := 0
	for i := range lines {
		n += lines[i].cost()
	}
	return n
}

// cutPage takes lines from the beginning of head and from the end of tail
// (of head too when nothing lies between them). It changes both.
func cutPage(head, tail []shownLine, gone size, pictures []*piece, chars int, note func(size) string) page {
	room := max(0, chars-len(note(size{1 << 40, 1 << 40})))
	for _, lines := range [][]shownLine{head, tail} {
		for i := range lines {
			if lines[i].picture != nil {
				room -= lines[i].cost()
			}
		}
	}
	for _, p := range pictures {
		for _, pic := range p.pictures {
			room -= utf8.RuneCountInString(pic.caption) + 1
		}
	}
	front, restHead := takeFront(head, room/3)
	spent := total(front)
	for i := range front {
		if front[i].picture != nil {
			spent -= front[i].cost()
		}
	}
	var back, between []shownLine
	if tail == nil && gone.chars == 0 {
		restHead, back = takeBack(restHead, room-spent)
	} else {
		between, back = takeBack(tail, room-spent)
	}
	var kept []shownLine
	for _, lines := range [][]shownLine{restHead, between} {
		for i := range lines {
			l := &lines[i]
			if l.picture != nil {
				kept = append(kept, *l)
				continue
			}
			gone.chars += l.raw.chars
			gone.lines += l.raw.lines
		}
	}
	for _, p := range pictures {
		kept = append(kept, pictureLines(p)...)
	}
	lines := withMarks(front, "")
	lines = append(lines, shownLine{text: note(gone), labeled: true})
	lines = append(lines, kept...)
	last := ""
	if len(front) > 0 {
		last = front[len(front)-1].stream
	}
	return page{lines: append(lines, withMarks(back, last)...), cut: gone}
}

// takeFront takes lines from the beginning until budget is spent. A line too
// long for what is left is split when it would waste much of the budget. Both
// parts are of the same array: the lines may be many.
func takeFront(lines []shownLine, budget int) (taken, rest []shownLine) {
	stream, left := "", budget
	for i := range lines {
		l := &lines[i]
		if l.picture != nil {
			continue
		}
		need := l.cost() + markCost(stream, l)
		if need <= left {
			left -= need
			stream = l.stream
			continue
		}
		taken, rest = lines[:i:i], lines[i:]
		left -= markCost(stream, l) + 2
		if left > budget/4 && l.picture == nil {
			n := prefix([]byte(l.text), left)
			first, second := *l, *l
			first.text = l.text[:n] + "…"
			first.raw = size{chars: int64(utf8.RuneCountInString(l.text[:n]) - l.escapes())}
			second.text = l.text[n:]
			second.raw = size{chars: l.raw.chars - first.raw.chars, lines: l.raw.lines}
			taken = append(taken, first)
			rest[0] = second
		}
		return taken, rest
	}
	return lines, nil
}

// takeBack is takeFront from the end.
func takeBack(lines []shownLine, budget int) (rest, taken []shownLine) {
	left, stream := budget, ""
	for i := len(lines) - 1; i >= 0; i-- {
		l := &lines[i]
		if l.picture != nil {
			continue
		}
		need := l.cost() + markCost(stream, l)
		if need <= left {
			left -= need
			stream = l.stream
			continue
		}
		rest, taken = lines[:i+1:i+1], slices.Clip(lines[i+1:])
		left -= markCost(stream, l) + 3
		if left > budget/4 {
			n := suffix([]byte(l.text), left)
			first, second := *l, *l
			// What follows the cut must not look like a line of ours either.
			second.text = "…" + l.text[n:]
			second.raw = size{chars: int64(utf8.RuneCountInString(l.text[n:])) + l.raw.lines, lines: l.raw.lines}
			first.text = l.text[:n]
			first.raw = size{chars: l.raw.chars - second.raw.chars}
			rest[i] = first
			taken = slices.Insert(taken, 0, second)
		}
		return rest, taken
	}
	return nil, lines
}

// escapes is the number of characters escaping has added to the line.
func (l *shownLine) escapes() int {
	return utf8.RuneCountInString(l.text) - int(l.raw.chars-l.raw.lines)
}

// splitLines makes lines of pieces, joining neighbours of one stream.
func splitLines(pieces []*piece) []shownLine {
	var lines []shownLine
	for i := 0; i < len(pieces); {
		p := pieces[i]
		if p.stream == "" {
			lines = append(lines, displayLines(p)...)
			i++
			continue
		}
		end, length, breaks := i, 0, 0
		for ; end < len(pieces) && pieces[end].stream == p.stream && pieces[end].comm == p.comm; end++ {
			length += len(pieces[end].text)
			breaks += bytes.Count(pieces[end].text, []byte{'\n'})
		}
		var text strings.Builder
		text.Grow(length)
		for ; i < end; i++ {
			text.Write(pieces[i].text)
		}
		lines = slices.Grow(lines, breaks+1)
		for line := range strings.Lines(text.String()) {
			body, ended := strings.CutSuffix(line, "\n")
			l := shownLine{text: EscapeLine(body), stream: p.stream}
			l.raw.chars = int64(utf8.RuneCountInString(body))
			if ended {
				l.raw.chars++
				l.raw.lines = 1
			}
			lines = append(lines, l)
		}
	}
	return lines
}

func displayLines(p *piece) []shownLine {
	if len(p.text) == 0 && (len(p.pictures) > 0 || p.dropped || p.silent) {
		return pictureLines(p)
	}
	var lines []shownLine
	for text := range strings.SplitSeq(string(p.text), "\n") {
		l := shownLine{text: text, labeled: p.labeled}
		l.raw = size{chars: int64(l.cost()), lines: 1}
		lines = append(lines, l)
	}
	return append(lines, pictureLines(p)...)
}

func pictureLines(p *piece) (lines []shownLine) {
	for _, pic := range p.pictures {
		lines = append(lines, shownLine{text: pic.caption, picture: pic, labeled: true})
	}
	return lines
}

// withMarks puts "[stderr]" where stderr begins, and "[stdout]" or
// "[display]" where what follows it would be taken for stderr.
func withMarks(lines []shownLine, last string) []shownLine {
	marked := make([]shownLine, 0, len(lines)+4)
	for i := range lines {
		l := &lines[i]
		if mark := markBetween(last, l); mark != "" {
			marked = append(marked, shownLine{text: mark, stream: l.stream, labeled: true})
		}
		last = l.stream
		marked = append(marked, *l)
	}
	return marked
}

func markBetween(last string, l *shownLine) string {
	switch {
	case l.stream == last || l.labeled:
		return ""
	case l.stream == "" && last == "stderr":
		return "[display]"
	case l.stream == "stdout" && last == "stderr":
		return "[stdout]"
	case l.stream == "stdout" || l.stream == "":
		return ""
	}
	return "[" + l.stream + "]"
}

func markCost(last string, l *shownLine) int {
	if l.stream == last {
		return 0
	}
	return len("[display]") + 1
}

// cutNote words a cut.
func cutNote(gone size, readOn string) string {
	note := fmt.Sprintf("[cut: %s characters (%s lines) not shown", grouped(gone.chars), grouped(gone.lines))
	if gone.lines == 0 {
		note = fmt.Sprintf("[cut: %s characters not shown", grouped(gone.chars))
	} else if gone.lines == 1 {
		note = fmt.Sprintf("[cut: %s characters (1 line) not shown", grouped(gone.chars))
	}
	if readOn != "" {
		note += "; " + readOn
	}
	return note + "]"
}

// grouped writes n with commas: 1,234,567.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
