package main

import (
	"regexp"
	"strings"
	"sync"
	"testing"
)

// confinement is a sandbox around the kernels of a test's servers: settings for it, and
// a program that starts the server, or "".
type confinement struct {
	python   string // of the kernels
	settings []string
	under    string
}

// confinements holds the one of each test of TestMatrixConfined, by name.
var confinements sync.Map

// confinementOf is the sandbox of this test's kernels, nil for none.
func confinementOf(t testing.TB) *confinement {
	parts := strings.Split(t.Name(), "/")
	if len(parts) < 2 {
		return nil
	}
	c, ok := confinements.Load(parts[0] + "/" + parts[1])
	if !ok {
		return nil
	}
	return c.(*confinement)
}

// withoutSandbox is an answer without the note that says what the sandbox stops.
func withoutSandbox(r result) result {
	for i := range r.Content {
		r.Content[i].Text = sandboxNote.ReplaceAllString(r.Content[i].Text, "")
	}
	return r
}

var sandboxNote = regexp.MustCompile(`(?m)^\[note: sandbox .*\]\n`)
