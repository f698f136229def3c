package mcp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// filesLine names the files a run made or changed, or is "".
func filesLine(r session.Report) string {
	if len(r.Files) == 0 {
		return ""
	}
	words := make([]string, len(r.Files))
	for i, f := range r.Files {
		state := "changed"
		if f.New {
			state = "new"
		}
		words[i] = fmt.Sprintf("%s (%s, %s)", fileName(f.Name), state, render.ByteSize(f.Size))
	}
	line := "[files changed meanwhile: " + strings.Join(words, ", ")
	if more := r.FilesTotal - len(r.Files); more > 0 {
		line += fmt.Sprintf(", and %d more", more)
	}
	return line + "]"
}

// fileName quotes a name that could be taken for something else.
func fileName(name string) string {
	for _, c := range name {
		if !strconv.IsPrint(c) || strings.ContainsRune(`[]"\,`, c) || c == '�' {
			return render.FirstRunes(strconv.Quote(name), 200)
		}
	}
	return render.FirstRunes(name, 200)
}
