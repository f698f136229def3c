package notebook

import (
	"regexp"
	"strings"
	"sync"
)

// assignedMagic matches a line that gives a name what a magic or a command returns.
var assignedMagic = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[\pL_][\pL\pN_., \[\]'"]*=\s*(!|%[\pL_])`)
})

// PlainPython is a cell's code as Python alone reads it: IPython's magics and shell
// commands are comments.
func PlainPython(code string) string {
	if strings.HasPrefix(strings.TrimLeft(code, " \t\r\n"), "%%") {
		return strings.TrimSuffix(commented("", strings.TrimRight(code, "\n")), "\n")
	}
	var b strings.Builder
	var in lineState
	for line := range strings.Lines(code) {
		body := strings.TrimLeft(line, " \t")
		indent := line[:len(line)-len(body)]
		if in.statement() && isMagic(body) {
			if indent != "" {
				indent += "pass  "
			}
			b.WriteString(indent + "# " + body)
			continue
		}
		b.WriteString(line)
		in.line(line)
	}
	return b.String()
}

// isMagic reports whether a line that begins a statement is IPython's, not Python's.
func isMagic(line string) bool {
	line = strings.TrimRight(line, "\r\n \t")
	switch {
	case line == "" || line[0] == '#':
		return false
	case line[0] == '%' || line[0] == '!' || line[0] == '?':
		return true
	case strings.HasSuffix(line, "?") && !strings.ContainsAny(line, "'\"#"):
		return true
	}
	return assignedMagic().MatchString(line)
}

// lineState is where in Python's text a line begins: within a string of more than one
// line, within brackets, after a backslash, or at a statement.
type lineState struct {
	quote     string // of the open string of several lines
	depth     int
	continued bool
}

func (s *lineState) statement() bool { return s.quote == "" && s.depth == 0 && !s.continued }

// line goes through one line.
func (s *lineState) line(line string) {
	s.continued = false
	line = strings.TrimRight(line, "\r\n")
	for i := 0; i < len(line); {
		rest := line[i:]
		switch c := rest[0]; {
		case s.quote != "" && c == '\\':
			i += 2
			continue
		case s.quote != "":
			if strings.HasPrefix(rest, s.quote) {
				i += len(s.quote)
				s.quote = ""
				continue
			}
		case c == '#':
			return
		case strings.HasPrefix(rest, `"""`) || strings.HasPrefix(rest, "'''"):
			s.quote = rest[:3]
			i += 3
			continue
		case c == '"' || c == '\'':
			s.quote = rest[:1]
		case strings.IndexByte("([{", c) >= 0:
			s.depth++
		case strings.IndexByte(")]}", c) >= 0:
			s.depth = max(s.depth-1, 0)
		case c == '\\' && len(rest) == 1:
			s.continued = true
		}
		i++
	}
	if len(s.quote) == 1 { // a string of one line ends with it, unless it goes on by a backslash
		if !strings.HasSuffix(line, `\`) {
			s.quote = ""
		}
	}
}
