package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// object is a JSON answer. The tools that run no code keep the JSON of the
// program this one succeeds, so that prompts and scripts go on working.
type object = map[string]any

// jsonResult is a result of one text block holding a JSON object.
func jsonResult(o object) *mcp.CallToolResult {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // \u003c costs a model tokens and says nothing
	e.SetIndent("", "  ")
	if err := e.Encode(o); err != nil {
		return errorResult("encoding the answer: " + err.Error())
	}
	return textResult(string(bytes.TrimSpace(b.Bytes())))
}

// jsonError is the error result of such a tool.
func jsonError(err error) *mcp.CallToolResult {
	r := jsonResult(object{"status": "error", "error": cutMiddle(explain(err), maxErrorCharacters)})
	r.IsError = true
	return r
}

// table is a list in an answer that has each of its rows on one line: indented,
// a row of seven members takes nine.
type table struct {
	member string
	rows   []json.RawMessage
}

// jsonTables is jsonResult of o with more members, one for each table that is not nil.
func jsonTables(o object, tables ...table) *mcp.CallToolResult {
	head := jsonResult(o)
	text, ok := head.Content[0].(mcp.TextContent)
	if head.IsError || !ok {
		return head
	}
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(text.Text, "\n}"))
	for _, t := range tables {
		if t.rows == nil {
			continue
		}
		fmt.Fprintf(&b, ",\n  %q: [", t.member)
		for i, row := range t.rows {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("\n    ")
			b.Write(row)
		}
		b.WriteString("\n  ]")
	}
	b.WriteString("\n}")
	return textResult(b.String())
}

// compactJSON is v on one line, without escapes that say nothing.
func compactJSON(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("encoding a row of ours: " + err.Error())
	}
	return bytes.TrimSpace(b.Bytes())
}

// orNull is null in JSON for a text there is not.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
