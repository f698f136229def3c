package codefile

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxName is the longest name of a code file, in bytes. File systems allow 255;
// the rest is for the number a clash adds.
const MaxName = 200

// Shadows tells whether a file MODULE.py in the storage directory would stand in
// front of an installed package, and what that is ("the package pandas 2.3.1").
// The standard library is known without it.
type Shadows func(module string) (what string, yes bool)

// stdlib lists the top-level modules of CPython 3.8 to 3.14 on all systems, one
// a line, without `test` (only CPython's own tests import it) and `parser`
// (built in where it existed, so nothing can shadow it).
//
//go:embed stdlib.txt
var stdlib string

// IsStdlib reports whether some Python from 3.8 to 3.14 has a top-level module
// of that name.
func IsStdlib(module string) bool {
	return module != "" && !strings.ContainsAny(module, "\r\n") &&
		strings.Contains("\n"+stdlib, "\n"+module+"\n")
}

// CheckName judges a name for a new code file and returns the form it is stored
// under: NFC, with ".py" when it has no extension. A nil shadows knows only the
// standard library. The error is a [*NameError].
func CheckName(name string, shadows Shadows) (string, error) {
	bad := func(suggestion, format string, args ...any) (string, error) {
		return "", &NameError{Name: name, Reason: fmt.Sprintf(format, args...), Suggestion: suggestion}
	}
	switch {
	case name == "":
		return bad("", "is empty")
	case len(name) > MaxName:
		return bad("", "has %d bytes, more than %d", len(name), MaxName)
	case !utf8.ValidString(name):
		return bad("", "is not valid UTF-8")
	}
	name = norm.NFC.String(name)
	if i := strings.IndexFunc(name, unusable); i >= 0 {
		r, _ := utf8.DecodeRuneInString(name[i:])
		return bad(suggest(name), "holds the character %s", describe(r))
	}
	switch first, last := name[0], name[len(name)-1]; {
	case first == '-', first == '.', first == ' ':
		return bad(suggest(name), "begins with %q", first)
	case last == '.', last == ' ':
		return bad(suggest(name), "ends with %q, which Windows drops", last)
	}
	if !hasExtension(name) {
		name += ".py"
	}
	if len(name) > MaxName {
		return bad("", "has %d bytes as %q, more than %d", len(name), name, MaxName)
	}
	if reserved(name) {
		return bad("my_"+name, "means a device on Windows")
	}
	if what := shadowed(name, shadows); what != "" {
		return bad(unshadowed(name, shadows), "would be imported in place of %s", what)
	}
	return name, nil
}

// unusable holds for separators, for what Windows refuses in names, and for what
// nobody sees: control characters, bidirectional marks, odd spaces.
func unusable(r rune) bool {
	return strings.ContainsRune(`/\:*?"<>|`, r) || !unicode.IsPrint(r) || r == utf8.RuneError
}

func describe(r rune) string {
	if r != utf8.RuneError && unicode.IsPrint(r) {
		return fmt.Sprintf("%q", r)
	}
	return fmt.Sprintf("%U", r)
}

// suggest makes a usable name of what can be kept, or "".
func suggest(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unusable(r) {
			return '_'
		}
		return r
	}, name)
	name = strings.TrimRight(strings.TrimLeft(name, "-. "), ". ")
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return ""
	}
	if good, err := CheckName(name, nil); err == nil {
		return good
	}
	return ""
}

// hasExtension takes ".csv" for an extension, not the ".2" of "v1.2": an
// extension begins with a letter.
func hasExtension(name string) bool {
	ext := strings.TrimPrefix(filepath.Ext(name), ".")
	return ext != "" && len(ext) <= 10 && isLetter(ext[0]) &&
		!strings.ContainsFunc(ext, func(r rune) bool { return r > unicode.MaxASCII || !isLetter(byte(r)) && !unicode.IsDigit(r) })
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// reserved holds for Windows' device names, which count with any extension.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, stem) {
		return true
	}
	number, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		number, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && utf8.RuneCountInString(number) == 1 && strings.Contains("0123456789¹²³", number)
}

// shadowed says what a file of that name hides from import, or "".
func shadowed(name string, shadows Shadows) string {
	stem, rest, _ := strings.Cut(name, ".")
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case ext == ".so", ext == ".pyd": // types.cpython-311-x86_64-linux-gnu.so
	case rest == "py", rest == "pyc":
	default:
		return "" // "a.b.py" and "notes.txt" cannot be imported
	}
	if IsStdlib(stem) {
		return "Python's own module " + stem
	}
	if shadows != nil {
		if what, yes := shadows(stem); yes {
			return what
		}
	}
	return ""
}

func unshadowed(name string, shadows Shadows) string {
	for _, prefix := range []string{"my_", "run_", "my_own_"} {
		if s := prefix + name; len(s) <= MaxName && shadowed(s, shadows) == "" {
			return s
		}
	}
	return ""
}

// numbered gives the n-th form of a taken name: "plot.py", "plot_2.py", ….
func numbered(name string, n int) string {
	if n <= 1 {
		return name
	}
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s_%d%s", strings.TrimSuffix(name, ext), n, ext)
}
