package history

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestOvers: what is over is told once, by whichever server, however much it is.
func TestOvers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "over")
	begun := time.Now().UTC().Truncate(0)
	names := func(o *Overs) (all []string) {
		for _, one := range o.All() {
			all = append(all, one.Session)
		}
		return all
	}
	o := ReadOvers(path)
	o.Add(Over{Session: "default", At: begun, Keep: time.Hour, Last: "abcd-1"})
	o.Add(Over{Session: "work", At: begun})
	o.Add(Over{Session: "default", At: begun.Add(time.Minute), Keep: time.Minute})
	o = ReadOvers(path)
	if got := o.All(); !slices.Equal(got, []Over{{Session: "work", At: begun}, {Session: "default", At: begun.Add(time.Minute), Keep: time.Minute}}) {
		t.Errorf("read again: %+v", got)
	}
	told := o.All()
	o.Add(Over{Session: "default", At: begun.Add(time.Hour)}) // since it was read
	o.Told(told)
	if got := names(ReadOvers(path)); !slices.Equal(got, []string{"default"}) {
		t.Errorf("after an answer: %v", got)
	}
	o.Told(o.All())
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("all were told, and the file is left (%v)", err)
	}
	for i := range 2 * maxOvers {
		o.Add(Over{Session: fmt.Sprint(i)})
	}
	if got := names(ReadOvers(path)); len(got) != maxOvers || got[maxOvers-1] != fmt.Sprint(2*maxOvers-1) {
		t.Errorf("many: %v", got)
	}
	if err := os.WriteFile(path, []byte("[{\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ReadOvers(path).All(); len(got) > 0 {
		t.Errorf("a damaged file: %v", got)
	}
	var none *Overs
	none.Add(Over{Session: "x"})
	none.Told([]Over{{}})
	if len(none.All()) > 0 {
		t.Error("none has some")
	}
}
