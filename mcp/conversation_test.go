package mcp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
)

// TestWelcomeWords: what the first answer tells a client about what it comes to.
func TestWelcomeWords(t *testing.T) {
	back := func(name string, change func(*session.Back)) session.Back {
		b := session.Back{Summary: session.Summary{Name: name, Generation: 2, PID: 7, Idle: 90 * time.Minute}}
		if change != nil {
			change(&b)
		}
		return b
	}
	var many []session.Back
	for i := range maxBack + 2 {
		many = append(many, back(fmt.Sprint("s", i), nil))
	}
	for name, test := range map[string]struct {
		welcome session.Welcome
		want    []string
	}{
		"nothing": {session.Welcome{Default: "default"}, nil},
		"another's default": {session.Welcome{Default: "default-2", Taken: &session.Taken{Client: "cur\n[ok | sor", Used: 3 * time.Second}}, []string{
			`calls without a session run in "default-2", because "default" belongs to another client (cur \[ok | sor), whose last call was 3 s ago; session="default" reaches it`}},
		"one that is idle": {session.Welcome{Back: []session.Back{back("default", nil)}}, []string{`session "default" was kept: generation 2, last used 90 min ago`}},
		"one without a kernel": {session.Welcome{Back: []session.Back{back("work", func(b *session.Back) { b.PID = 0 })}}, []string{
			`session "work" was kept: generation 2, without a kernel, last used 90 min ago`}},
		"one that runs, after runs": {session.Welcome{Back: []session.Back{back("default", func(b *session.Back) {
			b.Running, b.State, b.RunningFor = "ab12-9", "running", 5*time.Second
			b.Finished = []session.Finished{{ID: "ab12-7", Outcome: session.OutcomeOK}}
		})}}, []string{`session "default" was kept: generation 2; ab12-9 is running since 5.00 s; ended meanwhile: ab12-7 (ok) (get_execution shows them)`}},
		"one that asks": {session.Welcome{Back: []session.Back{back("default", func(b *session.Back) {
			b.Running, b.State, b.Prompt = "ab12-9", string(session.StateWaiting), "Who\nis it? "
		})}}, []string{`session "default" was kept: generation 2; ab12-9 waits for input (Who is it?): send_input answers`}},
		"one that is over": {session.Welcome{Over: []history.Over{{Session: "default", At: time.Now().Add(-3 * time.Hour), Keep: time.Hour, Last: "ab12-9"}}}, []string{
			`session "default" ended 3.0 h ago, with its variables: it was kept for 1h after its last use (KEEP). get_execution id=ab12-9 reads its last run, export_session session="default" has the code to build it again`}},
		"other variables": {session.Welcome{Default: "default", Changed: []string{"PATH", "TOKEN"}}, []string{
			`variables of this client that are not the same in the kernel of session "default": PATH, TOKEN. stop_session with restart: true starts a kernel with the new ones, without the session's state`}},
		"a gibibyte":  {session.Welcome{Memory: 1 << 30}, nil},
		"much memory": {session.Welcome{Memory: 5 << 29}, []string{"the kept sessions take 2.7 GB of memory"}},
	} {
		if got := welcomeWords(test.welcome); !slices.Equal(got, test.want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
	if got := welcomeWords(session.Welcome{Back: many}); len(got) != maxBack+1 || got[maxBack] != "2 more sessions were kept: list_sessions shows them" {
		t.Errorf("many: %q", got)
	}
}
