//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPredecessor replays a conversation with the program this one succeeds,
// with its nine tools and exactly its arguments: each call is accepted, and
// where it answered with JSON its keys are there.
func TestPredecessor(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "mcp", "predecessor.json"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []struct {
		Call      string
		Arguments json.RawMessage
		Keys      []string // "a.b" is the key b of a
		Text      string   // a part of the answer, of tools that answer with text
		Save      string   // the name by which later steps use the answer's file_path
	}
	if err := json.Unmarshal(b, &steps); err != nil {
		t.Fatal(err)
	}
	home, _ := condaHome(t)
	venv, settings := makeEnv(t, "venv")
	uv, _ := makeEnv(t, "venv-uv")
	p := launch(t, append(append(settings, wheels(t)...), "HOME="+home, "UV="+testUV(t))...)
	words := []string{"{storage}", p.storage, "{venv}", venv, "{uv}", uv}
	seen := map[string]bool{}
	for i, step := range steps {
		fill := strings.NewReplacer(words...)
		name := fmt.Sprintf("step %d, %s %s", i+1, step.Call, step.Arguments)
		var ask args
		if step.Arguments != nil {
			if err := json.Unmarshal([]byte(fill.Replace(string(step.Arguments))), &ask); err != nil {
				t.Fatal(err)
			}
		}
		seen[step.Call] = true
		r := p.call(step.Call, ask)
		if r.IsError || !strings.Contains(r.text(), fill.Replace(step.Text)) || strings.Contains(r.text(), "ignored unknown argument") {
			t.Fatalf("%s:\n%s", name, r.text())
		}
		if step.Keys == nil {
			continue
		}
		o := r.object(t)
		if o["status"] != "success" {
			t.Errorf("%s: %v", name, o)
		}
		for _, key := range step.Keys {
			if !hasKey(o, key) {
				t.Errorf("%s: no %s in %s", name, key, r.text())
			}
		}
		if step.Save != "" {
			words = append(words, "{"+step.Save+"}", fmt.Sprint(o["file_path"]))
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d tools of nine were called", len(seen))
	}
}

func hasKey(o map[string]any, path string) bool {
	for {
		first, rest, more := strings.Cut(path, ".")
		value, ok := o[first]
		if !ok || !more {
			return ok
		}
		if o, ok = value.(map[string]any); !ok {
			return false
		}
		path = rest
	}
}
