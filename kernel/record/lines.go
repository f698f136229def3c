package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// Limits of [SelectLines].
const (
	lineSearched = 64 << 10  // a pattern is looked for in this much of a line
	lineChunk    = 128 << 10 // read at once
	maxProblems  = 8
)

// LineQuery says which lines of a log are wanted. A zero field is no condition,
// a zero limit its default.
type LineQuery struct {
	// From and To are line numbers, counted from 1, both included.
	From, To int64
	// Pattern is what a line must match, in its first 64 KiB.
	Pattern *regexp.Regexp
	// Last wants the last n of the lines that fit the rest, not the first.
	Last int
	// Offset leaves out so many bytes of line From, when To is the same line.
	Offset int64

	MaxLines    int // lines returned; 1,000
	MaxBytes    int // text returned; 1 MiB
	MaxLineSize int // of one line, the rest of it is cut; 2,000 bytes, at most 64 KiB
}

// Line is one line of a log.
type Line struct {
	Number int64
	// Source is "stdout", "stderr", "result", "display", "error", "page" or "notice".
	Source string
	// Text is the line as it was sent, without its end, cut at runes. Of a long line that
	// matches a pattern it is the part around the first match.
	Text string
	// Before is how many bytes of the line come before Text.
	Before int64
	// Size is the whole line's length in bytes.
	Size int64
}

// LineResult is what [SelectLines] found.
type LineResult struct {
	Lines []Line
	// Total counts the lines of the log, Matched those that fit the query,
	// whether or not they are among Lines.
	Total, Matched int64
	// Partly counts the lines that a pattern was not found in, but whose part behind the
	// first 64 KiB was not searched.
	Partly int64
	// Problems are the first few errors of entries that could not be read.
	Problems []error
}

// SelectLines goes through the text of entries, as [Record.Read] yields them for
// one execution: streams, results and displays as plain text, tracebacks, pages
// and notices, in order of arrival. A line ends with "\n", or where another
// source goes on. Memory is bounded whatever the log's size. When ctx ends it
// returns what it has found and ctx's error: no pattern is slow per byte, but a
// large one over a large log takes long.
func SelectLines(ctx context.Context, entries iter.Seq2[Entry, error], q LineQuery) (LineResult, error) {
	s := newLineScan(q)
	var bad *BadLineError
	var dropped *DroppedError
	for e, err := range entries {
		if err == nil && e.Output != nil {
			err = s.output(ctx, e.Output)
		}
		if cerr := ctx.Err(); cerr != nil {
			return s.done(), cerr
		}
		var path *os.PathError // a value's file is gone: the rest is still there
		switch {
		case err == nil:
		case errors.As(err, &bad), errors.As(err, &dropped), errors.As(err, &path), errors.Is(err, io.ErrUnexpectedEOF):
			if len(s.result.Problems) < maxProblems {
				s.result.Problems = append(s.result.Problems, err)
			}
		default:
			return s.done(), fmt.Errorf("reading lines: %w", err)
		}
	}
	return s.done(), nil
}

type lineScan struct {
	q      LineQuery
	filter *prefilter // nil when each line has to be matched
	result LineResult
	bytes  int
	number int64 // lines ended so far
	chunk  []byte

	source   string
	part     []byte // of a line not ended yet, as much as is searched
	partSize int64
}

func newLineScan(q LineQuery) *lineScan {
	if q.MaxLines <= 0 {
		q.MaxLines = 1000
	}
	if q.Last > 0 {
		q.MaxLines = min(q.MaxLines, q.Last)
	}
	if q.MaxBytes <= 0 {
		q.MaxBytes = 1 << 20
	}
	if q.MaxLineSize <= 0 {
		q.MaxLineSize = 2000
	}
	q.MaxLineSize = min(q.MaxLineSize, lineSearched)
	if q.To != q.From || q.Pattern != nil {
		q.Offset = 0
	}
	s := &lineScan{q: q}
	if q.Pattern != nil {
		s.filter = newPrefilter(q.Pattern)
	}
	return s
}

// textOf returns the text of an output that belongs to the log.
func textOf(out *jupyter.Output) (source string, v jupyter.Value) {
	switch out.Type {
	case jupyter.OutputStream:
		return out.Name, out.Text
	case jupyter.OutputExecuteResult:
		return "result", out.Data["text/plain"]
	case jupyter.OutputDisplayData, jupyter.OutputUpdateDisplay:
		return "display", out.Data["text/plain"]
	case jupyter.OutputError:
		if out.Text.Size == 0 {
			return "error", jupyter.TextValue(out.Ename + ": " + out.Evalue)
		}
		return "error", out.Text
	case jupyter.OutputPage:
		return "page", out.Text
	case jupyter.OutputNotice:
		return "notice", out.Text
	}
	return "", jupyter.Value{}
}

func (s *lineScan) output(ctx context.Context, out *jupyter.Output) error {
	source, v := textOf(out)
	if source == "" || v.Size == 0 {
		return nil
	}
	if source != s.source || out.Type != jupyter.OutputStream {
		s.endPart()
		s.source = source
	}
	if v.Path == "" {
		s.feed(v.Inline)
		return nil
	}
	f, err := v.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	if s.chunk == nil {
		s.chunk = make([]byte, lineChunk)
	}
	for ctx.Err() == nil {
		n, err := f.Read(s.chunk)
		s.feed(s.chunk[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// feed takes the next piece of the current source's text.
func (s *lineScan) feed(b []byte) {
	if s.partSize > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			s.addPart(b)
			return
		}
		s.addPart(b[:end])
		s.endPart()
		b = b[end+1:]
	}
	end := bytes.LastIndexByte(b, '\n') + 1
	s.whole(b[:end])
	s.addPart(b[end:])
}

func (s *lineScan) addPart(b []byte) {
	before := s.partSize
	s.partSize += int64(len(b))
	b = b[min(int64(len(b)), max(0, s.skipped()-before)):]
	s.part = append(s.part, b[:min(len(b), lineSearched-len(s.part))]...)
}

func (s *lineScan) endPart() {
	if s.partSize > 0 {
		s.line(s.part, s.partSize)
		s.part, s.partSize = s.part[:0], 0
	}
}

// skipped is how many bytes of the line that is being read are left out.
func (s *lineScan) skipped() int64 {
	if s.number+1 != s.q.From {
		return 0
	}
	return s.q.Offset
}

// whole takes text that consists of whole lines.
func (s *lineScan) whole(b []byte) {
	if s.filter == nil || !s.filter.start(b) {
		for len(b) > 0 {
			end := bytes.IndexByte(b, '\n')
			s.line(b[min(int64(end), s.skipped()):end], int64(end))
			b = b[end+1:]
		}
		return
	}
	for pos := 0; pos < len(b); {
		at := s.filter.next(pos)
		if at < 0 {
			s.number += int64(bytes.Count(b[pos:], []byte{'\n'}))
			return
		}
		start := pos + bytes.LastIndexByte(b[pos:at], '\n') + 1
		s.number += int64(bytes.Count(b[pos:start], []byte{'\n'}))
		end := at + bytes.IndexByte(b[at:], '\n')
		s.line(b[start:end], int64(end-start))
		pos = end + 1
	}
}

// line takes one line; of a long one text is the beginning, or what is behind the offset.
func (s *lineScan) line(text []byte, size int64) {
	before := min(size, s.skipped())
	s.number++
	if s.number < s.q.From || s.q.To > 0 && s.number > s.q.To {
		return
	}
	if n := len(text); n > 0 && before+int64(n) == size && text[n-1] == '\r' {
		text, size = text[:n-1], size-1
	}
	if s.q.Pattern != nil {
		match := s.q.Pattern.FindIndex(text[:min(len(text), lineSearched)])
		if match == nil {
			if size > lineSearched {
				s.result.Partly++
			}
			return
		}
		if match[1] > s.q.MaxLineSize {
			before = int64(max(0, match[0]-s.q.MaxLineSize/4))
			text = text[before:]
		}
	}
	s.result.Matched++
	if s.q.Last == 0 && (len(s.result.Lines) >= s.q.MaxLines || s.bytes >= s.q.MaxBytes) {
		return
	}
	for range utf8.UTFMax - 1 {
		if before > 0 && len(text) > 0 && !utf8.RuneStart(text[0]) {
			text, before = text[1:], before+1
		}
	}
	l := Line{Number: s.number, Source: s.source, Text: cutText(text, s.q.MaxLineSize), Before: before, Size: size}
	if s.q.Last == 0 && s.bytes+len(l.Text) > s.q.MaxBytes && len(s.result.Lines) > 0 {
		s.bytes = s.q.MaxBytes // a later, shorter line must not take this one's place
		return
	}
	s.result.Lines = append(s.result.Lines, l)
	s.bytes += len(l.Text)
	if s.q.Last > 0 {
		s.keepLast()
	}
}

// keepLast forgets the first lines while there are too many.
func (s *lineScan) keepLast() {
	lines, n := s.result.Lines, 0
	for len(lines)-n > s.q.MaxLines || s.bytes > s.q.MaxBytes && len(lines)-n > 1 {
		s.bytes -= len(lines[n].Text)
		lines[n] = Line{}
		n++
	}
	s.result.Lines = lines[n:] // append copies the rest when the room ends
}

func (s *lineScan) done() LineResult {
	s.endPart()
	s.result.Total = s.number
	return s.result
}

// cutText returns at most n bytes of b and does not cut a rune.
func cutText(b []byte, n int) string {
	if len(b) > n {
		end := n
		for end > 0 && n-end < utf8.UTFMax && !utf8.RuneStart(b[end]) {
			end--
		}
		b = b[:end]
	}
	return string(b)
}
