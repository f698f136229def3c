package render

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// screen runs pieces through a terminal.
func screen(pieces ...string) string {
	var out strings.Builder
	t := newTerminal(func(b []byte) { out.Write(b) })
	for _, p := range pieces {
		_, _ = t.Write([]byte(p))
	}
	t.finish()
	return out.String()
}

func TestTerminal(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "a\nb\n", "a\nb\n"},
		{"no line feed at the end", "a\nb", "a\nb"},
		{"empty", "", ""},
		{"blank lines stay", "\n\na\n\n", "\n\na\n\n"},
		{"blanks at the end of a line stay", "a  \nb\t\n", "a  \nb\t\n"},
		{"carriage return and line feed", "a\r\nb\r\n", "a\nb\n"},
		{"two carriage returns and line feed", "a\r\r\nb", "a\nb"},
		{"a bar", "\r10%\r50%\r100%\n", "100%\n"},
		{"return at the end of each state", "10%\r50%\r100%\rend\n", "end%\n"},
		{"a return at the end erases nothing", "abc\r", "abc"},
		{"shorter text leaves the rest", "12345\rab\n", "ab345\n"},
		{"erased with blanks", "12345\r     \rab\n", "ab\n"},
		{"a bar that is erased leaves nothing", "\r50%|##|\r        \r", ""},
		{"backspace", "abc\b\bX\n", "aXc\n"},
		{"backspace stops at the margin", "a\b\b\bX", "X"},
		{"Keras 2: backspaces over the whole line", "1/3 [=>..]" + strings.Repeat("\b", 10) + "3/3 [===]\n", "3/3 [===]]\n"},
		{"erase to the end", "12345\rab\x1b[K\n", "ab\n"},
		{"erase to the beginning", "12345\b\b\x1b[1K\n", "    5\n"},
		{"erase the line", "12345\r\x1b[2Kx\n", "x\n"},
		{"erase below", "a\nb\nc\x1b[2A\r\x1b[Jx\n", "x\n"},
		{"clear the screen and go home", "old\nolder\x1b[2J\x1b[Hnew\n", "new\n"},
		{"cursor up", "a\nb\n\x1b[2AX\n", "X\nb\n"},
		{"cursor up ends at the top", "a\n\x1b[9AX", "X\n"},
		{"cursor up and down", "a\nb\nc\x1b[2A\rX\x1b[2B\rZ", "X\nb\nZ"},
		{"cursor to column", "abcdef\x1b[3GX\n", "abXdef\n"},
		{"cursor right pads", "a\x1b[3Cb\n", "a   b\n"},
		{"next and previous line", "a\nb\x1b[Fx\x1b[Ey\n", "x\ny\n"},
		{"delete and erase cells", "abcdef\r\x1b[2Pabc\r\x1b[1X\n", " bcf\n"},
		{"colours", "\x1b[1;31mred\x1b[0m \x1b[38;5;12mblue\x1b[m\n", "red blue\n"},
		{"cursor hidden and shown", "\x1b[?25lx\x1b[?25h\n", "x\n"},
		{"hyperlink", "\x1b]8;;http://x/\x1b\\text\x1b]8;;\x1b\\\n", "text\n"},
		{"window title", "\x1b]0;title\ax\n", "x\n"},
		{"character set", "\x1b(Bx", "x"},
		{"a string that does not end is shown", "\x1b]0;title\nnext\n", "\\x1b]0;title\nnext\n"},
		{"an escape that is none is shown", "\x1b[3\nx\x1b", "\\x1b[3\nx\\x1b"},
		{"NUL", "a\x00b\n", "a\\x00b\n"},
		{"bell", "a\ab\n", "ab\n"},
		{"delete, vertical tab, form feed", "a\x7fb\vc\fd\n", "a\\x7fb\\x0bc\\x0cd\n"},
		{"invalid UTF-8", "a\xff\xc3(b\n", "a\\xff\\xc3(b\n"},
		{"UTF-8 that does not end", "a\xe2\x82", "a\\xe2\\x82"},
		{"lone surrogate", "a\xed\xa0\x80\xed\xbf\xbfb\n", "a\\ud800\\udfffb\n"},
		{"C1 and line separators", "a\u0085b\u2028c\n", "a\\u0085b\\u2028c\n"},
		{"emoji and right to left", "é 😀 שלום\n", "é 😀 שלום\n"},
		{"emoji replaced", "\r😀😀😀\rab\n", "ab😀\n"},
		{"nested bars", "\router 0%\n\rinner 0%\x1b[A\n\rinner 100%\x1b[A\router 50%\n\rinner 50%\x1b[A\router 100%\n", "outer 100%\ninner 50%%"},
		{"inner bar erased", "\router 0%\n\rinner 0%\x1b[A\n\r        \r\x1b[A\router 100%\n", "outer 100%\n"},
		{"rich's live display", "a  1%\nb  1%\r\x1b[2K\x1b[1A\x1b[2Ka 50%\nb 50%\r\x1b[2K\x1b[1A\x1b[2Ka 99%\nb 99%\n", "a 99%\nb 99%\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := screen(c.in); got != c.want {
				t.Errorf("%q shows\n%q, want\n%q", c.in, got, c.want)
			}
			var split []string
			for i := range len(c.in) {
				split = append(split, c.in[i:i+1])
			}
			if got := screen(split...); got != c.want {
				t.Errorf("%q byte by byte shows\n%q, want\n%q", c.in, got, c.want)
			}
		})
	}
}

// A line longer than the screen is wide is one line, and memory stays flat.
func TestTerminalLongLine(t *testing.T) {
	for _, unit := range []string{"x", "é", "ab\tcd", "😀é"} {
		line := strings.Repeat(unit, 2_000_000/len(unit))
		got := screen(line[:999_999], line[999_999:], "\nend\n")
		if got != line+"\nend\n" {
			t.Errorf("a long line of %q is changed: %d bytes of %d", unit, len(got), len(line))
		}
	}
}

func TestTerminalMemory(t *testing.T) {
	n := 0
	screen := newTerminal(func(b []byte) { n += len(b) })
	for _, piece := range []string{strings.Repeat("x", 100_000), strings.Repeat("line\n", 20_000), strings.Repeat("\rbar\x1b[K\n", 10_000), strings.Repeat("\n", 70_000)} {
		for range 50 {
			_, _ = screen.Write([]byte(piece))
		}
		if cap(screen.plain) > 4<<20 {
			t.Errorf("%d bytes held after many of %.8q", cap(screen.plain), piece)
		}
	}
	screen.finish()
	if want := 50 * (100_000 + 100_000 + 4*10_000 + 70_000); n != want {
		t.Errorf("%d bytes put out, want %d", n, want)
	}
}

// How the input is cut into pieces must not show.
func FuzzTerminal(f *testing.F) {
	for _, s := range []string{
		"\r10%\r20%\n", "a\nb\x1b[A\x1b[2Kx", "\x1b]8;;u\x1b\\t\a", "\xed\xa0\x80\xff\xe2\x82", "a\bc\x1b[3Cd\x1b[1;1Hx\x1b[J", "\x1b[2J\x1b[H\x1b[1J",
		strings.Repeat("x", 5000) + "\ry\x1b[A", strings.Repeat("é\n", 100) + "\x1b[99A\x1b[1J", "\x1b(\x1b\x1b[\x1b]\x1b",
	} {
		f.Add([]byte(s), uint16(1), uint16(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, first, step uint16) {
		whole := screen(string(in))
		var pieces []string
		rest := string(in)
		for n := int(first) % (len(rest) + 1); rest != ""; n = min(int(step)%97+1, len(rest)) {
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		if got := screen(pieces...); got != whole {
			t.Fatalf("in pieces %q\nwhole     %q", got, whole)
		}
		if !utf8.ValidString(whole) {
			t.Fatalf("invalid UTF-8: %q", whole)
		}
		if i := strings.IndexFunc(whole, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || hiddenControl(r) }); i >= 0 {
			t.Fatalf("a control at %d of %q", i, whole)
		}
		if plainPrefix(in) == len(in) && whole != string(in) {
			t.Fatalf("plain text %q is shown as %q", in, whole)
		}
	})
}

func BenchmarkTerminalPlain(b *testing.B) {
	var log bytes.Buffer
	for i := 0; log.Len() < 1<<20; i++ {
		fmt.Fprintf(&log, "2026-11-22 12:00:%02d step %d: loss=%.4f accuracy=%.4f\n", i%60, i, 1/float64(i+1), 1-1/float64(i+1))
	}
	for name, piece := range map[string][]byte{
		"log":   log.Bytes(),
		"short": bytes.Repeat([]byte("1\n"), 1<<19),
		"long":  bytes.Repeat([]byte("x"), 1<<20),
		"utf8":  bytes.Repeat([]byte("é😀 grün\n"), 1<<16),
		"bars":  bytes.Repeat([]byte("\r 50%|#####     | 50/100 [00:01<00:01, 49.9it/s]"), 20_000),
		"crlf":  bytes.Repeat([]byte("a line of a subprocess\r\n"), 40_000),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(piece)))
			c := newCollector(30_000)
			t := newTerminal(func(text []byte) { c.write("stdout", "", text) })
			for b.Loop() {
				for rest := piece; len(rest) > 0; {
					n := min(64<<10, len(rest))
					_, _ = t.Write(rest[:n])
					rest = rest[n:]
				}
			}
		})
	}
}
