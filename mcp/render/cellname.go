package render

import (
	"bytes"
	"fmt"
	"regexp"
)

// ipykernel compiles cells as DIR/ipykernel_PID/FILE.py: what Python itself writes of
// them names that file, which nobody can open.
var (
	cellFrame = regexp.MustCompile(`File "[^"\n]*[/\\]ipykernel_\d+[/\\](\d+)\.py", line `)
	cellPath  = regexp.MustCompile(`(?:[A-Za-z]:)?[/\\][^\s"'<>]*[/\\]ipykernel_\d+[/\\](\d+)\.py`)
)

// cellNames names cells as IPython's tracebacks do, those that count knows. In what is
// not written by Python, only frames are: a path may be meant.
func cellNames(text []byte, count func(file string) int, all bool) []byte {
	if count == nil || !bytes.Contains(text, []byte("ipykernel_")) {
		return text
	}
	text = nameCells(text, cellFrame, count, ", line ")
	if all {
		text = nameCells(text, cellPath, count, "")
	}
	return text
}

func nameCells(text []byte, pattern *regexp.Regexp, count func(file string) int, end string) []byte {
	return pattern.ReplaceAllFunc(text, func(found []byte) []byte {
		if n := count(string(pattern.FindSubmatch(found)[1])); n > 0 {
			return fmt.Appendf(nil, "Cell In[%d]%s", n, end)
		}
		return found
	})
}
