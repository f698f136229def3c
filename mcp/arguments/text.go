package arguments

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
)

// maxShown is how much of a wrong value an error repeats, in characters.
const maxShown = 60

// describe says what a JSON value is, in JSON's words, with its beginning.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "the string " + Quote(v)
	case float64:
		return "the number " + Plain(v)
	case bool:
		return "the boolean " + Plain(v)
	case []any:
		return fmt.Sprintf("a list of %d (%s)", len(v), shortJSON(v))
	case map[string]any:
		return "an object (" + shortJSON(v) + ")"
	}
	return "of an unknown kind"
}

// Plain writes a number, boolean or string as a person would.
func Plain(value any) string {
	switch v := value.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatFloat(v, 'f', -1, 64) // 100000000, which int() reads, not 1e+08
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	}
	return ""
}

func shortJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "…"
	}
	return render.FirstRunes(string(text), maxShown)
}

// Quote quotes a text from outside, cut to maxShown.
func Quote(text string) string { return strconv.Quote(render.FirstRunes(text, maxShown)) }

func quoteAll(texts []string) []string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = strconv.Quote(text)
	}
	return quoted
}

// pythonList reads a list of strings as Python prints it: ['a', "it's"].
// Some clients send str(list) where JSON is wanted.
func pythonList(text string) ([]any, bool) {
	rest, ok := strings.CutPrefix(text, "[")
	if !ok {
		return nil, false
	}
	items := []any{}
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if tail, closed := strings.CutPrefix(rest, "]"); closed {
			return items, strings.TrimSpace(tail) == ""
		}
		var item string
		if item, rest, ok = pythonString(rest); !ok {
			return nil, false
		}
		items = append(items, item)
		rest = strings.TrimLeft(rest, " \t\r\n")
		if tail, more := strings.CutPrefix(rest, ","); more {
			rest = tail
		} else if !strings.HasPrefix(rest, "]") {
			return nil, false
		}
	}
}

// pythonString reads one quoted string with the escapes that need no table.
func pythonString(text string) (value, rest string, ok bool) {
	if text == "" || text[0] != '\'' && text[0] != '"' {
		return "", "", false
	}
	delimiter := text[0]
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch ch := text[i]; ch {
		case delimiter:
			return b.String(), text[i+1:], true
		case '\\':
			i++
			if i == len(text) {
				return "", "", false
			}
			at := strings.IndexByte(`\'"ntr`, text[i])
			if at < 0 {
				return "", "", false
			}
			b.WriteByte("\\'\"\n\t\r"[at])
		default:
			b.WriteByte(ch)
		}
	}
	return "", "", false
}
