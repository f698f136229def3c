package mcp

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestLargeAnswers: the tools that can answer at length say so to hosts that
// would cut them, two of them can be asked to, and the list stays small.
func TestLargeAnswers(t *testing.T) {
	var large, adjustable []string
	size := 0
	for _, tool := range (&tools{}).table() {
		b, err := json.Marshal(tool.definition())
		if err != nil {
			t.Fatal(err)
		}
		size += len(b) + 1
		var d struct {
			Meta        map[string]any `json:"_meta"`
			InputSchema struct {
				Properties map[string]any `json:"properties"`
			} `json:"inputSchema"`
		}
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		if d.Meta["anthropic/maxResultSizeChars"] == float64(maxCharacters) {
			large = append(large, tool.name)
		}
		if d.InputSchema.Properties["max_output_chars"] != nil {
			adjustable = append(adjustable, tool.name)
		}
	}
	if want := []string{"execute_code", "get_execution", "execute_code_file"}; !slices.Equal(large, want) {
		t.Errorf("large answers: %q, want %q", large, want)
	}
	if want := []string{"execute_code", "execute_code_file"}; !slices.Equal(adjustable, want) {
		t.Errorf("max_output_chars: %q, want %q", adjustable, want)
	}
	if size > 18_000 {
		t.Errorf("the tools have %d bytes", size)
	}
}
