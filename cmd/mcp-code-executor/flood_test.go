//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// memory returns a process's resident memory in bytes, and the highest it was
// since clearPeak.
func memory(t *testing.T, pid int) (now, peak int64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) int64 {
		_, rest, _ := strings.Cut(string(b), name+":")
		kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return kb << 10
	}
	return field("VmRSS"), field("VmHWM")
}

func clearPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// TestFlood: 100 MB, in one print and in many, give an answer of at most
// 30,000 characters with head, tail and the cut stated; the whole is in the
// record, and the server's memory stays where it was.
func TestFlood(t *testing.T) {
	t.Parallel()
	flood(t, 100_000_000, 1600)
}

func TestMatrixFlood(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	flood(t, 200_000_000, 400)
}

// flood prints so many bytes, at once and in lines of that width.
func flood(t *testing.T, size, width int) {
	last := size/width - 1
	for name, code := range map[string]string{
		"one print": fmt.Sprintf("print('start' + 'x' * %d + 'finis')", size-11),
		"many":      fmt.Sprintf("for i in range(%d): print(f'{i:0%dd}')", last+1, width-1),
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, inVenv(t)...)
			p.run("1")
			idle, _ := memory(t, p.cmd.Process.Pid)
			clearPeak(t, p.cmd.Process.Pid)
			r := p.call("execute_code", args{"code": code, "wait_seconds": 110})
			_, peak := memory(t, p.cmd.Process.Pid)
			text := r.text()
			if !strings.HasPrefix(text, "[ok | ") {
				t.Fatalf("%.500s", text)
			}
			if n := utf8.RuneCountInString(text); n > 30_000 {
				t.Errorf("the answer has %d characters", n)
			}
			for _, part := range map[string][]string{
				"one print": {"\nstartxxx", "xxxfinis", "[cut"},
				"many":      {"\n" + strings.Repeat("0", width-1) + "\n", fmt.Sprintf("%0*d", width-1, last), "[cut"},
			}[name] {
				if !strings.Contains(text, part) {
					t.Errorf("%.20q… is missing in:\n%.1000s …", part, text)
				}
			}
			t.Logf("memory: idle %d MB, peak %d MB", idle>>20, peak>>20)
			if peak-idle > 64<<20 {
				t.Errorf("memory grew by %d MB", (peak-idle)>>20)
			}
			// Every byte is in the record: large outputs in files beside it, small
			// ones, which a busy machine sends more of, in the log.
			var kept int64
			filepath.WalkDir(filepath.Join(p.home, ".local", "state", "mcp-code-executor", "records"), func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					info, err := d.Info()
					if err != nil {
						t.Fatal(err)
					}
					kept += info.Size()
				}
				return nil
			})
			if kept < int64(size)-1<<20 {
				t.Errorf("the record's files hold %d of %d bytes", kept, size)
			}
		})
	}
}

// TestStdoutIsOurs: whatever code writes to its fd 1 comes back as output; the
// server's stdout carries JSON-RPC only (read checks every line).
func TestStdoutIsOurs(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	r := p.run("import os, subprocess\nos.write(1, b'raw\\n')\nsubprocess.run(['echo', 'child'])\nos.system('echo shell >&2')\nprint('print')")
	for _, part := range []string{"raw\n", "child\n", "shell", "print"} {
		if !strings.Contains(r.text(), part) {
			t.Errorf("%q is missing in:\n%s", part, r.text())
		}
	}
	p.run("import sys; sys.stdin.read()")
}
