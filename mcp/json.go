package mcp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
)

// object is a JSON answer. The tools that run no code keep the JSON of the
// program this one succeeds, so that prompts and scripts go on working.
type object = map[string]any

// jsonFirst are the members that matter first, in this order; the others follow by
// name. Hosts cut the middle and the end of long answers.
func jsonFirst() []string {
	return []string{"status", "error", "message", "id", "all_installed", "not_installed", "package_details", "changes", "already_installed",
		"restart_required", "warnings", "notes", "file_path", "not_configured", "environment", "work_dir", "current", "found", "choose"}
}

// jsonResult is a result of one text block holding a JSON object on one line:
// indenting it costs a model a third more. What is empty is left out.
func jsonResult(o object) *mcp.CallToolResult {
	names := slices.SortedFunc(maps.Keys(o), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	b := []byte{'{'}
	for _, name := range names {
		value := compactJSON(o[name])
		if slices.Contains([]string{`""`, "null", "[]", "{}"}, string(value)) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, compactJSON(name)...), ':'), value...)
	}
	return textResult(string(append(b, '}')))
}

func rank(member string) int {
	if i := slices.Index(jsonFirst(), member); i >= 0 {
		return i
	}
	return len(jsonFirst())
}

// jsonError is the error result of such a tool.
func jsonError(err error) *mcp.CallToolResult {
	r := jsonResult(object{"status": "error", "error": render.CutMiddle(explain(err), maxErrorCharacters)})
	r.IsError = true
	return r
}

// table is a list in an answer that has each of its rows on one line.
type table struct {
	member string
	rows   []json.RawMessage
}

// jsonTables is jsonResult of o with more members, one for each table that is not empty.
func jsonTables(o object, tables ...table) *mcp.CallToolResult {
	head := jsonResult(o)
	text, ok := head.Content[0].(mcp.TextContent)
	if head.IsError || !ok {
		return head
	}
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(text.Text, "}"))
	for _, t := range tables {
		if t.rows == nil {
			continue
		}
		fmt.Fprintf(&b, ",\n%q:[", t.member)
		for i, row := range t.rows {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("\n")
			b.Write(row)
		}
		b.WriteString("\n]")
	}
	b.WriteString("}")
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
