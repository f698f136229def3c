package mcp

import (
	"encoding/json"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session"
)

func TestTurn(t *testing.T) {
	s := New(Config{})
	for _, test := range []struct{ tool, arguments, want string }{
		{"execute_code", `{"code":"1","session":"a"}`, "a"},
		{"execute_code_file", `{"session":"a"}`, "a"},
		{"execute_code", `{"code":"1"}`, session.DefaultName},
		{"execute_code", `{"session":null}`, session.DefaultName},
		{"execute_code", `{"session":7}`, session.DefaultName},
		{"execute_code", `[]`, session.DefaultName},
		{"execute_code", ``, session.DefaultName},
		{"get_execution", `{"session":"a"}`, ""},
		{"no_tool", `{"session":"a"}`, ""},
	} {
		if got := s.turn(nil, test.tool, json.RawMessage(test.arguments)); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.tool, test.arguments, got, test.want)
		}
	}
}
