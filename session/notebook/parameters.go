package notebook

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// SetParameters puts values into the notebook as papermill does it: in a cell of its
// own behind the first that is tagged "parameters", in place of one that an earlier
// run has put there, or else at the top. The values are JSON's; names must be names
// of Python.
func (n *Notebook) SetParameters(values map[string]any) error {
	var b strings.Builder
	b.WriteString("# Parameters\n")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !isName(name) {
			return fmt.Errorf("%q cannot be the name of a variable", name)
		}
		b.WriteString(name + " = " + pythonValue(values[name]) + "\n")
	}
	cell := Cell{Kind: Code, ID: "injected-parameters", Source: b.String()}
	cell.tag(tagInjected)
	used := map[string]bool{}
	for _, c := range n.Cells {
		used[c.ID] = true
	}
	cell.ID = unused(used, cell.ID)
	tagged := func(tag string) int {
		return slices.IndexFunc(n.Cells, func(c Cell) bool { return slices.Contains(c.Tags(), tag) })
	}
	if i := tagged(tagInjected); i >= 0 {
		n.Cells[i] = cell
	} else {
		at := tagged(tagParameters) + 1
		n.Cells, n.added = slices.Insert(n.Cells, at, cell), at+1
	}
	about := maps.Clone(object(members1(n.Metadata["papermill"])))
	about["parameters"] = compact(values)
	n.Metadata = maps.Clone(object(n.Metadata))
	n.Metadata["papermill"] = compact(about)
	return nil
}

// Total is how many cells the file has.
func (n *Notebook) Total() int {
	if n.added > 0 {
		return len(n.Cells) - 1
	}
	return len(n.Cells)
}

// Number is the number in the file, from 1, of the cell at an index: who edits the file
// counts its cells, and not one that SetParameters has added ([record.ParametersCell]).
func (n *Notebook) Number(index int) int {
	switch {
	case n.added == 0 || index+1 < n.added:
		return index + 1
	case index+1 == n.added:
		return record.ParametersCell
	}
	return index
}

// Cell is the cell with a number that Number gives, nil for none.
func (n *Notebook) Cell(number int) *Cell {
	for i := range n.Cells {
		if n.Number(i) == number {
			return &n.Cells[i]
		}
	}
	return nil
}

// CellName names a cell by its number, "" for 0. With a total it tells that too.
func CellName(number, total int) string {
	switch {
	case number == record.ParametersCell:
		return "cell with the parameters"
	case number <= 0:
		return ""
	case total > 0:
		return fmt.Sprintf("cell %d of %d", number, total)
	}
	return fmt.Sprintf("cell %d", number)
}

// isName reports whether a text is a name of Python's that can be given a value.
func isName(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsNumber(r)) {
			return false
		}
	}
	return s != "" && len(s) < 200 && !slices.Contains(strings.Fields(`False None True and as assert async await break class continue def del elif else
		except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield`), s)
}

// pythonValue writes a value of JSON's as Python, as papermill writes it.
func pythonValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case json.Number:
		return v.String()
	case float64:
		return pythonNumber(v)
	case string:
		return pythonString(v)
	case []any:
		all := make([]string, len(v))
		for i, item := range v {
			all[i] = pythonValue(item)
		}
		return "[" + strings.Join(all, ", ") + "]"
	case map[string]any:
		var all []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, pythonString(name)+": "+pythonValue(v[name]))
		}
		return "{" + strings.Join(all, ", ") + "}"
	}
	return pythonString(fmt.Sprint(v))
}

// pythonNumber writes a whole number as such: JSON has one kind of numbers.
func pythonNumber(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return strconv.FormatInt(int64(f), 10)
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if exp := math.Floor(math.Log10(math.Abs(f))); exp >= -4 && exp < 16 {
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	return s
}

// pythonString writes text as Python's unicode_escape does, in double quotes.
func pythonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r >= 0x7f && r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x7f:
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
