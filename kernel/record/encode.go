package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// encode writes l to buf as a whole line.
func encode(buf *bytes.Buffer, l *line) error {
	buf.Reset()
	buf.WriteString("00000000 ")
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil { // ends with '\n'
		return err
	}
	b := buf.Bytes()
	sum := crc32.ChecksumIEEE(b[9 : len(b)-1])
	hex.Encode(b[:8], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return nil
}

// line makes the line of e; values above max bytes become files.
func (r *Record) line(e Entry, max int) (*line, error) {
	l := &line{Kind: e.Kind, Exec: e.Exec, Time: e.Time}
	var err error
	switch e.Kind {
	case KindInfo:
		l.Info = e.Info
	case KindBegin:
		l.File, l.Script, l.Cell = e.Begin.File, e.Begin.Script, e.Begin.Cell
		l.Code, err = r.storeCode(e.Exec, e.Begin.Code, max)
	case KindEnd:
		l.Outcome, l.ExecutionCount, l.Ename = e.End.Outcome, e.End.ExecutionCount, e.End.Ename
		l.Evalue, l.Note = cut(e.End.Evalue, inlineMax), cut(e.End.Note, inlineMax)
	case KindVariables:
		l.Variables, l.Count = e.Variables.Names, e.Variables.Count
	case KindOutput:
		err = r.outputLine(l, e.Output, max)
	}
	return l, err
}

func (r *Record) outputLine(l *line, out *jupyter.Output, max int) (err error) {
	// A bundle may have thousands of values just short of a file: tell before
	// it is all encoded.
	names, values := 0, out.Text.Size
	for mime, v := range out.Data {
		names += len(mime)
		values += min(v.Size, inlineMax)
	}
	if names > lineMax/2 {
		return errLineTooLong
	}
	if values > lineMax/2 && max != wholeLine {
		max = spillMax
	}
	l.Type, l.Name, l.Undecoded = out.Type, out.Name, out.Undecoded
	l.DisplayID, l.Wait, l.Password, l.CommID = out.DisplayID, out.Wait, out.Password, out.CommID
	l.ExecutionCount, l.Prompt = out.ExecutionCount, cut(out.Prompt, inlineMax)
	l.Ename, l.Evalue = cut(out.Ename, inlineMax), cut(out.Evalue, inlineMax)
	if out.Type == jupyter.OutputStream && max != wholeLine && len(out.Text.Inline) > max {
		l.piece = out.Text.Inline
	} else if out.Text.Size > 0 || out.Text.Path != "" {
		if l.Text, err = r.store(l.Exec, "", out.Text, max); err != nil {
			return err
		}
	}
	if len(out.Metadata) > 0 && !bytes.Equal(out.Metadata, []byte("{}")) {
		v := jupyter.InlineValue(out.Metadata)
		if l.Metadata, err = r.store(l.Exec, "application/json", v, max); err != nil {
			return err
		}
	}
	if len(out.Data) > 0 {
		l.Data = make(map[string]*value, len(out.Data))
	}
	for mime, v := range out.Data {
		if l.Data[mime], err = r.store(l.Exec, mimeAsStored(mime, out.Undecoded), v, max); err != nil {
			return err
		}
	}
	return nil
}

// mimeAsStored is text for a value that could not be decoded: the base64 of an
// image is no image.
func mimeAsStored(mime string, undecoded []string) string {
	for _, u := range undecoded {
		if u == mime {
			return ""
		}
	}
	return mime
}

// spilled is line for an entry whose line was too long: everything that can be
// a file is one, strings are cut.
func (r *Record) spilled(e Entry) (*line, error) {
	l, err := r.line(e, spillMax)
	if err != nil {
		return nil, err
	}
	for _, s := range []*string{&l.Exec, &l.File, &l.Script, &l.Name, &l.DisplayID, &l.Prompt, &l.CommID,
		&l.Outcome, &l.Ename, &l.Evalue, &l.Note, (*string)(&l.Type)} {
		*s = cut(*s, fieldMax)
	}
	return l, nil
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
