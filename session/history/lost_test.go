package history

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

// TestLostOfLocked: what a killed server has left is told, also when somebody holds the
// record's lock for a moment more, or for long.
func TestLostOfLocked(t *testing.T) {
	for name, held := range map[string]time.Duration{"not": 0, "for a moment": 20 * time.Millisecond, "for long": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := record.Create(t.TempDir(), record.Info{Session: "s", Generation: 1}, record.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.Begin("abcd-1", record.Begin{Code: "x = 1"}); err != nil {
					t.Fatal(err)
				}
				if held == 0 {
					r.Close()
				}
				var holder sync.WaitGroup
				defer holder.Wait()
				holder.Go(func() {
					time.Sleep(held)
					r.Close()
				})
				lost := LostOf([]string{r.Dir()})
				if len(lost) != 1 || lost[0].Session != "s" || lost[0].Last != "abcd-1" || lost[0].Running != "abcd-1" {
					t.Errorf("%+v", lost)
				}
			})
		})
	}
}
