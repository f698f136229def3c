package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// Position is a place in a record: a byte offset in record.jsonl. 0 is the
// beginning. Positions of one record only grow, also while the disk fails.
type Position int64

// Kind says what an [Entry] tells.
type Kind string

// Kinds of entries.
const (
	KindInfo   Kind = "info"   // the first entry: which kernel this is
	KindBegin  Kind = "begin"  // code about to be sent
	KindOutput Kind = "output" // something the code produced
	KindEnd    Kind = "end"    // the execution is over
	// KindVariables are the names of the kernel's variables at that time.
	KindVariables Kind = "variables"
)

// Info says which kernel process a record belongs to.
type Info struct {
	Session       string    `json:"session"`
	Generation    int       `json:"generation"`
	Environment   string    `json:"environment,omitempty"`
	Python        string    `json:"python,omitempty"`
	Dir           string    `json:"dir,omitempty"` // the working directory it was started in
	Kernel        string    `json:"kernel,omitempty"`
	ServerVersion string    `json:"server_version,omitempty"`
	Started       time.Time `json:"started"`
	PID           int       `json:"pid,omitempty"`
}

// ParametersCell stands for the number of a cell that a notebook's file does not have:
// the one that a run puts its parameters into.
const ParametersCell = -1

// Begin is what is about to be sent to the kernel.
type Begin struct {
	// Code is kept whole up to 16 MiB.
	Code string
	// File is the code file the code belongs to, or empty.
	File string
	// Script is the code file that the code does nothing but run, or the notebook
	// whose cell it is; or empty. Cell is the cell's number there, from 1, or
	// [ParametersCell].
	Script string
	Cell   int
	// Started is the entry's time; zero means now.
	Started time.Time
}

// End is how an execution ended.
type End struct {
	Outcome string
	// Ended is the entry's time; zero means now.
	Ended          time.Time
	ExecutionCount int
	Ename, Evalue  string
	Note           string
}

// Variables are the names of a kernel's variables.
type Variables struct {
	// Names are "NAME TYPE", in the order in which they were made: the newest 200.
	Names []string
	Count int // of all, as far as they were counted
}

// Entry is one thing in a record. The field that Kind names is set; of a kind
// this version does not know only the first five fields are.
type Entry struct {
	// Pos is where the entry begins, Next the cursor that has seen it.
	Pos, Next Position
	Kind      Kind
	Exec      string
	Time      time.Time

	Info   *Info
	Begin  *Begin
	Output *jupyter.Output
	End    *End
	// Variables is of KindVariables; Exec is empty.
	Variables *Variables
}

// ErrClosed is returned for appending to a closed record.
var ErrClosed = errors.New("record is closed")

// BadLineError says that a line of record.jsonl is not an entry, or that an
// entry's code file cannot be read. Reading goes on after it.
type BadLineError struct {
	Pos, Next Position
	Reason    string
}

func (e *BadLineError) Error() string {
	return fmt.Sprintf("record line at %d: %s", e.Pos, e.Reason)
}

// DroppedError says that entries between two positions were not kept: the disk
// failed and memory for them is bounded. Reading goes on after it. In the file they are
// a line of zeros; how many entries they were is not known there, and Entries 0.
type DroppedError struct {
	From, To Position
	Entries  int64
	Bytes    int64
}

func (e *DroppedError) Error() string {
	if e.Entries == 0 {
		return fmt.Sprintf("%d bytes were not kept: the record could not be written", e.Bytes)
	}
	return fmt.Sprintf("%d entries (%d bytes) were not kept: the record could not be written", e.Entries, e.Bytes)
}

// line is an entry as it is written. Kind and Exec come first: a reader of one
// execution tells by them, before it parses JSON, that a line is not for it.
type line struct {
	Kind Kind      `json:"kind"`
	Exec string    `json:"exec"`
	Time time.Time `json:"time"`

	Info *Info `json:"info,omitempty"`

	Code *value `json:"code,omitempty"`
	File string `json:"file,omitempty"`
	// Script and Cell are of a begin.
	Script string `json:"script,omitempty"`
	Cell   int    `json:"cell,omitempty"`

	Type      jupyter.OutputType `json:"type,omitempty"`
	Name      string             `json:"name,omitempty"`
	Text      *value             `json:"text,omitempty"`
	piece     []byte             // of a stream: becomes Text when the line is written
	Data      map[string]*value  `json:"data,omitempty"`
	Undecoded []string           `json:"undecoded,omitempty"`
	// Metadata is JSON in a value, not JSON in JSON: what a kernel sends may
	// nest deeper than a decoder of this line goes.
	Metadata  *value `json:"metadata,omitempty"`
	DisplayID string `json:"display_id,omitempty"`
	Wait      bool   `json:"wait,omitempty"`
	Prompt    string `json:"prompt,omitempty"`
	Password  bool   `json:"password,omitempty"`
	CommID    string `json:"comm_id,omitempty"`

	Outcome        string `json:"outcome,omitempty"`
	ExecutionCount int    `json:"execution_count,omitempty"`
	Ename          string `json:"ename,omitempty"`
	Evalue         string `json:"evalue,omitempty"`
	Note           string `json:"note,omitempty"`

	Variables []string `json:"variables,omitempty"`
	Count     int      `json:"count,omitempty"`
}

// value is a [jupyter.Value] as it is written: text, bytes that are no UTF-8,
// or the name of a file, with "@" and an offset when it is one of many there.
type value struct {
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	File   string `json:"file,omitempty"`
	Size   int64  `json:"size,omitempty"`
}

// entry turns a decoded line into what readers get. Code is loaded from its
// file when it has one; an entry without its code comes with an error.
func (l *line) entry(dir string) (Entry, error) {
	e := Entry{Kind: l.Kind, Exec: l.Exec, Time: l.Time}
	switch l.Kind {
	case KindInfo:
		e.Info = l.Info
		if e.Info == nil {
			e.Info = new(Info)
		}
	case KindBegin:
		e.Begin = &Begin{File: l.File, Script: l.Script, Cell: l.Cell, Started: l.Time}
		code, err := l.Code.load(dir, maxCode)
		if err != nil {
			return e, fmt.Errorf("reading code: %w", err)
		}
		e.Begin.Code = string(code)
	case KindEnd:
		e.End = &End{Outcome: l.Outcome, Ended: l.Time, ExecutionCount: l.ExecutionCount,
			Ename: l.Ename, Evalue: l.Evalue, Note: l.Note}
	case KindVariables:
		e.Variables = &Variables{Names: l.Variables, Count: l.Count}
	case KindOutput:
		out, err := l.output(dir)
		e.Output = out
		return e, err
	}
	return e, nil
}

func (l *line) output(dir string) (*jupyter.Output, error) {
	out := &jupyter.Output{Type: l.Type, Time: l.Time, Name: l.Name, Undecoded: l.Undecoded,
		DisplayID: l.DisplayID, ExecutionCount: l.ExecutionCount, Ename: l.Ename, Evalue: l.Evalue,
		Wait: l.Wait, Prompt: l.Prompt, Password: l.Password, CommID: l.CommID}
	var err error
	if out.Text, err = l.Text.jupyter(dir); err != nil {
		return out, err
	}
	if l.Data != nil {
		out.Data = make(map[string]jupyter.Value, len(l.Data))
	}
	for mime, v := range l.Data {
		if out.Data[mime], err = v.jupyter(dir); err != nil {
			return out, err
		}
	}
	// Metadata that is missing or huge is only metadata: the display counts.
	if m, err := l.Metadata.load(dir, maxMetadata); err == nil && json.Valid(m) {
		out.Metadata = m
	}
	return out, nil
}
