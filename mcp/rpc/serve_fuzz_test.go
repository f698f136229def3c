package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzServe feeds any bytes to a connection and wants a valid line for each
// answer, and the ping after them answered.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		toolCall(1, "echo", `{"text":"a"}`), metaCall("x", "panic", `{}`, modernMeta), cancelOf(1, "x"),
		initialize("2025-11-25", `{}`), toolCall(1, "block", `{}`) + "\n" + cancelOf(1, ""),
		`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":` + modernMeta + `}}`,
		"[]\n{}\n\x00\nnull", `{"jsonrpc":"2.0","id":"srv-1","result":{}}`, strings.Repeat("x", 5000),
		toolCall(1, "after", `{}`) + "\n" + toolCall(1, "after", `{}`),
		metaCall(1, "progress", `{"times":"3"}`, `{"progressToken":{"a":[]}}`),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		in = append(bytes.Clone(in), "\n"+`{"jsonrpc":"2.0","id":"the last ping","method":"ping"}`...)
		var out bytes.Buffer
		opts := Options{MaxLine: 4 << 10, Grace: -1, StopTimeout: 10 * time.Second}
		if err := Serve(context.Background(), newToy().MCPServer, bytes.NewReader(in), &out, opts); err != nil {
			t.Fatal(err)
		}
		answered := false
		for line := range bytes.Lines(out.Bytes()) {
			var m struct {
				JSONRPC string `json:"jsonrpc"`
				ID      any    `json:"id"`
			}
			if err := json.Unmarshal(line, &m); err != nil || m.JSONRPC != "2.0" {
				t.Errorf("wrote %q: %v", line, err)
			}
			answered = answered || m.ID == "the last ping"
		}
		if !answered {
			t.Errorf("ping unanswered; wrote %q", out.Bytes())
		}
	})
}
