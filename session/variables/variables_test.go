package variables

import (
	"slices"
	"testing"
)

func TestDiffering(t *testing.T) {
	a := Hash([]byte("key"), []string{"TOKEN=1", "SAME=x=y", "GONE=", "PWD=/a", "SSH_TTY=1"})
	b := Hash([]byte("key"), []string{"TOKEN=2", "SAME=x=y", "NEW=", "PWD=/b"})
	if got := b.Differing(a); !slices.Equal(got, []string{"GONE", "NEW", "TOKEN"}) {
		t.Errorf("%q", got)
	}
	if other := Hash([]byte("another key"), []string{"SAME=x=y"}); a["SAME"] == other["SAME"] {
		t.Error("the key does not matter")
	}
}
