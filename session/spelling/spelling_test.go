package spelling

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"numpy", "numpy", 0},
		{"nunpy", "numpy", 1},
		{"nupmy", "numpy", 2},
		{"panda", "pandas", 1},
		{"kitten", "sitting", 3},
		{"é", "e", 2}, // bytes
		{"a", strings.Repeat("a", 100), 101},
		{strings.Repeat("a", 5000), strings.Repeat("a", 5000), 10_000},
	} {
		if got := Distance(test.a, test.b); got != test.want {
			t.Errorf("Distance(%.10q, %.10q) = %d, want %d", test.a, test.b, got, test.want)
		}
		if forth, back := Distance(test.a, test.b), Distance(test.b, test.a); forth != back {
			t.Errorf("Distance(%.10q, %.10q) = %d, the other way %d", test.a, test.b, forth, back)
		}
	}
}
