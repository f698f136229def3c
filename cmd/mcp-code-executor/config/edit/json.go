package edit

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tailscale/hujson"
)

// decodeJSON reads a file that may have comments and trailing commas. An empty one
// is an empty object.
func decodeJSON(file []byte) (map[string]any, error) {
	content := map[string]any{}
	if len(bytes.TrimSpace(file)) == 0 {
		return content, nil
	}
	// It writes into what it is given.
	standard, err := hujson.Standardize(bytes.Clone(file))
	if err != nil {
		return nil, err
	}
	return content, json.Unmarshal(standard, &content)
}

func setJSON(file []byte, at Entry, members Members) ([]byte, error) {
	return changeJSON(file, func(root *hujson.Value, s style) {
		s.put(root, Members{{at.Table, Members{{at.Name, members}}}}, 0)
	})
}

func removeJSON(file []byte, at Entry) ([]byte, error) {
	return changeJSON(file, func(root *hujson.Value, _ style) {
		if table := find(root, at.Table); table != nil {
			drop(table.Value.(*hujson.Object), at.Name)
		}
	})
}

// changeJSON lets change work on the file's tree, which has every byte of it.
func changeJSON(file []byte, change func(*hujson.Value, style)) ([]byte, error) {
	if len(bytes.TrimSpace(file)) == 0 {
		file = []byte("{}\n")
	}
	root, err := hujson.Parse(bytes.Clone(file))
	if err != nil {
		return nil, err
	}
	change(&root, styleOf(file))
	return root.Pack(), nil
}

// style is how a file's lines are broken and indented.
type style struct{ newline, indent string }

// styleOf takes the indentation of the first line that has one.
func styleOf(file []byte) style {
	s := style{"\n", "  "}
	if bytes.Contains(file, []byte("\r\n")) {
		s.newline = "\r\n"
	}
	for line := range strings.Lines(string(file)) {
		rest := strings.TrimLeft(line, " \t")
		if indent := line[:len(line)-len(rest)]; indent != "" && strings.HasPrefix(rest, `"`) {
			s.indent = indent
			break
		}
	}
	return s
}

func (s style) line(depth int) string { return s.newline + strings.Repeat(s.indent, depth) }

// put sets the members in the object v, which lies at that depth.
func (s style) put(v *hujson.Value, members Members, depth int) {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		o = &hujson.Object{}
		v.Value = o
	}
	for _, m := range members {
		inner, isObject := m.Value.(Members)
		there := find(v, m.Name)
		switch {
		case m.Value == nil:
			drop(o, m.Name)
		case there == nil:
			s.add(o, m, depth+1)
		case isObject:
			s.put(there, inner, depth+1)
		default:
			if !same(map[string]any{"": valueOf(*there)}, map[string]any{"": plain(m.Value)}) {
				there.Value = s.value(m.Value, depth+1).Value
			}
		}
	}
}

// valueOf is what a value of the tree says.
func valueOf(v hujson.Value) (value any) {
	v = v.Clone()
	v.Standardize()
	_ = json.Unmarshal(v.Pack(), &value) // it was parsed
	return value
}

// find is the value of that name, or nil. Of two the last counts.
func find(v *hujson.Value, name string) *hujson.Value {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return nil
	}
	for i := len(o.Members) - 1; i >= 0; i-- {
		if literal, ok := o.Members[i].Name.Value.(hujson.Literal); ok && literal.String() == name {
			return &o.Members[i].Value
		}
	}
	return nil
}

// add appends a member on a line of its own. What stands before the closing brace, a
// comment say, stays where it is: behind the comma of the member before.
func (s style) add(o *hujson.Object, m Member, depth int) {
	before := strings.TrimRight(string(o.AfterExtra), " \t\r\n")
	member := hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: hujson.Extra(before + s.line(depth)), Value: hujson.String(m.Name)},
		Value: s.value(m.Value, depth),
	}
	if n := len(o.Members); n > 0 && o.Members[n-1].Value.AfterExtra != nil {
		member.Value.AfterExtra = hujson.Extra{} // a comma after the last stays one
	}
	o.Members = append(o.Members, member)
	o.AfterExtra = hujson.Extra(s.line(depth - 1))
}

// value is a value as it is written at that depth.
func (s style) value(v any, depth int) hujson.Value {
	var text []byte
	switch v := v.(type) {
	case Members:
		if len(v) == 0 {
			text = []byte("{}")
			break
		}
		made := hujson.Value{Value: &hujson.Object{}}
		s.put(&made, v, depth)
		made.BeforeExtra = hujson.Extra(" ")
		return made
	default:
		text = marshal(v)
	}
	parsed, err := hujson.Parse(text)
	if err != nil {
		panic(err) // what json has written
	}
	parsed.BeforeExtra = hujson.Extra(" ")
	return parsed
}

// marshal writes a string, a number, a bool or a list, on one line.
func marshal(v any) []byte {
	if list, ok := v.([]string); ok {
		parts := make([]string, len(list))
		for i, s := range list {
			parts[i] = string(marshal(s))
		}
		return []byte("[" + strings.Join(parts, ", ") + "]")
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a string, a number or a bool
	return bytes.TrimSpace(b.Bytes())
}

// drop removes a member. Comments beside it stay: they may be about others.
func drop(o *hujson.Object, name string) {
	for i := len(o.Members) - 1; i >= 0; i-- {
		m := o.Members[i]
		if literal, ok := m.Name.Value.(hujson.Literal); !ok || literal.String() != name {
			continue
		}
		last := i == len(o.Members)-1
		o.Members = append(o.Members[:i:i], o.Members[i+1:]...)
		kept := ""
		if !m.Name.BeforeExtra.IsStandard() {
			kept = strings.TrimRight(string(m.Name.BeforeExtra), " \t\r\n")
		}
		switch {
		case !last:
			o.Members[i].Name.BeforeExtra = append(hujson.Extra(kept), o.Members[i].Name.BeforeExtra...)
			continue
		case i > 0 && m.Value.AfterExtra == nil:
			o.Members[i-1].Value.AfterExtra = nil
		case i > 0:
			o.Members[i-1].Value.AfterExtra = hujson.Extra{}
		}
		o.AfterExtra = append(hujson.Extra(kept), o.AfterExtra...)
	}
}
