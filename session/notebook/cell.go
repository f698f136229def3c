package notebook

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// Kind is what a cell is.
type Kind string

// Kinds of cells.
const (
	Code     Kind = "code"
	Markdown Kind = "markdown"
	Raw      Kind = "raw"
)

// Tags that programs that run notebooks know.
const (
	tagRaises     = "raises-exception"
	tagSkip       = "skip-execution"
	tagParameters = "parameters"
	tagInjected   = "injected-parameters"
)

// Cell is one cell of a notebook.
type Cell struct {
	Kind   Kind
	ID     string
	Source string
	// Metadata and Extra (attachments, and members this package does not know) are
	// JSON by member; either may be nil.
	Metadata, Extra map[string]json.RawMessage
	// Count is n of In[n], 0 for a cell that has not run.
	Count int
	// Outputs are a code cell's, as the format has them.
	Outputs []json.RawMessage
	// Shown are outputs that are encoded when the cell is written, after Outputs:
	// their values may lie in files of a record.
	Shown []jupyter.Output
}

// Tags are the cell's tags.
func (c *Cell) Tags() []string {
	var tags []string
	_ = json.Unmarshal(c.Metadata["tags"], &tags) // of another form: it has none
	return tags
}

// tag adds a tag.
func (c *Cell) tag(name string) {
	tags := c.Tags()
	if slices.Contains(tags, name) {
		return
	}
	c.set("tags", append(tags, name))
}

// set sets a member of the cell's metadata.
func (c *Cell) set(name string, value any) {
	c.Metadata = maps.Clone(c.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]json.RawMessage{}
	}
	c.Metadata[name] = compact(value)
}

// encode is the cell as JSON on one line, members in the order of their names.
func (c *Cell) encode() (json.RawMessage, error) {
	members := map[string]any{}
	for name, value := range c.Extra {
		members[name] = value
	}
	members["cell_type"], members["source"] = c.Kind, lines(c.Source)
	if c.ID != "" {
		members["id"] = c.ID
	}
	members["metadata"] = object(c.Metadata)
	if c.Kind == Code {
		outputs := append([]json.RawMessage{}, c.Outputs...)
		for i := range c.Shown {
			encoded, err := encodeOutput(&c.Shown[i])
			if err != nil {
				return nil, err
			}
			outputs = append(outputs, encoded)
		}
		members["outputs"], members["execution_count"] = outputs, nil
		if c.Count > 0 {
			members["execution_count"] = c.Count
		}
	}
	return marshal(members)
}

// encodeOutput is an output of a cell's final state as the format has it.
func encodeOutput(o *jupyter.Output) (json.RawMessage, error) {
	members := map[string]any{"output_type": o.Type}
	switch o.Type {
	case jupyter.OutputStream:
		members["name"], members["text"] = o.Name, lines(string(o.Text.Inline))
	case jupyter.OutputError:
		text, err := o.Text.Bytes(maxValue)
		if err != nil {
			return nil, err
		}
		members["ename"], members["evalue"], members["traceback"] = o.Ename, o.Evalue, strings.Split(valid(text), "\n")
	default:
		data, err := bundle(o)
		if err != nil {
			return nil, err
		}
		members["data"], members["metadata"] = data, object(members1(o.Metadata))
		if o.Type == jupyter.OutputExecuteResult {
			members["execution_count"] = nil
			if o.ExecutionCount > 0 {
				members["execution_count"] = o.ExecutionCount
			}
		}
	}
	return marshal(members)
}

// bundle is a display's MIME bundle: JSON as JSON, text in lines, the rest in base64.
func bundle(o *jupyter.Output) (map[string]any, error) {
	data := map[string]any{}
	for mime, v := range o.Data {
		b, err := v.Bytes(maxValue)
		if err != nil {
			return nil, err
		}
		switch {
		case isJSON(mime):
			if json.Valid(b) {
				data[mime] = json.RawMessage(b)
			}
		case strings.HasPrefix(mime, "text/") || mime == "image/svg+xml" || mime == "application/javascript":
			data[mime] = lines(valid(b))
		case isText(mime) || slices.Contains(o.Undecoded, mime):
			data[mime] = valid(b)
		default:
			data[mime] = base64.StdEncoding.EncodeToString(b)
		}
	}
	return data, nil
}

func isJSON(mime string) bool {
	return mime == "application/json" || strings.HasPrefix(mime, "application/") && strings.HasSuffix(mime, "+json")
}

// isText reports whether a value of this type is kept as text. It is the other side
// of how the kernel's messages are read: see kernel/jupyter.
func isText(mime string) bool {
	if strings.HasSuffix(mime, "+xml") || strings.HasSuffix(mime, "+json") {
		return true
	}
	switch kind, _, _ := strings.Cut(mime, "/"); kind {
	case "image", "audio", "video", "font":
		return false
	}
	return !slices.Contains([]string{"application/pdf", "application/octet-stream", "application/zip", "application/gzip", "application/x-gzip"}, mime)
}

// lines are a text as the format keeps it: a list of lines with their ends.
func lines(text string) []string {
	all := strings.SplitAfter(valid([]byte(text)), "\n")
	if all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

func valid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// object is m, or an empty object for none.
func object(m map[string]json.RawMessage) map[string]json.RawMessage {
	if m == nil {
		return map[string]json.RawMessage{}
	}
	return m
}

// members1 are the members of a JSON object, none of what is no object.
func members1(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(raw, &m)
	return m
}

// marshal is v as JSON on one line, without escapes that say nothing.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding a cell: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// compact is marshal of what cannot fail.
func compact(v any) json.RawMessage {
	raw, err := marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// writer writes a notebook piece by piece, in Jupyter's form: one blank for each
// level, members by name.
type writer struct {
	w     io.Writer
	buf   bytes.Buffer
	cells int
	err   error
}

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.w, s)
	}
}

func (w *writer) begin() { w.text("{\n \"cells\": [") }

func (w *writer) cell(c *Cell) {
	raw, err := c.encode()
	if err != nil && w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return
	}
	if w.cells++; w.cells > 1 {
		w.text(",")
	}
	w.text("\n  ")
	w.indented(raw, "  ")
}

func (w *writer) indented(raw json.RawMessage, prefix string) {
	w.buf.Reset()
	if err := json.Indent(&w.buf, raw, prefix, " "); err != nil && w.err == nil {
		w.err = err
	}
	if w.err == nil {
		_, w.err = w.w.Write(w.buf.Bytes())
	}
	if w.buf.Cap() > 4<<20 {
		w.buf = bytes.Buffer{}
	}
}

// end writes the notebook's other members.
func (w *writer) end(metadata, extra map[string]json.RawMessage) error {
	if w.cells > 0 {
		w.text("\n ")
	}
	w.text("]")
	rest := map[string]json.RawMessage{}
	maps.Copy(rest, extra)
	rest["metadata"] = compact(object(metadata))
	rest["nbformat"], rest["nbformat_minor"] = json.RawMessage("4"), json.RawMessage("5")
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		w.text(",\n " + string(compact(name)) + ": ")
		w.indented(rest[name], " ")
	}
	w.text("\n}\n")
	return w.err
}
