package record

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// maxNeedles is up to how many strings looking for each beats matching lines.
const maxNeedles = 8

// prefilter finds the lines a pattern can match by strings of which each match
// holds one. Go's regexp takes some 30 ns a byte where it finds no literal
// prefix, and "(?i)error" has none: 200 MB would take 6 s.
type prefilter struct {
	needles [][]byte
	fold    bool // needles are lower case ASCII, so is the text looked at

	text  []byte // lower case when fold
	lower []byte // its memory
	found []int  // where each needle is next in text; -1: nowhere; -2: not looked
}

// newPrefilter returns nil when the pattern's matches need hold no string.
func newPrefilter(re *regexp.Regexp) *prefilter {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil
	}
	n := required(tree.Simplify())
	if len(n.strings) == 0 {
		return nil
	}
	f := &prefilter{fold: n.fold, found: make([]int, len(n.strings))}
	for _, s := range n.strings {
		if f.fold {
			s = strings.ToLower(s)
		}
		f.needles = append(f.needles, []byte(s))
	}
	return f
}

// needles are strings of which each match holds at least one.
type needles struct {
	strings []string
	fold    bool // in any case
}

// shortest is how selective needles are, about; 0 for none.
func (n needles) shortest() int {
	least := 0
	for i, s := range n.strings {
		if i == 0 || len(s) < least {
			least = len(s)
		}
	}
	return least
}

func required(re *syntax.Regexp) needles {
	switch re.Op {
	case syntax.OpLiteral:
		fold := re.Flags&syntax.FoldCase != 0
		for _, r := range re.Rune {
			// U+FFFD matches any byte that is no UTF-8; letters beyond ASCII
			// have cases that lowering bytes does not know.
			if r == utf8.RuneError || fold && r >= utf8.RuneSelf {
				return needles{}
			}
		}
		return needles{[]string{string(re.Rune)}, fold}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best needles
		for _, sub := range re.Sub {
			if n := required(sub); n.shortest() > best.shortest() {
				best = n
			}
		}
		return best
	case syntax.OpAlternate:
		var all needles
		for _, sub := range re.Sub {
			n := required(sub)
			if len(n.strings) == 0 {
				return needles{}
			}
			all.strings = append(all.strings, n.strings...)
			all.fold = all.fold || n.fold
		}
		if len(all.strings) > maxNeedles {
			return needles{}
		}
		if all.fold {
			for _, s := range all.strings {
				if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
					return needles{}
				}
			}
		}
		return all
	}
	return needles{}
}

// start prepares looking through text. It reports false where the filter would
// miss a match: (?i) lets the long s (U+017F) be an s, the Kelvin sign a k.
func (f *prefilter) start(text []byte) bool {
	f.text = text
	if f.fold {
		if bytes.Contains(text, []byte("\u017f")) || bytes.Contains(text, []byte("\u212a")) {
			return false
		}
		f.lower = append(f.lower[:0], text...)
		f.text = f.lower
		for i, c := range f.text {
			if c-'A' < 26 {
				f.text[i] = c + ('a' - 'A')
			}
		}
	}
	for i := range f.found {
		f.found[i] = -2
	}
	return true
}

// next returns where the first needle at or after pos begins, or -1.
func (f *prefilter) next(pos int) int {
	first := -1
	for i, n := range f.needles {
		if f.found[i] == -2 || f.found[i] >= 0 && f.found[i] < pos {
			f.found[i] = bytes.Index(f.text[pos:], n)
			if f.found[i] >= 0 {
				f.found[i] += pos
			}
		}
		if at := f.found[i]; at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}
