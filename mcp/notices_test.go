package mcp

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
)

// TestNotices: where sentences of the server itself stand in an answer.
func TestNotices(t *testing.T) {
	n := &notices{sentences: func() []string { return []string{`X="a" is <wrong>`, "two"} }}
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

// TestKilledWords: what a dead server has left is told by name, the last sessions first.
func TestKilledWords(t *testing.T) {
	lost := []history.Lost{{Session: "a", First: "x-1", Last: "x-1"}, {Session: "b", First: "x-2", Last: "x-9", Running: "x-9", Variables: record.Variables{Names: []string{"df DataFrame", "n int"}, Count: 5}}}
	want := []string{
		"session b of the dead server: was running x-9 (unknown: the server died during this run); lost: df (DataFrame), n (int) and 3 more; get_execution reads its runs x-2 to x-9, export_session id=x-2..x-9 has the code to build it again",
		"session a of the dead server: get_execution id=x-1 reads its run, export_session id=x-1 has the code to build it again",
	}
	if got := killedWords(time.Minute, lost)[1:]; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for range 9 {
		lost = append(lost, history.Lost{Session: "c", First: "y-1", Last: "y-1"})
	}
	if got := killedWords(time.Minute, lost); len(got) != 1+maxLost+1 || got[len(got)-1] != "7 more sessions were open" {
		t.Errorf("%q", got)
	}
}
