package edit

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

func decodeTOML(file []byte) (map[string]any, error) {
	var content map[string]any
	if err := toml.Unmarshal(file, &content); err != nil {
		return nil, err
	}
	return numbers(content), nil
}

// numbers makes one kind of number of all, as JSON has it.
func numbers(m map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range m {
		switch n := v.(type) {
		case map[string]any:
			v = numbers(n)
		case int64:
			v = float64(n)
		case int:
			v = float64(n)
		}
		out[name] = v
	}
	return out
}

// No library for TOML keeps comments. So exactly the entry's own tables are replaced
// as text, and the caller compares what the whole then says.

// header is the line that begins a table.
var header = regexp.MustCompile(`^\s*\[`)

// ownHeader matches the headers of the entry's table and of those in it.
func ownHeader(at Entry) *regexp.Regexp {
	key := func(name string) string {
		bare := regexp.QuoteMeta(name)
		return `(?:` + bare + `|"` + bare + `"|'` + bare + `')`
	}
	return regexp.MustCompile(`^\s*\[\s*` + key(at.Table) + `\s*\.\s*` + key(at.Name) + `\s*(?:\.[^\]]*)?\]\s*(?:#.*)?$`)
}

// splitTOML cuts a file into what stands before the entry's first table, the entry's
// tables, and the rest. Comments and blank lines before the next table belong to it.
func splitTOML(file []byte, at Entry) (before, own, after []string) {
	lines := slices.Collect(strings.Lines(string(file)))
	mine := ownHeader(at)
	inside, found := false, false
	for i := 0; i < len(lines); i++ {
		if line := strings.TrimRight(lines[i], "\r\n"); header.MatchString(line) {
			inside = mine.MatchString(line)
		}
		switch {
		case inside:
			own, found = append(own, lines[i]), true
		case found:
			after = append(after, lines[i])
		default:
			before = append(before, lines[i])
		}
	}
	for len(own) > 0 && len(after) > 0 {
		last := strings.TrimSpace(own[len(own)-1])
		if last != "" && !strings.HasPrefix(last, "#") {
			break
		}
		after = slices.Insert(after, 0, own[len(own)-1])
		own = own[:len(own)-1]
	}
	return before, own, after
}

func setTOML(file []byte, at Entry, members Members) ([]byte, error) {
	content, err := decodeTOML(file)
	if err != nil {
		return nil, err
	}
	want, err := with(content, at, members)
	if err != nil {
		return nil, err
	}
	table := want[at.Table].(map[string]any)[at.Name].(map[string]any)
	text, err := writeTOML(at, table, members)
	if err != nil {
		return nil, err
	}
	s := styleOf(file)
	before, own, after := splitTOML(file, at)
	if len(own) == 0 && len(before) > 0 {
		if last := &before[len(before)-1]; !strings.HasSuffix(*last, "\n") {
			*last += s.newline
		}
		text = "\n" + text
	}
	text = strings.ReplaceAll(text, "\n", s.newline)
	return []byte(strings.Join(before, "") + text + strings.Join(after, "")), nil
}

func removeTOML(file []byte, at Entry) ([]byte, error) {
	before, own, after := splitTOML(file, at)
	if len(own) == 0 {
		return nil, ErrForm
	}
	if n := len(before); n > 0 && strings.TrimSpace(before[n-1]) == "" && len(after) == 0 {
		before = before[:n-1] // the blank line that was put there
	}
	return []byte(strings.Join(before, "") + strings.Join(after, "")), nil
}

// writeTOML writes the entry's tables: the members first, in their order, then what
// else is in it.
func writeTOML(at Entry, table map[string]any, members Members) (string, error) {
	var head, tables strings.Builder
	path := tomlKey(at.Table) + "." + tomlKey(at.Name)
	fmt.Fprintf(&head, "[%s]\n", path)
	for _, name := range inOrder(table, members) {
		if inner, ok := table[name].(map[string]any); ok {
			if err := subTables(&tables, path+"."+tomlKey(name), inner); err != nil {
				return "", err
			}
			continue
		}
		line, err := tomlLine(name, table[name])
		if err != nil {
			return "", err
		}
		head.WriteString(line)
	}
	return head.String() + tables.String(), nil
}

// inOrder are the names in a table: the members first, in their order, then the rest.
func inOrder(table map[string]any, members Members) (names []string) {
	for _, m := range members {
		if _, there := table[m.Name]; there {
			names = append(names, m.Name)
		}
	}
	var others []string
	for name := range table {
		if !slices.Contains(names, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(names, others...)
}

// subTables writes a table in the entry and those in it.
func subTables(b *strings.Builder, path string, table map[string]any) error {
	if len(table) == 0 {
		return nil
	}
	fmt.Fprintf(b, "\n[%s]\n", path)
	var inner []string
	var names []string
	for name := range table {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if _, ok := table[name].(map[string]any); ok {
			inner = append(inner, name)
			continue
		}
		line, err := tomlLine(name, table[name])
		if err != nil {
			return err
		}
		b.WriteString(line)
	}
	for _, name := range inner {
		if err := subTables(b, path+"."+tomlKey(name), table[name].(map[string]any)); err != nil {
			return err
		}
	}
	return nil
}

// tomlLine writes one value. A whole number stays whole.
func tomlLine(name string, v any) (string, error) {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		v = int64(f)
	}
	var b bytes.Buffer
	e := toml.NewEncoder(&b)
	err := e.Encode(map[string]any{name: v})
	return b.String(), err
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(name string) string {
	if bareKey.MatchString(name) {
		return name
	}
	return string(marshal(name))
}
