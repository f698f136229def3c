package notebook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits of a notebook that is read.
const (
	// MaxFile is the largest file that is read, in bytes.
	MaxFile  = 256 << 20
	maxCells = 20_000
)

// Notebook is a notebook that was read from a file. What this package does not know is
// kept as it is.
type Notebook struct {
	Cells    []Cell
	Metadata map[string]json.RawMessage
	Extra    map[string]json.RawMessage
	// Version is that of the file: "3.0", "4.5".
	Version string
	// added is the place in Cells, from 1, of a cell that the file does not have; 0 for none.
	added int
}

// FormatError says that a file is no notebook that can be read.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "it is not a notebook that can be read: " + e.Reason }

func malformed(format string, args ...any) error {
	return &FormatError{Reason: fmt.Sprintf(format, args...)}
}

// file is a notebook of version 3 or 4 as it is written.
type file struct {
	Major      *float64                            `json:"nbformat"`
	Minor      float64                             `json:"nbformat_minor"`
	Metadata   json.RawMessage                     `json:"metadata"`
	Cells      *[]json.RawMessage                  `json:"cells"`
	Worksheets []struct{ Cells []json.RawMessage } `json:"worksheets"`
}

// Parse reads a notebook of version 3 or 4. One of version 3 becomes one of version 4.
// Cells that the format requires an id of get one. The error is a *[FormatError].
func Parse(b []byte) (*Notebook, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	var f file
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return nil, malformed("%s", jsonReason(b, err))
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, malformed("%s", jsonReason(b, err))
	}
	n := &Notebook{Metadata: members1(f.Metadata), Extra: members}
	for _, known := range []string{"cells", "worksheets", "metadata", "nbformat", "nbformat_minor"} {
		delete(n.Extra, known)
	}
	major := 0.0
	if f.Major != nil {
		major = *f.Major
	}
	n.Version = fmt.Sprintf("%g.%g", major, f.Minor)
	var err error
	switch {
	case f.Major == nil:
		return nil, malformed("it has no \"nbformat\"")
	case major == 4 && f.Cells != nil:
		err = n.add(*f.Cells, version4)
	case major == 4:
		return nil, malformed("it has no \"cells\"")
	case major == 3:
		for _, sheet := range f.Worksheets {
			err = cmp.Or(err, n.add(sheet.Cells, version3))
		}
		delete(n.Extra, "orig_nbformat")
		delete(n.Metadata, "name")
		delete(n.Metadata, "signature")
	default:
		return nil, malformed("it has version %g of the format; 3 and 4 are known. Open it in Jupyter and save it again", major)
	}
	if err != nil {
		return nil, err
	}
	n.name()
	return n, nil
}

// jsonReason says where JSON is broken.
func jsonReason(b []byte, err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return "it is empty"
	case errors.As(err, &syntax):
		at := min(max(int(syntax.Offset), 0), len(b))
		line := bytes.Count(b[:at], []byte("\n")) + 1
		if strings.Contains(err.Error(), "unexpected end") {
			return fmt.Sprintf("its JSON ends in the middle, in line %d: the file is cut off", line)
		}
		return fmt.Sprintf("its JSON is broken in line %d: %v", line, err)
	case errors.As(err, &kind):
		return fmt.Sprintf("%q is a JSON %s where the format has another form", cmp.Or(kind.Field, "the whole"), kind.Value)
	}
	return err.Error()
}

// add reads cells.
func (n *Notebook) add(cells []json.RawMessage, read func(map[string]json.RawMessage) (Cell, error)) error {
	if len(n.Cells)+len(cells) > maxCells {
		return malformed("it has %d cells, more than %d", len(n.Cells)+len(cells), maxCells)
	}
	for _, raw := range cells {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members == nil {
			return malformed("cell %d is no JSON object", len(n.Cells)+1)
		}
		c, err := read(members)
		if err != nil {
			return malformed("cell %d: %v", len(n.Cells)+1, err)
		}
		n.Cells = append(n.Cells, c)
	}
	return nil
}

// version4 reads a cell of version 4.
func version4(members map[string]json.RawMessage) (Cell, error) {
	c := Cell{Kind: Kind(word(members["cell_type"])), ID: word(members["id"]), Metadata: members1(members["metadata"])}
	var err error
	if c.Source, err = multiline(members["source"]); err != nil {
		return c, fmt.Errorf("its source %w", err)
	}
	switch c.Kind {
	case Code:
		c.Count = number(members["execution_count"])
		if raw := members["outputs"]; len(raw) > 0 && json.Unmarshal(raw, &c.Outputs) != nil {
			return c, errors.New("its outputs are no list")
		}
	case Markdown, Raw:
	case "":
		return c, errors.New("it has no \"cell_type\"")
	default:
		c.Kind = Raw // of a later version, or a program's own: it is kept, and not run
	}
	c.Extra = without(members, "cell_type", "id", "metadata", "source", "execution_count", "outputs")
	if c.Kind != Code {
		delete(c.Extra, "outputs")
	}
	return c, nil
}

func without(members map[string]json.RawMessage, names ...string) map[string]json.RawMessage {
	for _, name := range names {
		delete(members, name)
	}
	return members
}

// word is a JSON string, "" for anything else.
func word(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// number is a JSON number that is whole and positive, 0 for anything else.
func number(raw json.RawMessage) int {
	var n float64
	if json.Unmarshal(raw, &n) != nil || n < 0 || n > 1<<31 {
		return 0
	}
	return int(n)
}

// multiline is a text that may be in lines.
func multiline(raw json.RawMessage) (string, error) {
	var all []string
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if raw[0] == '"' {
		return word(raw), nil
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return "", errors.New("is neither a text nor a list of lines")
	}
	return strings.Join(all, ""), nil
}

// name gives each cell an id that has none, or another's.
func (n *Notebook) name() {
	used := map[string]bool{}
	for i := range n.Cells {
		c := &n.Cells[i]
		if !validID(c.ID) {
			c.ID = fmt.Sprintf("cell-%d", i+1)
		}
		c.ID = unused(used, c.ID)
	}
}

// validID reports whether the format takes an id.
func validID(id string) bool {
	return id != "" && len(id) <= 60 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// Language is the language the notebook says it is in, "" when it does not.
func (n *Notebook) Language() string {
	for _, member := range []string{"kernelspec", "language_info"} {
		about := members1(n.Metadata[member])
		for _, name := range []string{"language", "name"} {
			if member == "kernelspec" && name == "name" {
				continue // a kernel's name is a person's
			}
			if language := word(about[name]); language != "" {
				return language
			}
		}
	}
	return ""
}

// Write writes the notebook in version 4.5.
func (n *Notebook) Write(w io.Writer) error {
	out := &writer{w: w}
	out.begin()
	for i := range n.Cells {
		out.cell(&n.Cells[i])
	}
	return out.end(n.Metadata, n.Extra)
}

// ClearOutputs takes the results of earlier runs away.
func (n *Notebook) ClearOutputs() {
	for i := range n.Cells {
		n.Cells[i].Outputs, n.Cells[i].Shown, n.Cells[i].Count = nil, nil, 0
	}
}

// Runs reports whether running the notebook runs this cell, as nbclient decides it.
func (c *Cell) Runs() bool {
	return c.Kind == Code && strings.TrimSpace(c.Source) != "" && !slices.Contains(c.Tags(), tagSkip)
}

// MayRaise reports whether the notebook goes on when the cell raises.
func (c *Cell) MayRaise() bool { return slices.Contains(c.Tags(), tagRaises) }
