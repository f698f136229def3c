package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recordNames are the records below a home.
func recordNames(t *testing.T, home string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(home, ".local", "state", "mcp-code-executor", "records"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// findText tells the files below dir that hold text.
func findText(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), text) {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestHistoryOff: with HISTORY=off, or a word that nobody knows, a run's output can be
// read while the server is there, and nothing of it is left on disk afterwards, nor what
// it has imported. `history --delete --all` removes that, too.
func TestHistoryOff(t *testing.T) {
	t.Parallel()
	const secret = "a-word-that-is-nowhere-else"
	for history, on := range map[string]bool{"off": false, "perhaps": false, "on": true} {
		t.Run(history, func(t *testing.T) {
			temporary := t.TempDir()
			p := launch(t, append(inVenv(t), "HISTORY="+history, "SPARE_KERNEL=on", "TMPDIR="+temporary, "XDG_RUNTIME_DIR="+temporary)...)
			r := p.run("import sys, types; sys.modules['polars'] = types.ModuleType('polars'); print('\\n'.join(f'{i} a-word-that-is-' + 'nowhere-else' for i in range(20_000)))")
			r = p.call("get_execution", args{"id": r.field("id"), "lines": "10000-10001"})
			if !strings.Contains(r.text(), "10000 "+secret) {
				t.Errorf("%.500s", r.text())
			}
			p.run("1") // what the first has imported is known by now
			p.stdin.Close()
			p.wait(30 * time.Second)
			imports := filepath.Join(p.home, ".local", "state", "mcp-code-executor", "imports")
			if kept := len(findText(t, imports, `"polars"`)) > 0; kept != on {
				t.Errorf("that polars was imported is kept: %t", kept)
			}
			found := append(findText(t, p.home, secret), findText(t, temporary, secret)...)
			if kept := len(found) > 0; kept != on {
				t.Errorf("the output is in %q", found)
			}
			if names := recordNames(t, p.home); (len(names) > 0) != on {
				t.Errorf("records: %q", names)
			}
			if left, _ := filepath.Glob(filepath.Join(temporary, "*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			getenv := func(name string) string { return map[string]string{"HOME": p.home}[name] }
			if status, out, errs := commandLineIn(t, getenv, "history", "--delete", "--all"); status != 0 {
				t.Errorf("history --delete --all: %d %s%s", status, out, errs)
			}
			if _, err := os.Stat(imports); !os.IsNotExist(err) {
				t.Errorf("after history --delete --all: %v", err)
			}
		})
	}
}

// TestOldRecords: a record nobody has written for a month is removed beside the
// first start of a kernel; what is no record, and newer ones, stay.
func TestOldRecords(t *testing.T) {
	t.Parallel()
	p := start(t, inVenv(t)...)
	records := filepath.Join(p.home, ".local", "state", "mcp-code-executor", "records")
	for name, age := range map[string]time.Duration{
		"20240101T000000Z-default-0123abcd": 31 * 24 * time.Hour,
		"20240102T000000Z-default-0123abcd": 29 * 24 * time.Hour,
		"a-person-s-notes":                  99 * 24 * time.Hour,
	} {
		journal := filepath.Join(records, name, "record.jsonl")
		if err := os.MkdirAll(filepath.Dir(journal), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(journal, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(journal, then, then); err != nil {
			t.Fatal(err)
		}
	}
	p.request("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "test", "version": "1"}})
	p.notify("notifications/initialized", nil)
	if got := len(recordNames(t, p.home)); got != 3 {
		t.Errorf("before a kernel: %d records", got)
	}
	p.run("1")
	deadline := time.Now().Add(20 * time.Second)
	for {
		names := fmt.Sprint(recordNames(t, p.home))
		if !strings.Contains(names, "20240101") {
			if !strings.Contains(names, "20240102") || !strings.Contains(names, "notes") {
				t.Errorf("removed too much: %s", names)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the old record is still there: %s", names)
		}
		time.Sleep(20 * time.Millisecond) // polls what a goroutine of another process does
	}
}
