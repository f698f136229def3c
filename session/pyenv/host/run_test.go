package host

import "testing"

func TestTailBuffer(t *testing.T) {
	b := &tailBuffer{max: 5}
	for _, part := range []string{"ab", "cdef", "", "0123456789", "x"} {
		if n, err := b.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if b.String() != "6789x" {
		t.Errorf("got %q", b)
	}
}
