package launch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestReadVariables(t *testing.T) {
	many, _ := json.Marshal(map[string]any{"names": slices.Repeat([]string{"a int"}, 300)})
	for _, test := range []struct {
		content string
		want    string
	}{
		{`{"names":["df DataFrame","n int"],"count":7}`, "[df DataFrame n int] 7 true"},
		{`{"names":["df DataFrame"]}`, "[df DataFrame] 1 true"},
		{`{}`, "[] 0 true"},
		{`{"names":["", "a", " b", "c ", "d\u0007 int", "e\n int", "` + strings.Repeat("x", 400) + ` int", "f int"],"count":-1}`, "[f int] 1 true"},
		{`{"names":"a int"}`, "[] 0 false"},
		{`[]`, "[] 0 false"},
		{string(many), fmt.Sprint(slices.Repeat([]string{"a int"}, maxVariables), maxVariables, true)},
	} {
		names, count, ok := ReadVariables(json.RawMessage(test.content))
		if got := fmt.Sprint(names, count, ok); got != test.want {
			t.Errorf("%.100s: %.200s, want %.200s", test.content, got, test.want)
		}
	}
}

func TestReadImported(t *testing.T) {
	for content, want := range map[string]string{
		`{"large":["pandas","numpy","matplotlib.pyplot","numpy"]}`: "[matplotlib.pyplot numpy pandas]",
		`{"large":[]}`: "[]",
		`{}`:           "[]",
		`{"large":["a,b","--x","os system","é","","` + strings.Repeat("x", 41) + `","PIL"]}`: "[PIL]",
		`{"large":["a","b","c","d","e","f","g","h","i","j","k","l","m"]}`:                    "[a b c d e f g h i j k l]",
		`{"large":7}`: "[]",
	} {
		if got := fmt.Sprint(ReadImported(json.RawMessage(content))); got != want {
			t.Errorf("%s: %s, want %s", content, got, want)
		}
	}
}

func FuzzReadVariables(f *testing.F) {
	f.Add([]byte(`{"names":["df DataFrame","n int"],"count":7}`))
	f.Add([]byte(`{"names":["\ud800 x","a \u202e"],"count":1e400}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		names, count, _ := ReadVariables(content)
		if len(names) > maxVariables || count < len(names) {
			t.Errorf("%d names, count %d", len(names), count)
		}
		for _, name := range names {
			if len(name) > maxVariableName || strings.ContainsFunc(name, unicode.IsControl) {
				t.Errorf("%q", name)
			}
		}
	})
}
