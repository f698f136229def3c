package flock_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	one, two := open(), open()
	for _, test := range []struct {
		name          string
		first, second bool // exclusive
		held          bool
	}{
		{"both alone", true, true, true},
		{"shared after alone", true, false, true},
		{"alone after shared", false, true, true},
		{"both shared", false, false, false},
	} {
		if err := flock.Try(one.Fd(), test.first); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		err := flock.Try(two.Fd(), test.second)
		if flock.Held(err) != test.held || (err == nil) == test.held || flock.Unsupported(err) {
			t.Errorf("%s: %v", test.name, err)
		}
		flock.Unlock(one.Fd())
		flock.Unlock(two.Fd())
	}
	if err := flock.Try(one.Fd(), true); err != nil {
		t.Fatal(err)
	}
	one.Close()
	if err := flock.Try(two.Fd(), true); err != nil {
		t.Errorf("after the holder's end: %v", err)
	}
	two.Close()
	if err := flock.Try(two.Fd(), true); err == nil || flock.Held(err) || flock.Unsupported(err) {
		t.Errorf("a closed file: %v", err)
	}
}

func TestUnsupported(t *testing.T) {
	if flock.Unsupported(nil) || flock.Held(nil) || flock.Unsupported(errors.New("x")) || flock.Held(syscall.ENOENT) {
		t.Error("it says more than the error does")
	}
}
