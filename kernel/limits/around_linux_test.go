package limits

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestChoose: as many cores as there may be, others for another kernel.
func TestChoose(t *testing.T) {
	var may unix.CPUSet
	for _, cpu := range []int{2, 3, 64, 200} {
		may.Set(cpu)
	}
	for _, test := range []struct{ n, number, count, has int }{
		{1, 0, 1, 2}, {1, 1, 1, 3}, {2, 3, 2, 200}, {3, 2, 3, 64}, {4, 1, 4, 2}, {9, 5, 4, 3},
	} {
		few := choose(may, test.n, test.number)
		if few.Count() != test.count || !few.IsSet(test.has) {
			t.Errorf("%d of 4 for %d: %v", test.n, test.number, few)
		}
		for cpu := range len(may) * 64 {
			if few.IsSet(cpu) && !may.IsSet(cpu) {
				t.Errorf("core %d may not be used", cpu)
			}
		}
	}
}
