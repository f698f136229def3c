package codefile

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of [Folder.Read], in bytes.
const (
	// MaxRead is the most text one Read returns.
	MaxRead = 1 << 20
	// MaxReadFile is the largest file Read looks into: it counts all lines, and
	// has to answer at once.
	MaxReadFile = 256 << 20
)

// Text is a piece of a file, in whole lines where one line is not over the limit.
type Text struct {
	Path     string    // absolute
	Name     string    // relative to the storage directory
	Content  string    // the lines with their line ends, as they are; valid UTF-8
	First    int       // number of the first line in Content, from 1; 0 when there is none
	Last     int       // number of the last line in Content
	Lines    int       // lines in the file; a last one without a line end counts
	Size     int64     // bytes of the file
	Cut      bool      // fewer lines than asked for, or part of one: MaxRead was reached
	Encoding string    // "utf-8", "utf-8 with BOM", or "latin-1" for what is no UTF-8
	Modified time.Time // when the file was last written
}

// Read gives lines of a text file. offset lines are left out at the start, a
// negative offset counts from the end (-20: the last twenty); limit is the most
// lines returned, 0 or less is no limit. The file is never held in memory whole.
// Errors are those of [Folder.Path], [*BinaryError] and [*TooLargeError].
func (d *Folder) Read(path string, offset, limit int) (Text, error) {
	f, rel, err := d.open(path, os.O_RDONLY)
	if err != nil {
		return Text{}, instead(err, func(string) string { return "code that is run with execute_code can read any file" })
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Text{}, d.openError(path, err)
	}
	t := Text{Path: filepath.Join(d.dir, rel), Name: filepath.ToSlash(rel), Size: info.Size(), Modified: info.ModTime()}
	if t.Size > MaxReadFile {
		return Text{}, &TooLargeError{What: quote(path), Size: t.Size, Limit: MaxReadFile}
	}
	// The size now is the end: a file that grows while we read is not chased.
	whole := func() io.Reader { return io.NewSectionReader(f, 0, t.Size) }
	c, err := count(whole())
	if err != nil {
		return Text{}, d.openError(path, err)
	}
	if c.nul >= 0 {
		return Text{}, &BinaryError{Path: path, Size: t.Size, Why: fmt.Sprintf("holds a NUL byte at %d", c.nul)}
	}
	t.Lines = c.lines
	first, last := span(offset, limit, c.lines)
	raw, complete, err := lines(whole(), first, last)
	if err != nil {
		return Text{}, d.openError(path, err)
	}
	t.Cut = !complete
	if len(raw) > 0 {
		t.First = first + 1
		t.Last = first + bytes.Count(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n")) + 1
	}
	t.Content, t.Encoding = decode(raw, c)
	return t, nil
}

// span turns offset and limit into line indices [first, last).
func span(offset, limit, total int) (first, last int) {
	first = offset
	if offset < 0 {
		first = max(0, total+offset)
	}
	first = min(first, total)
	if limit <= 0 || limit > total-first {
		return first, total
	}
	return first, first + limit
}

// counted is what one pass over a file finds.
type counted struct {
	lines int
	nul   int64 // position of the first NUL, or -1
	utf8  bool
	bom   bool
}

// count makes one pass in pieces of 64 KiB.
func count(r io.Reader) (counted, error) {
	c := counted{nul: -1, utf8: true}
	var (
		position int64
		last     = byte('\n')
		buf      = make([]byte, 64<<10)
		kept     int // bytes of a rune cut by the piece before
	)
	for {
		n, err := r.Read(buf[kept:])
		piece := buf[kept : kept+n]
		if n > 0 {
			if i := bytes.IndexByte(piece, 0); i >= 0 {
				c.nul = position + int64(i)
				return c, nil
			}
			if position == 0 {
				c.bom = bytes.HasPrefix(piece, []byte("\xef\xbb\xbf"))
			}
			c.lines += bytes.Count(piece, []byte("\n"))
			last = piece[n-1]
			position += int64(n)
			kept = c.check(buf, kept+n)
		}
		if err == io.EOF {
			if last != '\n' {
				c.lines++
			}
			c.utf8 = c.utf8 && kept == 0
			return c, nil
		}
		if err != nil {
			return c, err
		}
	}
}

// check validates buf[:n] and moves a rune that is cut at its end to the front;
// it returns that rune's bytes so far.
func (c *counted) check(buf []byte, n int) (kept int) {
	if !c.utf8 {
		return 0
	}
	whole := completeRunes(buf[:n])
	c.utf8 = utf8.Valid(buf[:whole])
	return copy(buf, buf[whole:n])
}

// completeRunes is the length of b without a rune cut at its end.
func completeRunes(b []byte) int {
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}

// lines copies the lines [first, last), at most MaxRead bytes of them; complete
// is false when that was not enough.
func lines(r io.Reader, first, last int) (out []byte, complete bool, err error) {
	buf := make([]byte, 64<<10)
	for line := 0; line < last; {
		n, err := r.Read(buf)
		for piece := buf[:n]; len(piece) > 0 && line < last; {
			end := bytes.IndexByte(piece, '\n') + 1
			part := piece[:end]
			if end == 0 {
				part = piece
			}
			if line >= first {
				if len(out)+len(part) > MaxRead {
					return cutLines(append(out, part[:MaxRead-len(out)]...)), false, nil
				}
				out = append(out, part...)
			}
			if end > 0 {
				line++
			}
			piece = piece[len(part):]
		}
		if err == io.EOF {
			return out, true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
	return out, true, nil
}

// cutLines ends at a line end, or in a single endless line at a whole rune.
func cutLines(b []byte) []byte {
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		return b[:i+1]
	}
	return b[:completeRunes(b)]
}

// decode turns bytes into a string that can be shown. What is no UTF-8 is read
// as Latin-1, which has a character for every byte.
func decode(b []byte, c counted) (text, encoding string) {
	if c.utf8 {
		if c.bom {
			return string(b), "utf-8 with BOM"
		}
		return string(b), "utf-8"
	}
	var s strings.Builder
	for _, x := range b {
		s.WriteRune(rune(x))
	}
	return s.String(), "latin-1"
}
