package guard

import (
	"bytes"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// TestLimitReport: the server reads what the guard writes, whatever a process calls
// itself.
func TestLimitReport(t *testing.T) {
	for _, h := range []limits.Hit{
		{Kind: limits.Memory, Bound: 1 << 40, Kernel: true, PID: 12, Memory: 1 << 41, Name: "python3"},
		{Kind: limits.Memory, PID: 12, Name: "a b\n\"\x00\xff%s"},
		{Kind: limits.Processes, Bound: 20, Count: 400},
	} {
		var b bytes.Buffer
		(&reports{w: &b}).limit(h)
		got, ok := parseLimit(b.String())
		if got.At.IsZero() || bytes.Count(b.Bytes(), []byte("\n")) != 1 {
			t.Errorf("%q: %+v", b.String(), got)
		}
		if got.At = (time.Time{}); !ok || got != h {
			t.Errorf("%q: %+v, want %+v", b.String(), got, h)
		}
	}
}

func FuzzParseLimit(f *testing.F) {
	f.Add("limit \"memory\" 1 true 2 3 4 \"python\"\n")
	f.Fuzz(func(t *testing.T, line string) { parseLimit(line) })
}
