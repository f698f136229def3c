// Package processtest is for tests alone: it finds processes by a variable of their
// environment, which they inherit whatever session or parent they give themselves. It
// reads /proc, so it is for Linux, and knows no package of ours. It opens terminals, too.
package processtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Has tells whether a process has this variable, NAME=value. One that is dead has none.
func Has(pid int, variable string) bool {
	environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && bytes.Contains(append(append([]byte{0}, environ...), 0), []byte("\x00"+variable+"\x00"))
}

// Marked returns the command lines of the processes with this variable, by pid. Zombies,
// which have none, are left out.
func Marked(t testing.TB, variable string) map[int]string {
	t.Helper()
	found := map[int]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !Has(pid, variable) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if len(command) > 0 {
			found[pid] = strings.ReplaceAll(string(command), "\x00", " ")
		}
	}
	return found
}

// NothingLeft waits until no process with the variable is left, but those given, and
// returns how long that took.
func NothingLeft(t testing.TB, variable string, but ...int) time.Duration {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) { // polls the process table
		left := Marked(t, variable)
		for _, pid := range but {
			delete(left, pid)
		}
		if len(left) == 0 {
			return time.Since(begun)
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatalf("left after 10 s: %v", left)
		}
	}
}
