package guard

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Collect reaps an orphan that is dead and spares one that lives.
func TestCollect(t *testing.T) {
	reaper := newTestReaper(t)
	// sleep must not hold the pipe.
	cmd := exec.Command("/bin/sh", "-c", "sleep 1000 >/dev/null & echo $!; true >/dev/null & echo $!")
	var out strings.Builder
	cmd.Stdout = &out
	if err := reaper.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := reaper.Wait(cmd); err != nil {
		t.Fatal(err)
	}
	var pids [2]int
	for i, field := range strings.Fields(out.String()) {
		pids[i], _ = strconv.Atoi(field)
	}
	defer reaper.Sweep()
	for begun := time.Now(); unix.Kill(pids[1], 0) == nil; { // until it is dead and reaped
		reaper.Collect()
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the dead orphan is still there")
		}
	}
	if err := unix.Kill(pids[0], 0); err != nil {
		t.Errorf("the living orphan: %v", err)
	}
}
