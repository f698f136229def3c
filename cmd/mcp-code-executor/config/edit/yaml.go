package edit

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func decode(f Format, file []byte) (map[string]any, error) {
	return [...]func([]byte) (map[string]any, error){JSON: decodeJSON, TOML: decodeTOML, YAML: decodeYAML}[f](file)
}

func decodeYAML(file []byte) (map[string]any, error) {
	var content map[string]any
	if err := yaml.Unmarshal(file, &content); err != nil {
		return nil, err
	}
	return numbers(content), nil
}

// yamlPlace is where lines of a YAML file lie: the table's line, the entry's lines,
// and where a new entry goes. Lines count from 0; -1 is none.
type yamlPlace struct {
	table, first, next, end int
	indent                  int // of the table's entries
}

// placeYAML finds the entry in block style. The library writes a file anew with other
// blanks and folds, so its tree only tells the lines.
func placeYAML(file []byte, at Entry) (yamlPlace, error) {
	p := yamlPlace{table: -1, first: -1, indent: 2}
	var document yaml.Node
	if err := yaml.Unmarshal(file, &document); err != nil {
		return p, err
	}
	if len(document.Content) == 0 {
		return p, nil
	}
	root := document.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != at.Table {
			continue
		}
		table := root.Content[i+1]
		if table.Tag == "!!null" && table.Value == "" {
			p.table, p.end = root.Content[i].Line-1, root.Content[i].Line
			continue
		}
		if table.Style&yaml.FlowStyle != 0 || table.Kind != yaml.MappingNode || table.Anchor != "" || root.Style&yaml.FlowStyle != 0 {
			return p, ErrForm
		}
		p.table, p.indent = root.Content[i].Line-1, table.Column-1
		p.end = endOf(table)
		for j := 0; j+1 < len(table.Content); j += 2 {
			if table.Content[j].Value == at.Name {
				p.first, p.next = table.Content[j].Line-1, endOf(table.Content[j+1])
			}
		}
	}
	n := len(slices.Collect(strings.Lines(string(file)))) // a block of text may have no line of its own
	p.end, p.next = min(p.end, n), min(p.next, n)
	return p, nil
}

// endOf is the line after the last of a node. A block of text goes on below its
// first line: the caller's comparison finds that.
func endOf(n *yaml.Node) int {
	end := n.Line
	if n.Kind == yaml.ScalarNode && (n.Style == yaml.LiteralStyle || n.Style == yaml.FoldedStyle) {
		end += strings.Count(strings.TrimRight(n.Value, "\n"), "\n") + 1
	}
	for _, inner := range n.Content {
		end = max(end, endOf(inner))
	}
	return end
}

func setYAML(file []byte, at Entry, members Members) ([]byte, error) {
	content, err := decodeYAML(file)
	if err != nil {
		return nil, err
	}
	want, err := with(content, at, members)
	if err != nil {
		return nil, err
	}
	p, err := placeYAML(file, at)
	if err != nil {
		return nil, err
	}
	text, err := writeYAML(at, want[at.Table].(map[string]any)[at.Name].(map[string]any), members, p.indent)
	if err != nil {
		return nil, err
	}
	lines := slices.Collect(strings.Lines(string(file)))
	if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
		lines[n-1] += "\n"
	}
	switch {
	case p.table < 0:
		lines = append(lines, at.Table+":\n"+text)
	case p.first < 0:
		lines = slices.Insert(lines, p.end, text)
	default:
		lines = slices.Replace(lines, p.first, p.next, text)
	}
	return []byte(strings.Join(lines, "")), nil
}

func removeYAML(file []byte, at Entry) ([]byte, error) {
	p, err := placeYAML(file, at)
	if err != nil {
		return nil, err
	}
	if p.first < 0 {
		return nil, ErrForm
	}
	lines := slices.Collect(strings.Lines(string(file)))
	return []byte(strings.Join(slices.Delete(lines, p.first, p.next), "")), nil
}

// writeYAML writes the entry: the members first, in their order, then what else is
// in it.
func writeYAML(at Entry, table map[string]any, members Members, indent int) (string, error) {
	entry := &yaml.Node{Kind: yaml.MappingNode}
	add := func(name string) error {
		var key, value yaml.Node
		key.SetString(name)
		if err := value.Encode(whole(table[name])); err != nil {
			return err
		}
		entry.Content = append(entry.Content, &key, &value)
		return nil
	}
	for _, name := range inOrder(table, members) {
		if err := add(name); err != nil {
			return "", err
		}
	}
	var key yaml.Node
	key.SetString(at.Name)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{&key, entry}}); err != nil {
		return "", err
	}
	var text strings.Builder
	for line := range strings.Lines(b.String()) {
		text.WriteString(strings.Repeat(" ", indent) + line)
	}
	return text.String(), nil
}

// whole makes whole numbers of those that decoding has made floats of.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			out[name] = whole(inner)
		}
		return out
	}
	return v
}
