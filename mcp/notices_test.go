package mcp

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
)

// TestNotices: where sentences of the server itself stand in an answer.
func TestNotices(t *testing.T) {
	sentences := []string{`X="a" is <wrong>`, "two"}
	const lines = "[note: X=\"a\" is <wrong>]\n[note: two]"
	for _, test := range []struct{ name, text, want string }{
		{"a run", "[ok | session=default]\nOut[1]: {\n}", "[ok | session=default]\n" + lines + "\nOut[1]: {\n}"},
		{"a status line alone", "[ok | x]", "[ok | x]\n" + lines},
		{"an error in words", "Nothing was done: it is wrong.", "Nothing was done: it is wrong.\n" + lines},
		{"JSON", `{"status":"success"}`, `{"status":"success","notices":["X=\"a\" is <wrong>","two"]}`},
		{"words that end as JSON does", "Nothing: {\n}", "Nothing: {\n}\n" + lines},
	} {
		got := withNotices(test.text, sentences)
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

// TestLeftWords: what is known of a kernel on a Jupyter server, how it is joined, and who ends it.
func TestLeftWords(t *testing.T) {
	k := elsewhere.Left{ID: "k1", Address: "https://hub", Server: "lab", Session: "a", Started: time.Date(2026, 11, 28, 15, 4, 0, 0, time.Local)}
	const asked = "an earlier server asked https://hub for a kernel for session a (2026-11-28 15:04), and ended without an answer: "
	for _, test := range []struct {
		asked bool
		maybe []string
		want  string
	}{
		{false, nil, "kernel k1, which an earlier server started on https://hub for session a, still runs there: configure_environment type=jupyter server=lab kernel_id=k1 goes back to it, with what is in it"},
		{true, nil, asked + "kernel k1 has started there, and nothing has run in it: configure_environment type=jupyter server=lab kernel_id=k1 takes it"},
		{true, []string{"k2", "k3"}, asked + "it may be kernel k2 or k3, started then and used by nobody: configure_environment type=jupyter server=lab kernel_id=k2 joins it"},
		{true, []string{}, asked + "if it has started it runs there. get_environment_config list=true names what runs on lab, if that server lists its kernels"},
	} {
		k.Asked, k.Maybe = test.asked, test.maybe
		if got := leftWords([]elsewhere.Left{k}); len(got) != 1 || got[0] != test.want+". Nothing ends it by itself: if nobody needs it, the person ends it on that Jupyter server" {
			t.Errorf("%q", got)
		}
	}
}

// left is what dead servers have left, by the first halves of their ids.
type left struct {
	dead  []string
	reads int
}

func (l *left) Killed() (time.Duration, []string) { return time.Minute, l.dead }

func (l *left) Lost(prefixes []string) (lost []history.Lost) {
	l.reads++
	for _, prefix := range prefixes {
		lost = append(lost, history.Lost{Session: prefix, First: prefix + "-1", Last: prefix + "-1"})
	}
	return lost
}

// TestKilledNotices: each killed server is told of once, when the client has the answer,
// also one that is found after another was told of; its records are read once.
func TestKilledNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := &left{}
		n := newKilledNotices(servers)
		tells := func(moment string, reads int, want ...string) (heard func()) {
			t.Helper()
			sentences, heard := n.untold()
			var got []string
			for _, s := range sentences[min(1, len(sentences)):] {
				got = append(got, strings.Fields(s)[1])
			}
			if !slices.Equal(got, want) || servers.reads != reads {
				t.Errorf("%s: told of %q and read %d times, want %q and %d", moment, got, servers.reads, want, reads)
			}
			return heard
		}
		tells("none is dead", 0)
		servers.dead = []string{"old"}
		tells("one is, and the answer is lost", 1, "old")
		heard := tells("the answer arrives", 1, "old")
		servers.dead = []string{"old", "new"}
		both := tells("another, whose lock was held", 2, "new", "old")
		heard()
		tells("after the first was heard of", 3, "new")
		both()
		tells("all are told of", 3)
		time.Sleep(lockPatience)
		servers.dead = append(servers.dead, "late")
		tells("nobody looks any more", 3)

		n = newKilledNotices(servers)
		time.Sleep(time.Hour)
		if sentences, _ := n.untold(); len(sentences) != 4 {
			t.Errorf("a first call after an hour is told %q", sentences)
		}
	})
}
