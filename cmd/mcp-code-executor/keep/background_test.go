//go:build unix

package keep

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// TestTold: a front is told when the server is of another version that speaks the same
// protocol, and of some of the user's other servers; else of nothing.
func TestTold(t *testing.T) {
	b := &background{address: Address{Version: "1.2.0"}}
	set := settings.Read(func(string) string { return "" })
	elsewhere := func(dir string) string {
		return "sessions are also kept by a background server with other settings, whose code runs in " + dir + "; \"mcp-code-executor ps\" shows it"
	}
	for name, test := range map[string]struct {
		hello hello
		want  []string
	}{
		"the same version": {hello{Version: "1.2.0"}, nil},
		"a newer program": {hello{Version: "1.3.0"}, []string{
			"the background server is of version 1.2.0, this program of 1.3.0; \"mcp-code-executor stop\" ends the old one, with its sessions"}},
		"many others": {hello{Version: "1.2.0", Others: []string{"/a", "/b", "/c", "/d"}}, []string{elsewhere("/a"), elsewhere("/b"), elsewhere("/c")}},
	} {
		if got := b.told(set, test.hello); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestNoAnswer: nobody is told to end process 0, which would be himself.
func TestNoAnswer(t *testing.T) {
	if words := (&NoAnswerError{Log: "/log"}).Error(); strings.Contains(words, "kill") || !strings.HasSuffix(words, "its log is /log") {
		t.Error(words)
	}
	if words := (&NoAnswerError{PID: 7, Log: "/log"}).Error(); !strings.Contains(words, "kill -CONT 7 ") || !strings.Contains(words, "kill -9 7 ") {
		t.Error(words)
	}
}
