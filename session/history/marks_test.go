package history

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestMarks: a server is told of one that was killed in the same place, in the last
// hour, until that is forgotten, and of no other.
func TestMarks(t *testing.T) {
	dir := t.TempDir()
	files := func() int {
		entries, _ := os.ReadDir(filepath.Join(dir, "running"))
		return len(entries)
	}
	server := func(name, place string) *Marks {
		m := NewMarks(dir, name, place)
		t.Cleanup(m.Close)
		return m
	}
	kill := func(m *Marks) { m.file.Close() } // as the end of its process does
	expect := func(what string, m *Marks, want int) {
		t.Helper()
		if got := len(m.left()); got != want {
			t.Errorf("%s: %d killed servers, want %d", what, got, want)
		}
	}

	first := server("aaaa", "/project")
	expect("nothing has run", first, 0)
	if files() != 0 {
		t.Error("a file before the first run")
	}
	first.Ran()
	first.Ran()
	second := server("bbbb", "/project")
	expect("the first lives", second, 0)
	expect("it is not told of itself", first, 0)
	first.Close()
	first.Ran()
	expect("the first has closed", second, 0)
	if files() != 0 {
		t.Error("a file after the close")
	}

	second.Ran()
	kill(second)
	third := server("cccc", "/project")
	expect("the second was killed", third, 1)
	expect("elsewhere", server("dddd", "/other"), 0)
	third.Ran()
	expect("also told when something has run since", server("eeee", "/project"), 1)
	server("iiii", "/other").Forget("bbbb")
	third.Forget("cccc") // it lives
	expect("not forgotten from elsewhere", third, 1)
	third.Forget("bbbb")
	expect("forgotten", third, 0)

	kill(third)
	expect("the third was killed", server("jjjj", "/project"), 1)
	old := time.Now().Add(-markMemory - time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "running", "cccc"), old, old); err != nil {
		t.Fatal(err)
	}
	m := NewMarks(dir, "ffff", "/project")
	if ago, prefixes := m.Killed(); prefixes != nil {
		t.Errorf("told of one killed %v ago", ago)
	}
	other := server("gggg", "/other")
	other.Ran()
	if files() != 1 {
		t.Errorf("%d files: an old one of another place should go", files())
	}
	none := server("hhhh", "")
	none.Ran()
	if files() != 1 {
		t.Error("a file without a place")
	}
}

// TestMarksBesideOthers: servers that look for killed ones while others have their first
// run find none, and each of those has its file.
func TestMarksBesideOthers(t *testing.T) {
	dir := t.TempDir()
	var servers []*Marks
	for i := range 40 {
		servers = append(servers, NewMarks(dir, fmt.Sprintf("s%03d", i), "/project"))
	}
	done := make(chan struct{})
	var looking, running sync.WaitGroup
	for _, m := range servers[:4] {
		looking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, prefixes := m.Killed(); prefixes != nil {
					t.Errorf("killed: %q", prefixes)
				}
			}
		})
	}
	for _, m := range servers {
		running.Go(m.Ran)
	}
	running.Wait()
	close(done)
	looking.Wait()
	for _, m := range servers {
		if m.file == nil {
			t.Errorf("%s has no file", m.name)
		}
		m.Close()
	}
}

// TestMarksInVain: what could not be run leaves no file, unless something else was run.
func TestMarksInVain(t *testing.T) {
	m := NewMarks(t.TempDir(), "ffff", "/project")
	defer m.Close()
	there := func() bool { _, err := os.Stat(filepath.Join(m.dir, "ffff")); return err == nil }
	for range 2 {
		m.Accepted()
		if !there() {
			t.Error("no file of what was accepted")
		}
		m.InVain()
		if there() {
			t.Error("a file although nothing ran")
		}
	}
	m.Accepted()
	m.Ran()
	m.InVain()
	if !there() {
		t.Error("no file although something ran")
	}
}
