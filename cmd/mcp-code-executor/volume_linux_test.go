package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

var cutLine = regexp.MustCompile(`(?m)^\[cut: ([\d,]+) characters \(([\d,]+) lines\)`)

// TestMatrixVolume: what one run prints, however much, is all in the record and
// counted, while the server's memory stays within 64 MB and it answers pings.
// MCE_TEST_LONG=1 takes the full sizes.
func TestMatrixVolume(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	lines, flushed := 40_000, 4_000
	if os.Getenv("MCE_TEST_LONG") != "" {
		lines, flushed = 1<<30/128, 100_000
	}
	for _, c := range []struct {
		name, code string
		lines      int
		width      int // of a line, its newline included
	}{
		{"lines", fmt.Sprintf("for i in range(%d): print(f'{i:0127d}')", lines), lines, 128},
		{"flushed", fmt.Sprintf("for i in range(%d): print(f'{i:09d}', flush=True)", flushed), flushed, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := launch(t, append(inVenv(t), "RECORD_LIMIT=none")...)
			p.run("1")
			idle, _ := memory(t, p.cmd.Process.Pid)
			clearPeak(t, p.cmd.Process.Pid)
			begun := time.Now()
			_, answer := p.begin("execute_code", args{"code": c.code, "wait_seconds": 1000})
			pings := 0
			var r result
			for deadline := time.After(15 * time.Minute); r.Content == nil; {
				p.request("ping", nil)
				pings++
				select {
				case got := <-answer:
					r = got.Result
				case <-deadline:
					t.Fatal("no answer")
				case <-time.After(10 * time.Millisecond):
				}
			}
			took := time.Since(begun)
			_, peak := memory(t, p.cmd.Process.Pid)
			t.Logf("%d bytes in %.1f s; memory idle %d MB, peak +%.1f MB", c.lines*c.width, took.Seconds(), idle>>20, float64(peak-idle)/1e6)
			text := r.text()
			if !strings.HasPrefix(text, "[ok | ") {
				t.Fatalf("%.500s", text)
			}
			if peak-idle > 64<<20 {
				t.Errorf("memory grew by %d MB", (peak-idle)>>20)
			}
			if pings < 10 {
				t.Errorf("%d pings answered meanwhile", pings)
			}
			// Every character is shown or counted.
			cut := cutLine.FindStringSubmatch(text)
			if cut == nil {
				t.Fatalf("no cut line in %.300s", text)
			}
			gone, _ := strconv.Atoi(strings.ReplaceAll(cut[1], ",", ""))
			shown := utf8.RuneCountInString(regexp.MustCompile(`(?m)^\[.*\n?`).ReplaceAllString(text, ""))
			if total := c.lines * c.width; gone+shown < total-2 || gone+shown > total {
				t.Errorf("%d cut and %d shown of %d characters", gone, shown, total)
			}
			if last := fmt.Sprintf("%0*d", c.width-1, c.lines-1); !strings.HasSuffix(strings.TrimSpace(text), last) {
				t.Errorf("the last line is missing: …%s", text[max(0, len(text)-300):])
			}
			middle := c.lines / 2
			r = p.call("get_execution", args{"id": r.field("id"), "lines": fmt.Sprintf("%d-%d", middle, middle)})
			if want := fmt.Sprintf("%0*d", c.width-1, middle-1); !strings.Contains(r.text(), want) || !strings.Contains(r.text(), " in the log") {
				t.Errorf("line %d: %.500s", middle, r.text())
			}
			if kept := recordBytes(t, p.home); kept < int64(c.lines*c.width) {
				t.Errorf("the record holds %d bytes of %d", kept, c.lines*c.width)
			}
		})
	}
}

// TestRecordLimit: of a run over RECORD_LIMIT its beginning and its end are shown, and
// what is between them is said to be gone; a cursor of before is good after it.
func TestRecordLimit(t *testing.T) {
	t.Parallel()
	p := launch(t, append(inVenv(t), "RECORD_LIMIT=1MiB")...)
	const lines = 300_000 // of 128 bytes
	r := p.call("execute_code", args{"code": fmt.Sprintf("for i in range(%d): print(f'{i:0127d}')\ninput('more?')", lines), "wait_seconds": 120})
	id, cursor := r.field("id"), r.field("cursor")
	const begun = "[notice] this run has put out more than 1 MiB (RECORD_LIMIT): of what follows the last 16 MiB are kept, and shown when it has ended"
	if !strings.HasPrefix(r.text(), "[waiting for input | ") || !strings.Contains(r.text(), begun) {
		t.Errorf("%s", r.text())
	}
	p.call("send_input", args{"id": id, "text": "no"})
	r = p.call("get_execution", args{"id": id, "since": cursor})
	last := fmt.Sprintf("%0127d", lines-1)
	if !strings.HasPrefix(r.text(), "[ok | ") || strings.Contains(r.text(), begun) || !strings.Contains(r.text(), " are not kept: this run has put out more than 1 MiB (RECORD_LIMIT); its last ") || !strings.Contains(r.text(), last) {
		t.Errorf("%s", r.text())
	}
	r = p.call("get_execution", args{"id": id, "pattern": "^0+(5|299998)$"})
	if !strings.Contains(r.text(), fmt.Sprintf("%0127d", 5)) || !strings.Contains(r.text(), fmt.Sprintf("%0127d", 299998)) {
		t.Errorf("%s", r.text())
	}
	if kept := recordBytes(t, p.home); kept > 20<<20 {
		t.Errorf("the record holds %d bytes", kept)
	}
}

// TestRecordOnAFullDisk: while the disk of the records is full each answer says so and
// still has its output; when there is space again the record goes on, with what was
// printed meanwhile.
func TestRecordOnAFullDisk(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	p := launchMounted(t, "mount -t tmpfs -o size=1m none "+state, append(inVenv(t), "XDG_STATE_HOME="+state)...)
	const warning = "[warning: the record of this kernel's runs cannot be written for want of space ("
	fill := fmt.Sprintf("import glob, os, time\nwith open('%s/filler', 'wb', buffering=0) as f:\n    try:\n        while True: f.write(bytes(4096))\n    except OSError as e: print(e.strerror)", state)
	r := p.run(fill)
	if !strings.Contains(r.text(), "No space left on device") {
		t.Fatalf("%s", r.text())
	}
	warned := strings.Count(r.text(), warning)
	for i := range 3 { // the last page of a file has room for a while
		if r := p.run(fmt.Sprintf("print('meanwhile-%d ' * 1000)", i)); !strings.Contains(r.text(), fmt.Sprintf("meanwhile-%d ", i)) {
			t.Errorf("%.500s", r.text())
		} else if warned += strings.Count(r.text(), warning); warned != 1 || i > 0 && !strings.Contains(r.text(), "[warning: the record of this kernel's runs still cannot be written]") {
			t.Errorf("warned %d times at length: %.500s", warned, r.text())
		}
	}
	p.run(fmt.Sprintf("os.remove('%s/filler'); time.sleep(1.2)", state))
	if r := p.run("print('again')"); strings.Contains(r.text(), warning) {
		t.Errorf("with space: %s", r.text())
	}
	r = p.run(fmt.Sprintf("text = open(glob.glob('%s/mcp-code-executor/records/*/record.jsonl')[0]).read()\nprint([word in text for word in ('meanwhile-0 ', 'meanwhile-1 ', 'meanwhile-2 ', 'again')])", state))
	if !strings.Contains(r.text(), "[True, True, True, True]") {
		t.Errorf("%s", r.text())
	}
}

// TestRecordRemoved: when the state directory is removed while a kernel runs, the next
// answer says so, and what helps; an export says it too, and a restart does help.
func TestRecordRemoved(t *testing.T) {
	t.Parallel()
	p := launch(t, inVenv(t)...)
	p.run("kept = 1")
	if err := os.RemoveAll(filepath.Join(p.home, ".local", "state", "mcp-code-executor")); err != nil {
		t.Fatal(err)
	}
	const warning = "[warning: the record of this kernel's runs has been removed from the disk ("
	if r := p.run("print(kept)"); !strings.Contains(r.text(), warning) || !strings.Contains(r.text(), "stop_session with restart: true") || !strings.Contains(r.text(), "\n1") {
		t.Errorf("%s", r.text())
	}
	if r := p.run("print(kept + 1)"); strings.Contains(r.text(), warning) || !strings.Contains(r.text(), "still cannot be written]") || !strings.Contains(r.text(), "\n2") {
		t.Errorf("again: %s", r.text())
	}
	if r := p.call("export_session", nil); !strings.Contains(r.text(), "has been removed from the disk. What runs in a new kernel is recorded again") {
		t.Errorf("export: %s", r.text())
	}
	p.call("stop_session", args{"restart": true})
	p.run("print('recorded')")
	if r := p.call("export_session", nil); !strings.HasPrefix(r.text(), "[ok | ") {
		t.Errorf("export after a restart: %s", r.text())
	}
}

// recordBytes is the size of all records below a home.
func recordBytes(t *testing.T, home string) (n int64) {
	t.Helper()
	filepath.WalkDir(filepath.Join(home, ".local", "state", "mcp-code-executor", "records"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
