package render

import (
	"bytes"
	"regexp"
)

// The launcher compiles cells as DIR/ipykernel_PID/In[N].py: what Python itself writes
// of them names that file, which nobody can open.
var (
	cellFrame = regexp.MustCompile(`File "[^"\n]*[/\\]ipykernel_\d+[/\\](In\[\d+\])\.py", line `)
	cellPath  = regexp.MustCompile(`(?:[A-Za-z]:)?[/\\][^\s"'<>]*[/\\]ipykernel_\d+[/\\](In\[\d+\])\.py`)
)

// cellNames names cells as IPython's tracebacks do. In what is not written by Python,
// only frames are: a path may be meant.
func cellNames(text []byte, all bool) []byte {
	if !bytes.Contains(text, []byte("ipykernel_")) {
		return text
	}
	text = cellFrame.ReplaceAll(text, []byte("Cell $1, line "))
	if all {
		text = cellPath.ReplaceAll(text, []byte("Cell $1"))
	}
	return text
}
