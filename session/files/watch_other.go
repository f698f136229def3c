//go:build !linux

package files

import "time"

// fileWatch is there on Linux only: elsewhere directories are listed.
type fileWatch struct{ dir string }

func newFileWatch(string) *fileWatch { return nil }

func (*fileWatch) close() {}

func (*fileWatch) drain() (map[string]bool, bool) { return nil, false }

func (*fileWatch) made(time.Time) ([]madeFile, bool) { return nil, false }
