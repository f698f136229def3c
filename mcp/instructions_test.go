package mcp

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestInstructions: hosts cut instructions at 2,048 bytes, one shows no more
// than the first 240 characters until tools are searched.
func TestInstructions(t *testing.T) {
	if n := len(instructions); n >= 2000 {
		t.Errorf("the instructions have %d bytes, want under 2000", n)
	}
	first, _, _ := strings.Cut(instructions, "\n\n")
	if n := utf8.RuneCountInString(first); n > 240 {
		t.Errorf("the first paragraph has %d characters, want 240 at most", n)
	}
	for _, word := range []string{"Python", "persistent", "execute_code", "get_execution", "session", "never send the code again"} {
		if !strings.Contains(first, word) {
			t.Errorf("the first paragraph does not say %q", word)
		}
	}
	if !strings.HasSuffix(first, ".") {
		t.Errorf("the first paragraph is no whole sentence: %q", first)
	}
	for _, tool := range (&tools{}).table() {
		for _, word := range strings.FieldsFunc(instructions, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			if strings.HasPrefix(word, tool.name) && word != tool.name {
				t.Errorf("%s is no tool", word)
			}
		}
	}
}
