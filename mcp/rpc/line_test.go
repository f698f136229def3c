package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readLines reads all of r; a line over the limit is shown as "LONG <id>".
func readLines(r io.Reader, limit int) ([]string, error) {
	l := newLineReader(r, limit)
	var lines []string
	for {
		line, err := l.next()
		var long *longLineError
		switch {
		case errors.As(err, &long):
			lines = append(lines, "LONG "+string(long.id()))
		case err != nil:
			return lines, err
		default:
			lines = append(lines, string(line))
		}
	}
}

func TestLineReader(t *testing.T) {
	x := strings.Repeat("x", 200_000)
	for _, tt := range []struct {
		name, in string
		limit    int
		want     []string
	}{
		{"empty", "", 10, nil},
		{"no newline", "a", 10, []string{"a"}},
		{"lines", "a\n\nb\r\nc", 10, []string{"a", "", "b\r", "c"}},
		{"exactly the limit", "12345\n12345", 5, []string{"12345", "12345"}},
		{"over the limit", "123456\nok\n123456", 5, []string{"LONG ", "ok", "LONG "}},
		{"longer than the buffer", x + "\n" + x, len(x), []string{x, x}},
		{"far over the limit", x + x + "\nok", 100, []string{"LONG ", "ok"}},
		{"id first", `{"id":5,"p":"` + x + `"}`, 100, []string{"LONG 5"}},
		{"id last", `{"p":"` + x + `","id":"a"}`, 100, []string{"LONG \"a\""}},
		{"id last, not ours", `{"p":"` + x + `","q":{"n":1,"id":"a"}}`, 100, []string{"LONG "}},
		{"id in a string", `{"p":"` + x + `,\"id\":5}"}`, 100, []string{"LONG "}},
		{"id inside", `{"p":{"id":5,"x":"` + x + `"}}`, 100, []string{"LONG "}},
		{"no id", `{"id":{},"p":"` + x + `"}`, 100, []string{"LONG "}},
		{"cut number", `{"id":` + strings.Repeat("1", 5000) + `}`, 100, []string{"LONG "}},
	} {
		for kind, r := range map[string]io.Reader{
			"whole":    strings.NewReader(tt.in),
			"data+EOF": iotest.DataErrReader(strings.NewReader(tt.in)),
			"halves":   iotest.HalfReader(strings.NewReader(tt.in)),
		} {
			got, err := readLines(r, tt.limit)
			if !slices.Equal(got, tt.want) || !errors.Is(err, io.EOF) {
				t.Errorf("%s (%s): got %.300q, %v", tt.name, kind, got, err)
			}
		}
	}
	broken := errors.New("broken")
	lines, err := readLines(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), 10)
	if !slices.Equal(lines, []string{"a"}) || !errors.Is(err, broken) {
		t.Errorf("got %q, %v", lines, err)
	}
}

func TestUnescapeHTML(t *testing.T) {
	for in, want := range map[string]string{
		``:                       ``,
		`"\u003cb\u003e \u0026"`: `"<b> &"`,
		`"\\u003c"`:              `"\\u003c"`,
		`"\\\u003c\"\n"`:         `"\\<\"\n"`,
		`"\u2028\u0000\ud800"`:   `"\u2028\u0000\ud800"`,
		`"\u003`:                 `"\u003`,
		`\`:                      `\`,
	} {
		if got := string(unescapeHTML([]byte(in))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func FuzzUnescapeHTML(f *testing.F) {
	f.Add("<a href=\"x\">&\\u003c\\")
	f.Fuzz(func(t *testing.T, text string) {
		escaped, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		if json.Unmarshal(escaped, &want) != nil {
			t.Fatal("no JSON")
		}
		plain := unescapeHTML(bytes.Clone(escaped))
		if err := json.Unmarshal(plain, &got); err != nil || got != want || len(plain) > len(escaped) {
			t.Errorf("%s became %s: %v", escaped, plain, err)
		}
	})
}
