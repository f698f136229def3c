package codefile

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func installed(module string) (string, bool) {
	if module == "pandas" {
		return "the package pandas 2.3.1", true
	}
	return "", false
}

func TestCheckName(t *testing.T) {
	long := strings.Repeat("a", 197)
	tests := []struct {
		name       string
		want       string // "" when it is refused
		reason     string // part of the error
		suggestion string
	}{
		{name: "plot.py", want: "plot.py"},
		{name: "plot", want: "plot.py"},
		{name: "data.csv", want: "data.csv"},
		{name: "v1.2", want: "v1.2.py"},
		{name: "a.b.py", want: "a.b.py"},
		{name: "my file", want: "my file.py"},
		{name: "été", want: "été.py"},
		{name: "e\u0301te\u0301", want: "été.py"}, // NFD as macOS types it
		{name: "分析.py", want: "分析.py"},
		{name: long + ".py", want: long + ".py"},
		{name: "compose.py", want: "compose.py"}, // begins like a device, is none
		{name: "command", want: "command.py"},
		{name: "json.txt", want: "json.txt"}, // cannot be imported
		{name: "json.test.py", want: "json.test.py"},
		{name: "test.py", want: "test.py"},
		{name: "$(id)", want: "$(id).py"}, // only a name: no shell ever sees it

		{name: "", reason: "empty"},
		{name: long + "x.py", reason: "201 bytes"},
		{name: strings.Repeat("é", 100), reason: "203 bytes as"},
		{name: strings.Repeat("x", 300), reason: "300 bytes"},
		{name: "../x.py", reason: `'/'`, suggestion: "x.py"},
		{name: "/etc/passwd", reason: `'/'`, suggestion: "passwd.py"},
		{name: `..\x.py`, reason: `'\\'`, suggestion: "x.py"},
		{name: "C:x.py", reason: `':'`, suggestion: "C_x.py"},
		{name: "a\x00b", reason: "U+0000", suggestion: "a_b.py"},
		{name: "a\nb.py", reason: "U+000A", suggestion: "a_b.py"},
		{name: "a\u202eyp.txt", reason: "U+202E", suggestion: "a_yp.txt"},
		{name: "a\u200bb.py", reason: "U+200B", suggestion: "a_b.py"},
		{name: "a\u00a0b.py", reason: "U+00A0", suggestion: "a_b.py"},
		{name: "a\xff.py", reason: "UTF-8"},
		{name: "-rf.py", reason: "begins with '-'", suggestion: "rf.py"},
		{name: ".hidden.py", reason: "begins with '.'", suggestion: "hidden.py"},
		{name: "..", reason: "begins with '.'"},
		{name: " x.py", reason: "begins with ' '", suggestion: "x.py"},
		{name: "x.", reason: "ends with '.'", suggestion: "x.py"},
		{name: "x.py ", reason: "ends with ' '", suggestion: "x.py"},
		{name: "con", reason: "device", suggestion: "my_con.py"},
		{name: "NUL.txt", reason: "device", suggestion: "my_NUL.txt"},
		{name: "lpt1.py", reason: "device", suggestion: "my_lpt1.py"},
		{name: "COM³", reason: "device", suggestion: "my_COM³.py"},
		{name: "types.py", reason: "Python's own module types", suggestion: "my_types.py"},
		{name: "json", reason: "Python's own module json", suggestion: "my_json.py"},
		{name: "types.cpython-311-x86_64-linux-gnu.so", reason: "module types", suggestion: "my_types.cpython-311-x86_64-linux-gnu.so"},
		{name: "pandas.py", reason: "the package pandas 2.3.1", suggestion: "my_pandas.py"},
	}
	for _, tt := range tests {
		got, err := CheckName(tt.name, installed)
		if tt.want != "" {
			if err != nil || got != tt.want {
				t.Errorf("CheckName(%q) = %q, %v; want %q", tt.name, got, err, tt.want)
			}
			continue
		}
		e, ok := errors.AsType[*NameError](err)
		if !ok {
			t.Errorf("CheckName(%q) = %q, %v; want a NameError", tt.name, got, err)
			continue
		}
		if !strings.Contains(e.Reason, tt.reason) || e.Suggestion != tt.suggestion {
			t.Errorf("CheckName(%q): reason %q, suggestion %q; want %q, %q", tt.name, e.Reason, e.Suggestion, tt.reason, tt.suggestion)
		}
		if len(e.Error()) > 1200 {
			t.Errorf("CheckName(%q): an error of %d bytes", tt.name[:20], len(e.Error()))
		}
	}
}

func TestIsStdlib(t *testing.T) {
	for _, name := range []string{"os", "types", "_ssl", "distutils", "asyncore", "tomllib", "compression", "msvcrt", "__future__"} {
		if !IsStdlib(name) {
			t.Errorf("IsStdlib(%q) = false", name)
		}
	}
	for _, name := range []string{"", "numpy", "typ", "ypes", "os\nsys", "OS", "test"} {
		if IsStdlib(name) {
			t.Errorf("IsStdlib(%q) = true", name)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"", "plot", "../x", "a/b", "C:\\x", "con.py", "types", "e\u0301", "x\u202e", "-r", ".", "..", "a.b.c", "ﬁ", "\xff", "COM¹.txt", "a\u0338/", "x.py."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := CheckName(name, installed)
		if err != nil {
			e, ok := errors.AsType[*NameError](err)
			if !ok || got != "" {
				t.Fatalf("CheckName(%q) = %q, %T", name, got, err)
			}
			got = e.Suggestion // has to be usable as well
			if got == "" {
				return
			}
		}
		switch {
		case got != filepath.Base(got) || !filepath.IsLocal(got) || strings.ContainsAny(got, `/\:`):
			t.Errorf("%q → %q is no plain name", name, got)
		case len(got) == 0 || len(got) > MaxName || !utf8.ValidString(got) || !norm.NFC.IsNormalString(got):
			t.Errorf("%q → %q: length or form", name, got)
		case strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }):
			t.Errorf("%q → %q holds what nobody sees", name, got)
		case strings.ContainsAny(got[:1], "-. ") || !strings.Contains(got, "."):
			t.Errorf("%q → %q: begin or extension", name, got)
		}
		again, err := CheckName(got, installed)
		if err != nil || again != got {
			t.Errorf("%q → %q → %q, %v: not stable", name, got, again, err)
		}
		if stem, ok := strings.CutSuffix(got, ".py"); ok && (IsStdlib(stem) || stem == "pandas") {
			t.Errorf("%q → %q shadows a module", name, got)
		}
	})
}
