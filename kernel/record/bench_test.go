package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func BenchmarkAppendSmall(b *testing.B) {
	r := newRecord(b)
	out := stream("epoch 3: loss=0.1234 accuracy=0.9876\n")
	b.ReportAllocs()
	for b.Loop() {
		mustAppend(b, r, "ab12-3", out)
	}
}

func BenchmarkAppendBig(b *testing.B) {
	// Records of 64 MiB, removed as they fill: the disk is not what is measured.
	piece := bytes.Repeat([]byte("0123456789abcde\n"), 64<<10)
	out := jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: jupyter.InlineValue(piece)}
	r := newRecord(b)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%64 == 0 {
			b.StopTimer()
			r.Remove()
			r = newRecord(b)
			b.StartTimer()
		}
		mustAppend(b, r, "ab12-3", out)
	}
}

// BenchmarkExecution is what the record of a run with one line of output takes, without
// the sync, for which nobody waits.
func BenchmarkExecution(b *testing.B) {
	r := newRecord(b)
	for b.Loop() {
		if _, err := r.Begin("ab12-3", Begin{Code: "print(df.head())"}); err != nil {
			b.Fatal(err)
		}
		mustAppend(b, r, "ab12-3", stream("epoch 3: loss=0.1234 accuracy=0.9876\n"))
		if _, err := r.End("ab12-3", End{Outcome: "ok", ExecutionCount: 3}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGigabyte writes and syncs 1 GiB of output, in pieces as our kernels send ASCII,
// and the same bytes into one file, each first in turn: the share of the disk's speed, by the
// fastest of each, is to be at least 0.5.
func BenchmarkGigabyte(b *testing.B) {
	piece := bytes.Repeat([]byte("0123456789abcde\n"), 510_000/16)
	const pieces = 1 << 30 / 510_000
	out := jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: jupyter.InlineValue(piece)}
	plain := func() time.Duration {
		begun := time.Now()
		f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
		for range pieces {
			if err == nil {
				_, err = f.Write(piece)
			}
		}
		err = errors.Join(err, f.Close(), toDisk(f.Name()))
		took := time.Since(begun)
		if err = errors.Join(err, os.Remove(f.Name())); err != nil {
			b.Fatal(err)
		}
		return took
	}
	recorded := func() time.Duration {
		begun := time.Now()
		r := newRecord(b)
		for range pieces {
			mustAppend(b, r, "ab12-3", out)
		}
		err := errors.Join(r.Sync(), toDisk(r.Dir()))
		took := time.Since(begun)
		if err = errors.Join(err, r.Remove()); err != nil {
			b.Fatal(err)
		}
		return took
	}
	disk := plain()
	ours := recorded()
	for b.Loop() {
		ours = min(ours, recorded())
		disk = min(disk, plain())
		disk = min(disk, plain())
		ours = min(ours, recorded())
	}
	b.SetBytes(4 * pieces * int64(len(piece)))
	b.ReportMetric(float64(disk)/float64(ours), "of-disk")
}

// toDisk brings all that was written to a file system to its disk: values in files, which
// Sync leaves to the system, too.
func toDisk(path string) error {
	if exec.Command("sync", "-f", path).Run() == nil {
		return nil
	}
	return exec.Command("sync").Run()
}

func BenchmarkRead(b *testing.B) {
	r := newRecord(b)
	const n = 20_000
	for i := range n {
		mustAppend(b, r, fmt.Sprintf("ab12-%d", i%10), stream(fmt.Sprintf("epoch %d: loss=0.1234 accuracy=0.9876\n", i)))
	}
	for name, id := range map[string]string{"all": "", "one of ten": "ab12-3"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(r.Tail()))
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range r.Read(id, 0, -1) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkLines(b *testing.B) {
	r := newRecord(b)
	var piece bytes.Buffer
	for i := 0; piece.Len() < 1<<20-60; i++ {
		fmt.Fprintf(&piece, "%06d epoch: loss=0.1234 accuracy=0.9876\n", i)
	}
	const pieces = 200
	for range pieces {
		mustAppend(b, r, "a", jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: jupyter.InlineValue(piece.Bytes())})
	}
	mustAppend(b, r, "a", stream("ValueError: here\n"))
	for name, q := range map[string]LineQuery{
		"range":        {From: 3_000_000, To: 3_000_100},
		"last":         {Last: 100},
		"literal":      {Pattern: regexp.MustCompile("ValueError")},
		"fold":         {Pattern: regexp.MustCompile("(?i)valueerror|warning")},
		"many matches": {Pattern: regexp.MustCompile(`epoch: loss=\d`)},
		"no literal":   {Pattern: regexp.MustCompile(`\d{7}`)},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(pieces * piece.Len()))
			b.ReportAllocs()
			for b.Loop() {
				res, err := SelectLines(context.Background(), r.Read("a", 0, -1), q)
				if err != nil || len(res.Lines) == 0 && name != "no literal" {
					b.Fatal(len(res.Lines), err)
				}
			}
		})
	}
}
