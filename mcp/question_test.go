package mcp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// TestQuestionForm: an empty line is an answer, so the form requires none.
func TestQuestionForm(t *testing.T) {
	form := questionForm(session.Report{Prompt: "Press Enter to continue"})
	schema, err := json.Marshal(form.RequestedSchema)
	if err != nil || strings.Contains(string(schema), "required") || strings.Contains(string(schema), "minLength") {
		t.Errorf("%s %v", schema, err)
	}
	if !strings.HasSuffix(form.Message, "Press Enter to continue") {
		t.Errorf("%s", form.Message)
	}
}
