package render

import (
	"bytes"
	"strconv"
)

// escape handles the escape sequence b begins with (ECMA-48, and what xterm
// adds) and returns its length, or 0 when its end has not come yet. What
// turns out to be no sequence is shown, so that nothing is swallowed.
func (t *terminal) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch c := b[1]; {
	case c == '[':
		return t.controlSequence(b)
	case c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_':
		return t.controlString(b)
	case c >= ' ' && c < '0': // ESC ( B: one or more intermediates, a final
		for i := 2; i < len(b) && i < maxCSI; i++ {
			if b[i] >= '0' && b[i] < 0x7f {
				return i + 1
			}
			if b[i] < ' ' || b[i] > '/' {
				return t.noSequence()
			}
		}
		if len(b) < maxCSI {
			return 0
		}
		return t.noSequence()
	case c == 'M':
		t.up(1)
		return 2
	case c >= '0' && c < 0x7f:
		return 2
	}
	return t.noSequence()
}

func (t *terminal) noSequence() int {
	t.visible([]byte{0x1b})
	return 1
}

// controlString skips a string up to its terminator: BEL or ESC \.
func (t *terminal) controlString(b []byte) int {
	i := bytes.IndexAny(b[2:min(len(b), maxString)], "\a\x1b\n")
	switch {
	case i < 0 && len(b) < maxString:
		return 0
	case i < 0:
		return t.noSequence()
	case b[2+i] == '\a':
		return 2 + i + 1
	case b[2+i] == 0x1b && 2+i+1 == len(b):
		return 0
	case b[2+i] == 0x1b && b[2+i+1] == '\\':
		return 2 + i + 2
	}
	return t.noSequence()
}

// controlSequence carries out ESC [ parameters final.
func (t *terminal) controlSequence(b []byte) int {
	for i := 2; i < len(b) && i < maxCSI; i++ {
		switch c := b[i]; {
		case c >= 0x40 && c < 0x7f:
			t.perform(c, b[2:i])
			return i + 1
		case c < ' ' || c > '?':
			return t.noSequence()
		}
	}
	if len(b) < maxCSI {
		return 0
	}
	return t.noSequence()
}

// perform carries out the sequences that move the cursor or erase, and drops
// all others: colours, modes, questions.
func (t *terminal) perform(final byte, parameters []byte) {
	if len(parameters) > 0 && parameters[0] > ';' { // private: ESC [ ? 25 l
		return
	}
	first, rest, _ := bytes.Cut(parameters, []byte(";"))
	count := number(first, 1)
	switch final {
	case 'A', 'F':
		t.up(count)
	case 'B', 'E':
		t.edit()
		t.y = min(t.y+count, len(t.rows)-1)
	case 'C':
		t.edit()
		t.x = min(t.x+count, screenCols)
	case 'D':
		t.edit()
		t.x = max(t.x-count, 0)
	case 'G', '`':
		t.edit()
		t.x = min(count, screenCols) - 1
	case 'H', 'f':
		t.up(screenRows)
		t.y = min(count, len(t.rows)) - 1
		t.x = min(number(rest, 1), screenCols) - 1
	case 'J':
		t.eraseDisplay(number(first, 0))
	case 'K':
		t.eraseLine(number(first, 0))
	case 'P', 'X':
		t.eraseCells(count, final == 'P')
	}
	if final == 'E' || final == 'F' {
		t.x = 0
	}
}

// number reads a parameter; one that is missing or zero where a count is
// meant has the value missing.
func number(b []byte, missing int) int {
	n, err := strconv.Atoi(string(b))
	if err != nil || n < missing {
		return missing
	}
	return min(n, 1<<16)
}

func (t *terminal) eraseLine(mode int) {
	if t.rows == nil && !t.returned && mode == 0 {
		return // nothing lies after the end
	}
	t.edit()
	line := &t.rows[t.y]
	line.edited = true
	switch {
	case mode == 0:
		line.text = line.text[:min(t.x, len(line.text))]
	case mode == 1:
		for i := range min(t.x+1, len(line.text)) {
			line.text[i] = ' '
		}
	case mode == 2:
		line.text = line.text[:0]
	}
}

// eraseDisplay erases below the cursor (0), above it (1) or everything the
// screen holds (2); settled text stays, like a terminal's scroll-back.
func (t *terminal) eraseDisplay(mode int) {
	switch mode {
	case 0:
		t.eraseLine(0)
		if t.rows != nil {
			t.rows = t.rows[:t.y+1]
		}
		return
	case 1, 2:
	default:
		return
	}
	t.edit()
	fromBottom := len(t.rows) - t.y
	t.up(screenRows)
	t.y = len(t.rows) - fromBottom
	for i := range t.rows {
		if i < t.y || mode == 2 {
			t.rows[i] = row{edited: true}
		}
	}
	if mode == 1 {
		t.eraseLine(1)
	}
}

// eraseCells blanks n cells at the cursor, or takes them out of the row.
func (t *terminal) eraseCells(n int, remove bool) {
	t.edit()
	line := &t.rows[t.y]
	line.edited = true
	start := min(t.x, len(line.text))
	end := min(start+n, len(line.text))
	if remove {
		line.text = append(line.text[:start], line.text[end:]...)
		return
	}
	for i := start; i < end; i++ {
		line.text[i] = ' '
	}
}
