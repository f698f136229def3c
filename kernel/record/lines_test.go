package record

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func outputs(outs ...jupyter.Output) func(func(Entry, error) bool) {
	return func(yield func(Entry, error) bool) {
		for _, out := range outs {
			if !yield(Entry{Kind: KindOutput, Output: &out}, nil) {
				return
			}
		}
	}
}

func TestSelectLines(t *testing.T) {
	stderr := stream("warn\n")
	stderr.Name = "stderr"
	result := jupyter.Output{Type: jupyter.OutputExecuteResult, Data: map[string]jupyter.Value{"text/plain": jupyter.TextValue("   a\n0  1")}}
	traceback := jupyter.Output{Type: jupyter.OutputError, Text: jupyter.TextValue("Traceback\nValueError: ſo\n")}
	log := outputs(stream("one\ntw"), stream("o\r\nthr"), stderr, stream("ee\n\n"), result,
		jupyter.Output{Type: jupyter.OutputClear}, traceback, stream("err: é\nend"))
	everything := []string{"1 stdout one", "2 stdout two", "3 stdout thr", "4 stderr warn", "5 stdout ee", "6 stdout ",
		"7 result    a", "8 result 0  1", "9 error Traceback", "10 error ValueError: ſo", "11 stdout err: é", "12 stdout end"}
	at := func(numbers ...int) (lines []string) {
		for _, n := range numbers {
			lines = append(lines, everything[n-1])
		}
		return lines
	}
	tests := map[string]struct {
		q       LineQuery
		want    []string
		matched int64
	}{
		"all":            {LineQuery{}, everything, 12},
		"range":          {LineQuery{From: 3, To: 5}, at(3, 4, 5), 3},
		"from":           {LineQuery{From: 11}, at(11, 12), 2},
		"beyond":         {LineQuery{From: 13}, nil, 0},
		"backwards":      {LineQuery{From: 5, To: 3}, nil, 0},
		"last":           {LineQuery{Last: 2}, at(11, 12), 12},
		"last of more":   {LineQuery{Last: 1 << 40}, everything, 12},
		"literal":        {LineQuery{Pattern: regexp.MustCompile("e")}, at(1, 5, 9, 10, 11, 12), 6},
		"anchored":       {LineQuery{Pattern: regexp.MustCompile("^e")}, at(5, 11, 12), 3},
		"empty line":     {LineQuery{Pattern: regexp.MustCompile("^$")}, at(6), 1},
		"fold":           {LineQuery{Pattern: regexp.MustCompile("(?i)ERR")}, at(10, 11), 2},
		"fold long s":    {LineQuery{Pattern: regexp.MustCompile("(?i)so$")}, at(10), 1},
		"alternatives":   {LineQuery{Pattern: regexp.MustCompile("warn|end|tw(o|p)")}, at(2, 4, 12), 3},
		"class":          {LineQuery{Pattern: regexp.MustCompile(`\d`)}, at(8), 1},
		"optional":       {LineQuery{Pattern: regexp.MustCompile(`(err)?: .`)}, at(10, 11), 2},
		"unicode":        {LineQuery{Pattern: regexp.MustCompile(`é`)}, at(11), 1},
		"pattern, range": {LineQuery{Pattern: regexp.MustCompile("e"), From: 2, To: 9}, at(5, 9), 2},
		"pattern, last":  {LineQuery{Pattern: regexp.MustCompile("e"), Last: 2}, at(11, 12), 6},
		"max lines":      {LineQuery{MaxLines: 2}, at(1, 2), 12},
		"max bytes":      {LineQuery{MaxBytes: 6}, at(1, 2), 12},
		"max, last":      {LineQuery{MaxBytes: 5, Last: 5}, at(12), 12},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			res, err := SelectLines(context.Background(), log, tt.q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range res.Lines {
				got = append(got, fmt.Sprintf("%d %s %s", l.Number, l.Source, l.Text))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if res.Total != 12 || res.Matched != tt.matched {
				t.Errorf("total %d, matched %d; want 12 and %d", res.Total, res.Matched, tt.matched)
			}
		})
	}
}

// TestPrefilter compares with matching each line.
func TestPrefilter(t *testing.T) {
	t.Parallel()
	words := []string{"error", "Error", "ERROR", "loss=0.5", "", "K", "kilo", "\u212ailo", "ſtart", "start", "é", "\xff", "a.b", "x\ty"}
	var text strings.Builder
	for i := range 700 {
		text.WriteString(words[i%len(words)] + words[i*7%5] + words[i*i%len(words)] + "\n")
	}
	for _, pattern := range []string{"error", "(?i)error", "error|start", "(?i)start|kilo", "(?i)k", "loss=\\d", "(error)+", "(error)*",
		"e{2,}", "x?", "\ufffd", "(?i)é", "a.b|é", "^error$", "[ab]", "\\berror\\b", "error\\nx", "(?i:err)or", "start|(?i)É", "a|b|c|d|e|f|g|h|i|j"} {
		re := regexp.MustCompile(pattern)
		want := int64(0)
		for l := range strings.SplitSeq(strings.TrimSuffix(text.String(), "\n"), "\n") {
			if re.MatchString(l) {
				want++
			}
		}
		for _, size := range []int{1 << 20, 1000, 7} {
			var outs []jupyter.Output
			for s := text.String(); s != ""; {
				n := min(size, len(s))
				outs = append(outs, stream(s[:n]))
				s = s[n:]
			}
			res, err := SelectLines(context.Background(), outputs(outs...), LineQuery{Pattern: re})
			if err != nil || res.Matched != want || res.Total != 700 {
				t.Errorf("%s in pieces of %d: %d of %d lines, %v; want %d", pattern, size, res.Matched, res.Total, err, want)
			}
		}
	}
}

func TestLongLines(t *testing.T) {
	r := newRecord(t)
	long := strings.Repeat("é", 1<<20)
	for range 3 {
		mustAppend(t, r, "a", stream(long))
	}
	mustAppend(t, r, "a", stream("\nshort\n"))
	res, err := SelectLines(context.Background(), r.Read("a", 0, -1), LineQuery{MaxLineSize: 11, Pattern: regexp.MustCompile("é+|short")})
	if err != nil {
		t.Fatal(err)
	}
	want := []Line{{1, "stdout", "ééééé", 0, 6 << 20}, {2, "stdout", "short", 0, 5}}
	if diff := cmp.Diff(want, res.Lines); diff != "" {
		t.Error(diff)
	}
}

// TestPartsOfALine: each part of a long line can be read, whatever piece of the output it
// came in.
func TestPartsOfALine(t *testing.T) {
	r := newRecord(t)
	line := strings.Repeat("0123456789", 10_000) + "needle" + strings.Repeat("é", 50_000)
	for text := "first\n" + line + "\r\nlast " + strings.Repeat("x", 70_000) + " needle\n"; text != ""; {
		n := min(len(text), 37_777)
		mustAppend(t, r, "a", stream(text[:n]))
		text = text[n:]
	}
	read := func(q LineQuery) LineResult {
		t.Helper()
		res, err := SelectLines(t.Context(), r.Read("a", 0, -1), q)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	var got strings.Builder
	for got.Len() < len(line) {
		l := read(LineQuery{From: 2, To: 2, Offset: int64(got.Len()), MaxLineSize: 30_001}).Lines[0]
		if l.Before != int64(got.Len()) || l.Text == "" || l.Size-int64(len(line)) > 1 { // 1: the "\r", while the end is not read
			t.Fatalf("at %d: %d bytes, %d before, of %d", got.Len(), len(l.Text), l.Before, l.Size)
		}
		got.WriteString(l.Text)
	}
	if got.String() != line {
		t.Error("the parts are not the line")
	}
	for _, q := range []LineQuery{{From: 2, To: 2, Offset: 1 << 40}, {From: 1, To: 1, Offset: 5}} {
		if l := read(q).Lines[0]; l.Text != "" || l.Before != l.Size {
			t.Errorf("behind its end: %+v", l)
		}
	}
	if l := read(LineQuery{From: 2, To: 2, Offset: int64(len(line) - 1)}).Lines[0]; l.Text != "" || l.Before != l.Size {
		t.Errorf("within its last rune: %+v", l)
	}
	if res := read(LineQuery{From: 1, Offset: 3}); len(res.Lines) != 3 || res.Lines[0].Text != "first" {
		t.Errorf("an offset without its line: %+v", res.Lines)
	}
	res := read(LineQuery{Pattern: regexp.MustCompile("needle")})
	if res.Matched != 0 || res.Partly != 2 {
		t.Errorf("%d match, %d were searched in part", res.Matched, res.Partly)
	}
	l := read(LineQuery{Pattern: regexp.MustCompile("st x")}).Lines[0]
	if l.Number != 3 || l.Before != 0 || len(l.Text) != 2000 {
		t.Errorf("%d, %d before, %d bytes", l.Number, l.Before, len(l.Text))
	}
	mustAppend(t, r, "a", stream(strings.Repeat("a", 5000)+"needle"+strings.Repeat("b", 5000)+"\n"))
	l = read(LineQuery{Pattern: regexp.MustCompile("needle")}).Lines[0]
	if l.Before != 4500 || !strings.HasPrefix(l.Text, strings.Repeat("a", 500)+"needleb") || len(l.Text) != 2000 {
		t.Errorf("%d before, %.600s", l.Before, l.Text)
	}
}

func TestLinesOfADamagedRecord(t *testing.T) {
	r := newRecord(t)
	mustAppend(t, r, "a", stream("first\n"+strings.Repeat("x\n", 50<<10)))
	mustAppend(t, r, "b", stream(strings.Repeat("x", 100<<10))) // so that the next has a file of its own
	mustAppend(t, r, "a", stream("then\n"+strings.Repeat("x\n", 50<<10)))
	mustAppend(t, r, "a", stream("last\n"))
	entries := all(t, r, "a", 0, -1)
	if err := os.Remove(entries[0].Output.Text.Path); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(entries[1].Output.Text.Path, 5); err != nil {
		t.Fatal(err)
	}
	res, err := SelectLines(context.Background(), r.Read("a", 0, -1), LineQuery{})
	if err != nil || len(res.Problems) != 2 || res.Total != 2 || res.Lines[1].Text != "last" {
		t.Errorf("got %+v, %v", res, err)
	}
	failed := errors.New("failed")
	_, err = SelectLines(context.Background(), func(yield func(Entry, error) bool) { yield(Entry{}, failed) }, LineQuery{})
	if !errors.Is(err, failed) {
		t.Errorf("an error that ends reading: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := SelectLines(ctx, r.Read("a", 0, -1), LineQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
