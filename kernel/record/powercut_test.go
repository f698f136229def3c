package record

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPowerCut keeps of a record what was synced, and of the rest what a disk may have
// got by chance: all entries before the last Sync are there, code of any size with
// them, and nothing is read that was not written.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		r := newRecord(t)
		texts := map[string]string{} // by their first word: code, and what one execution puts out
		put := func(i int) {
			name := fmt.Sprintf("a-%d", i)
			text := name + strings.Repeat(" x", random.IntN([]int{100, 80 << 10}[random.IntN(2)]))
			texts[name] = text
			if i%2 == 0 {
				if _, err := r.Begin(name, Begin{Code: text}); err != nil {
					t.Fatal(err)
				}
				return
			}
			mustAppend(t, r, "out", stream(text))
		}
		n, after := 1+random.IntN(20), random.IntN(10)
		for i := range n {
			put(i)
		}
		if err := r.Sync(); err != nil {
			t.Fatal(err)
		}
		synced := r.Tail()
		for i := range after {
			put(n + i)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		kept := map[string]bool{} // files that were synced: code from before
		for e, err := range r.Read("", 0, synced) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Begin != nil && len(e.Begin.Code) > inlineMax {
				kept[e.Exec] = true
			}
		}
		cutPower(t, r.Dir(), synced, kept, random)
		done, err := Open(r.Dir())
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		for e, err := range done.Read("", 0, -1) {
			if bad := (*BadLineError)(nil); errors.As(err, &bad) || errors.As(err, new(*DroppedError)) {
				if e.Pos < synced {
					t.Errorf("round %d: %v, and up to %d it was synced", round, err, synced)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			switch {
			case e.Begin != nil:
				got = []byte(e.Begin.Code)
			case e.Output != nil:
				if got, err = e.Output.Text.Bytes(1 << 20); err != nil || int64(len(got)) != e.Output.Text.Size {
					whole += btoi(e.Pos < synced) // its file is short or missing, which every reader sees
					continue
				}
			default:
				continue
			}
			name, _, _ := strings.Cut(string(got), " ")
			if string(got) != texts[name] || e.Begin != nil && e.Exec != name {
				t.Errorf("round %d: %s is %.20q, %d bytes", round, e.Exec, got, len(got))
			}
			whole += btoi(e.Pos < synced)
		}
		if whole != n {
			t.Errorf("round %d: %d entries of %d that were synced", round, whole, n)
		}
		done.Close()
	}
}

// cutPower leaves of a record what was synced, and chance pieces of the rest.
func cutPower(t *testing.T, dir string, synced Position, kept map[string]bool, random *rand.Rand) {
	t.Helper()
	path := filepath.Join(dir, journalName)
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := bytes.Clone(journal[synced:])
	switch random.IntN(3) {
	case 0:
		rest = rest[:random.IntN(len(rest)+1)]
	case 1: // the length was written, some blocks were not
		for i := range rest {
			if i/512%2 == 0 {
				rest[i] = 0
			}
		}
	case 2:
		rest = nil
	}
	if err := os.WriteFile(path, append(journal[:synced:synced], rest...), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, filesDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		exec, _, _ := strings.Cut(e.Name(), ".")
		if kept[exec] {
			continue
		}
		file := filepath.Join(dir, filesDir, e.Name())
		if random.IntN(2) == 0 {
			err = os.Remove(file)
		} else {
			var info os.FileInfo
			if info, err = e.Info(); err == nil {
				err = os.Truncate(file, random.Int64N(info.Size()+1))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
