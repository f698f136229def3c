package mcp

import "testing"

// TestWithArgv: the statement before a file's code changes nothing of what the file says,
// nor where it can be helped of its line numbers.
func TestWithArgv(t *testing.T) {
	const set = `import sys; sys.argv = ["a"]`
	for code, want := range map[string]string{
		"print(1)\nx":                  set + "; print(1)\nx",
		"\"\"\"What it does.\"\"\"\nx": set + "; \"\"\"What it does.\"\"\"\nx",
		"#!/usr/bin/python\nif x:\n":   set + "\nif x:\n",
		"\ndef f(): pass\n":            set + "\ndef f(): pass\n",
		"iffy = 1\n":                   set + "; iffy = 1\n",
		"if x:\n    y\n":               set + "\nif x:\n    y\n",
		"@cached\ndef f(): pass\n":     set + "\n@cached\ndef f(): pass\n",
		"%matplotlib inline\n":         set + "\n%matplotlib inline\n",
		"try:\n    f()\nfinally: g()":  set + "\ntry:\n    f()\nfinally: g()",
		"# a comment":                  set + "; # a comment",
		"":                             set + "; ",
	} {
		got, below := withArgv(code, `["a"]`)
		if moved := got == set+"\n"+code && code != "\ndef f(): pass\n"; got != want || below != moved {
			t.Errorf("%q: %q, below %t; want %q", code, got, below, want)
		}
	}
}
