package history

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// TestSessionsWithoutRuns: a session in which nothing has run has its server's id, by
// which it can be named and deleted, and is one with what ran in it before.
func TestSessionsWithoutRuns(t *testing.T) {
	state := t.TempDir()
	dir := filepath.Join(state, "records")
	starts, err := Claim(state)
	if err != nil {
		t.Fatal(err)
	}
	for i, ran := range []bool{false, true, false} {
		name := []string{"idle", "used", "used"}[i]
		rec, err := record.Create(dir, record.Info{Session: name, Started: time.Now()}, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if ran {
			if _, err := rec.Begin(starts.Next(), record.Begin{Code: "1"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := rec.Close(); err != nil {
			t.Fatal(err)
		}
		if err := starts.Started(Kernel{Record: filepath.Base(rec.Dir()), Session: name}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Sessions(dir)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d sessions, %v", len(all), err)
	}
	for _, p := range all {
		if want := map[string]int{"idle": 1, "used": 2}[p.Session]; p.Prefix != starts.Prefix() || len(p.Records) != want {
			t.Errorf("session %s has the id %q and %d records, want %q and %d", p.Session, p.Prefix, len(p.Records), starts.Prefix(), want)
		}
	}
}
