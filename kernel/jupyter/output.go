package jupyter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// OutputType says what kind of thing an [Output] is. The values are Jupyter's
// message types where there is one.
type OutputType string

// Kinds of output.
const (
	OutputStream        OutputType = "stream"
	OutputDisplayData   OutputType = "display_data"
	OutputUpdateDisplay OutputType = "update_display_data"
	OutputExecuteResult OutputType = "execute_result"
	OutputError         OutputType = "error"
	OutputClear         OutputType = "clear_output"
	// OutputPage is the text of a pager payload (`len?`): it arrives only in
	// the execute_reply, never on iopub.
	OutputPage OutputType = "page"
	// OutputNextInput is a set_next_input payload (`%load`, `%recall`).
	OutputNextInput OutputType = "set_next_input"
	// OutputInputRequest is a question the code asked (`input()`); Prompt holds it.
	OutputInputRequest OutputType = "input_request"
	// OutputCell says that the next outputs are of another cell of a notebook; Text
	// names it. No kernel sends it.
	OutputCell OutputType = "cell"
	// OutputNotice is a sentence of ours about the run (output lost, message refused).
	OutputNotice OutputType = "notice"
)

// NoteType is the type of a display by which the launcher remarks on what the code did
// (mce_launch/notes.py). Its value is one of a few keys; the words are the server's. No
// frontend knows it.
const NoteType = "text/vnd.mce.note"

// Output is one thing a run produced, in order of arrival: plain data, whatever
// its size. Which fields are set depends on Type.
type Output struct {
	Type OutputType
	Time time.Time

	// Name is the stream's name, "stdout" or "stderr".
	Name string
	// Text holds a stream's text, an error's traceback (lines joined by "\n",
	// ANSI colours as sent), a page's text, a next input, a notice.
	Text Value

	// Data is a display's MIME bundle. Text types hold their text, JSON types
	// their JSON, types sent as base64 (image/png) the decoded bytes; when
	// decoding fails, Undecoded names the type and its value is what was sent.
	Data      map[string]Value
	Undecoded []string
	// Media are files that the texts in Data name, by their path: what lay within a
	// text has been given a file.
	Media map[string]Value
	// Metadata is the display's metadata as sent, or nil.
	Metadata  json.RawMessage
	DisplayID string

	// ExecutionCount is an execute_result's n of Out[n].
	ExecutionCount int

	// Ename and Evalue are an error's type and message (at most 64 KiB of it).
	Ename, Evalue string

	// Wait is clear_output's wait: clear when the next output comes.
	Wait bool

	// Prompt and Password belong to an input_request.
	Prompt   string
	Password bool

	// CommID is the comm's msg_id a widget captured this output or
	// clear_output for; empty for the cell's own.
	CommID string
}

// Value is a piece of output: held inline, or in a file of the record when it
// is large.
type Value struct {
	// Inline is the value when Path is empty.
	Inline []byte
	// Path is the absolute path of the file that holds the value, from Offset on.
	Path   string
	Offset int64
	// Size is the value's length in bytes, wherever it is.
	Size int64
}

// InlineValue holds b itself.
func InlineValue(b []byte) Value { return Value{Inline: b, Size: int64(len(b))} }

// TextValue holds s itself.
func TextValue(s string) Value { return InlineValue([]byte(s)) }

// Open reads the value from its beginning. When its file ends before it does, as after a
// power cut, reading ends with [io.ErrUnexpectedEOF].
func (v Value) Open() (io.ReadCloser, error) {
	if v.Path == "" {
		return io.NopCloser(bytes.NewReader(v.Inline)), nil
	}
	f, err := os.Open(v.Path)
	if err != nil {
		return nil, err
	}
	return &inFile{file: f, value: v}, nil
}

// inFile reads a value that lies in a file.
type inFile struct {
	file  *os.File
	value Value
	read  int64
}

func (r *inFile) Read(b []byte) (int, error) {
	left := r.value.Size - r.read
	if left <= 0 {
		return 0, io.EOF
	}
	n, err := r.file.ReadAt(b[:min(int64(len(b)), left)], r.value.Offset+r.read)
	r.read += int64(n)
	switch {
	case r.read == r.value.Size:
		return n, nil
	case err == io.EOF:
		err = fmt.Errorf("%s has %d of %d bytes: %w", r.value.Path, r.read, r.value.Size, io.ErrUnexpectedEOF)
	}
	return n, err
}

func (r *inFile) Close() error { return r.file.Close() }

// Bytes returns at most limit bytes from the beginning of the value.
func (v Value) Bytes(limit int64) ([]byte, error) {
	if v.Path == "" {
		if int64(len(v.Inline)) > limit {
			return v.Inline[:limit], nil
		}
		return v.Inline, nil
	}
	r, err := v.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, limit))
}
