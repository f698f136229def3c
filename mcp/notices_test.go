package mcp

import (
	"encoding/json"
	"testing"
)

// TestNotices: where sentences of the server itself stand in an answer.
func TestNotices(t *testing.T) {
	n := &notices{sentences: []string{`X="a" is <wrong>`, "two"}}
	const lines = "[note: X=\"a\" is <wrong>]\n[note: two]"
	for _, test := range []struct{ name, text, want string }{
		{"a run", "[ok | session=default]\nOut[1]: {\n}", "[ok | session=default]\n" + lines + "\nOut[1]: {\n}"},
		{"a status line alone", "[ok | x]", "[ok | x]\n" + lines},
		{"an error in words", "Nothing was done: it is wrong.", "Nothing was done: it is wrong.\n" + lines},
		{"JSON", `{"status":"success"}`, `{"status":"success","notices":["X=\"a\" is <wrong>","two"]}`},
		{"words that end as JSON does", "Nothing: {\n}", "Nothing: {\n}\n" + lines},
	} {
		got := n.within(test.text)
		if got != test.want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, got, test.want)
		}
		if test.text[0] == '{' && !json.Valid([]byte(got)) {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}
