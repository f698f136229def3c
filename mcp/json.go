package mcp

import (
	"bytes"
	"encoding/json"

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
