package launch

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestUnsent reads what mce_launch/unsent.py writes.
func TestUnsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "unsent")
	if err := MakeUnsent(path); err != nil {
		t.Fatal(err)
	}
	const script = `
import os, sys
from mce_launch import unsent
memory = unsent.open_file(sys.argv[1])
out, err = (unsent.Unsent(memory, i) for i in (0, 1))
for text in ("first ", "second\n", "\u00e4\ud800\U0001f40d"):
    out.add(text)
for i in range(30000):
    err.add("%d," % i)
err.add("\u20ac" * 100000 + "end")
for stream, texts in (out, (b"taken, once", b"read")), (err, (b"", b"all of it is taken")):
    for text in texts:
        r, w = os.pipe()
        os.write(w, text)
        os.close(w)
        read = stream.read(r)
        assert read == text, read
        if text != b"read":
            stream.add("", True)
`
	cmd := exec.Command(pythons(t)[0], "-c", script, path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	errTotal := int64(100_003)
	for i := range 30000 {
		errTotal += int64(len(strconv.Itoa(i)) + 1)
	}
	for _, tt := range []struct {
		stream         int
		seen           int64
		text           string
		total, missing int64
	}{
		{1, 0, "first second\n\u00e4?\U0001f40d", 16, 0},
		{1, 6, "second\n\u00e4?\U0001f40d", 16, 0},
		{1, 15, "\U0001f40d", 16, 0},
		{1, 16, "", 16, 0},
		{1, 99, "", 16, 0},
		{2, errTotal - 4, "\u20acend", errTotal, 0},
		{2, errTotal - 100_003, strings.Repeat("\u20ac", (unsentRoom-3)/3) + "end", errTotal, 100_003 - 3 - (unsentRoom-3)/3},
	} {
		u, err := ReadUnsent(path)
		if err != nil {
			t.Fatal(err)
		}
		text, total, missing := u.After(tt.stream, tt.seen)
		if text != tt.text || total != tt.total || missing != tt.missing {
			t.Errorf("stream %d after %d: %.40q (%d characters), %d in all, %d missing; want %.40q (%d), %d, %d",
				tt.stream, tt.seen, text, utf8.RuneCountInString(text), total, missing, tt.text, utf8.RuneCountInString(tt.text), tt.total, tt.missing)
		}
	}
	u, err := ReadUnsent(path)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := u.Landed(1), u.Landed(2); string(out) != "read" || len(err) != 0 {
		t.Errorf("read and not taken: %q and %q", out, err)
	}
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadUnsent(path); err == nil {
		t.Error("a file that is too short: no error")
	}
}

func FuzzUnsent(f *testing.F) {
	f.Add([]byte("text"), uint64(4<<20|4), int64(0))
	f.Add([]byte{0xff, 0xc3}, uint64(1<<63|1<<15), int64(-1))
	f.Add([]byte("\u20ac"), uint64(70000<<20|unsentRoom), int64(5))
	f.Add([]byte("\u20ac"), uint64(70000<<20|unsentRoom+1), int64(5))
	f.Fuzz(func(t *testing.T, ring []byte, head uint64, seen int64) {
		part := make(Unsent, 2*unsentSize)
		binary.NativeEndian.PutUint64(part, head)
		copy(part[unsentHead:], ring)
		part.Landed(1)
		text, all, missing := part.After(1, seen)
		if !utf8.ValidString(text) || len(text) > 3*unsentRoom || all < 0 || missing < 0 {
			t.Errorf("%d bytes of text, %d in all, %d missing", len(text), all, missing)
		}
	})
}

func TestTextOf(t *testing.T) {
	for _, tt := range []struct {
		metadata string
		want     Text
		ok       bool
	}{
		{`{"mce_text": [0, 0, 5]}`, Text{1, 0, 5}, true},
		{`{"a": 1, "mce_text": [1, 7, 7]}`, Text{2, 7, 7}, true},
		{`{}`, Text{}, false},
		{``, Text{}, false},
		{`{"mce_text": [2, 0, 5]}`, Text{3, 0, 5}, false},
		{`{"mce_text": [0, 5, 4]}`, Text{1, 5, 4}, false},
		{`{"mce_text": [0, -5, 4]}`, Text{1, -5, 4}, false},
		{`{"mce_text": "x"}`, Text{}, false},
	} {
		if got, ok := TextOf(json.RawMessage(tt.metadata)); got != tt.want || ok != tt.ok {
			t.Errorf("TextOf(%s) = %+v, %t; want %+v, %t", tt.metadata, got, ok, tt.want, tt.ok)
		}
	}
}
