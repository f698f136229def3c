package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSweep(t *testing.T) {
	now := time.Now()
	type made struct {
		name string
		age  time.Duration
		size int
		use  string // "open": its writer lives, "read": a reader has it
	}
	tests := map[string]struct {
		made   []made
		policy Policy
		want   []string
	}{
		"no limits":         {[]made{{"a", 1000 * time.Hour, 100, ""}}, Policy{}, nil},
		"old":               {[]made{{"a", 50 * time.Hour, 0, ""}, {"b", 49 * time.Hour, 0, ""}, {"c", time.Hour, 0, ""}}, Policy{MaxAge: 48 * time.Hour}, []string{"a", "b"}},
		"old but in use":    {[]made{{"a", 50 * time.Hour, 0, "open"}, {"b", 50 * time.Hour, 0, "read"}}, Policy{MaxAge: 48 * time.Hour}, nil},
		"quota":             {[]made{{"a", 3 * time.Hour, 1 << 20, ""}, {"b", 5 * time.Hour, 1 << 20, ""}, {"c", 4 * time.Hour, 1 << 20, ""}}, Policy{MaxBytes: 2 << 20}, []string{"b", "c"}},
		"quota, young last": {[]made{{"a", 23 * time.Hour, 1 << 20, ""}, {"b", 25 * time.Hour, 1 << 20, ""}, {"c", 26 * time.Hour, 1 << 20, ""}}, Policy{MaxBytes: 3 << 19}, []string{"c", "b"}},
		"quota and in use":  {[]made{{"a", 3 * time.Hour, 1 << 20, "open"}, {"b", 2 * time.Hour, 1 << 20, ""}, {"c", time.Hour, 1 << 20, ""}}, Policy{MaxBytes: 5 << 19}, []string{"b"}},
		"future":            {[]made{{"a", -5 * time.Hour, 0, ""}}, Policy{MaxAge: time.Hour}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, m := range tt.made {
				r, err := Create(dir, Info{Session: m.name}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				mustAppend(t, r, "x", stream(strings.Repeat("x", m.size)))
				if m.use != "open" {
					r.Close()
				}
				if m.use == "read" {
					reader, err := Open(r.Dir())
					if err != nil {
						t.Fatal(err)
					}
					defer reader.Close()
				}
				at := now.Add(-m.age)
				if err := os.Chtimes(filepath.Join(r.Dir(), journalName), at, at); err != nil {
					t.Fatal(err)
				}
			}
			removed, err := Sweep(dir, tt.policy)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range removed {
				got = append(got, strings.Split(filepath.Base(f.Dir), "-")[1])
				if _, err := os.Lstat(f.Dir); !os.IsNotExist(err) {
					t.Errorf("%s is still there", f.Dir)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("removed (-want +got):\n%s", diff)
			}
			left, err := Found(dir)
			if err != nil || len(left) != len(tt.made)-len(tt.want) {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

func TestSweepTouchesOnlyRecords(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write := func(path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	kept := []string{
		filepath.Join(elsewhere, "20261103T091500Z-default-5be0f1c2", journalName),
		filepath.Join(elsewhere, "precious.txt"),
		filepath.Join(dir, "project", journalName),
		filepath.Join(dir, "20261103T091500Z-default", journalName),
		filepath.Join(dir, "20261103T091500Z-default-5be0f1cX", journalName),
		filepath.Join(dir, "20261303T091500Z-default-5be0f1c2", journalName),
		filepath.Join(dir, "20261103T091500Z-default-5be0f1c3", "notes.txt"),
		filepath.Join(dir, "20261103T091500Z-default-5be0f1c4"),
	}
	for _, path := range kept {
		write(path)
	}
	mine := filepath.Join(dir, "20261103T091500Z-a-b-c-5be0f1c5")
	write(filepath.Join(mine, journalName))
	for link, target := range map[string]string{
		filepath.Join(dir, "20261103T091500Z-default-5be0f1c6"): filepath.Join(elsewhere, "20261103T091500Z-default-5be0f1c2"),
		filepath.Join(mine, filesDir):                           elsewhere,
		filepath.Join(mine, "other"):                            filepath.Join(elsewhere, "precious.txt"),
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := Sweep(dir, Policy{MaxAge: time.Minute, MaxBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(removed) != 1 || removed[0].Dir != mine || removed[0].Bytes != int64(len("precious")) {
		t.Errorf("removed %+v", removed)
	}
	for _, path := range kept {
		if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if removed, err := Sweep(filepath.Join(dir, "nowhere"), Policy{MaxBytes: 1}); err != nil || removed != nil {
		t.Errorf("a directory that is not there: %v, %v", removed, err)
	}
}
