package files

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMadeFiles(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "same.txt", "same")
	put(t, dir, "grows.csv", "a")
	put(t, dir, "again.bin", "12345")
	put(t, dir, "gone.txt", "x")
	put(t, dir, "moved.txt", "moved")
	put(t, dir, "data/in.csv", "1")
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, name := range []string{"same.txt", "again.bin", "moved.txt"} {
		if err := os.Chtimes(filepath.Join(dir, name), yesterday, yesterday); err != nil {
			t.Fatal(err)
		}
	}
	before := listFiles(dir)
	watch := newFileWatch(dir)
	defer watch.close()
	put(t, dir, "plot.png", "png")
	put(t, dir, "grows.csv", "ab")
	put(t, dir, "again.bin", "54321") // only its time tells
	put(t, dir, "data/out/deep.csv", "12")
	put(t, dir, "stored.py", "code")
	put(t, dir, "__pycache__/x.pyc", "")
	put(t, dir, ".git/index", "")
	put(t, dir, "a/b/c/d.txt", "too deep")
	os.Remove(filepath.Join(dir, "gone.txt"))
	os.Rename(filepath.Join(dir, "moved.txt"), filepath.Join(dir, "here.txt"))

	made := madeFiles(before, listFiles(dir))
	want := []Made{
		{"again.bin", 5, false}, {filepath.Join("data", "out", "deep.csv"), 2, true}, {"grows.csv", 2, false},
		{"here.txt", 5, true}, {"plot.png", 3, true}, {"stored.py", 4, true},
	}
	if diff := cmp.Diff(want, newest(made)); diff != "" {
		t.Errorf("listed (-want +got)\n%s", diff)
	}
	if runtime.GOOS != "linux" {
		return
	}
	watched, ok := watch.made(before.taken)
	if diff := cmp.Diff(want, newest(watched)); diff != "" || !ok {
		t.Errorf("watched, %t (-want +got)\n%s", ok, diff)
	}
	// The next run begins where this one ended.
	begun := time.Now()
	put(t, dir, "plot.png", "again")
	put(t, dir, "tmp", "whole")
	os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, "same.txt"))
	watched, _ = watch.made(begun)
	if diff := cmp.Diff([]Made{{"plot.png", 5, false}, {"same.txt", 5, false}}, newest(watched)); diff != "" {
		t.Errorf("second run (-want +got)\n%s", diff)
	}
}

// TestManyFiles: a large directory costs no more than the limits, and no file
// that was there is called new.
func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for i := range maxFilesLooked + 2000 {
		name := filepath.Join(dir, fmt.Sprintf("f%05d", i))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	before := listFiles(dir)
	took := time.Since(begun)
	t.Logf("looked at %d entries in %s", len(before.files), took)
	if before.whole || len(before.files) > maxFilesLooked+256 {
		t.Errorf("%d files, whole=%t", len(before.files), before.whole)
	}
	for i := range 50 {
		put(t, dir, fmt.Sprintf("f%05d", i), "changed")
	}
	after := listFiles(dir)
	all := madeFiles(before, after)
	files, total := newest(all), len(all)
	if len(files) > maxFilesNamed || total > 50 {
		t.Errorf("%d of %d files", len(files), total)
	}
	for _, f := range files {
		if f.New {
			t.Errorf("%s is called new", f.Name)
		}
	}
}

// BenchmarkWatch is what a run pays for knowing its files, in an empty project and
// in one of 50,000 files.
func BenchmarkWatch(b *testing.B) {
	for _, files := range []int{0, 50_000} {
		b.Run(fmt.Sprint(files), func(b *testing.B) {
			dir := b.TempDir()
			for i := range files {
				sub := filepath.Join(dir, fmt.Sprintf("d%03d", i/100))
				if i%100 == 0 {
					os.Mkdir(sub, 0o700)
				}
				os.WriteFile(filepath.Join(sub, fmt.Sprint(i)), nil, 0o600)
			}
			var w Watcher
			defer w.Close()
			w.look(dir) // the first run of a session pays for it
			for b.Loop() {
				w.look(dir)(time.Now())
			}
		})
	}
}

// TestClosedWatcherHoldsNothing: what a closed watcher keeps does not grow with the
// files of its directory. It counts bytes.
func TestClosedWatcherHoldsNothing(t *testing.T) {
	dir := t.TempDir()
	for i := range 3000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%d.txt", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inUse := func() int64 {
		runtime.GC()
		runtime.GC() // what finalizers let go
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	none := func([]string) map[string]bool { return nil }
	var kept [10]Watcher
	before := inUse()
	for i := range kept {
		kept[i].Begin(dir, none)(nil)
		kept[i].Close()
	}
	if grown := inUse() - before; grown > 50_000 {
		t.Errorf("%d closed watchers keep %d bytes", len(kept), grown)
	}
	runtime.KeepAlive(&kept)
}
