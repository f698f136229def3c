package kernel

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/share"
)

// TestWhole: characters that the guard's reads have cut are put together again.
func TestWhole(t *testing.T) {
	const text = "a\u00e4\u20ac\U0001f40db"
	for cut := range len(text) + 1 {
		var s outsideStream
		got := string(s.whole([]byte(text[:cut]))) + string(s.whole([]byte(text[cut:])))
		if got != text || len(s.part) != 0 {
			t.Errorf("cut at %d: %q, left %q", cut, got, s.part)
		}
	}
	var s outsideStream
	var all strings.Builder
	for i := range len(text) {
		all.Write(s.whole([]byte{text[i]}))
	}
	if all.String() != text {
		t.Errorf("byte by byte: %q", all.String())
	}
	if got := string(s.whole([]byte("\xff\xfe.\xe2\x82"))) + string(s.part); got != "\ufffd.\xe2\x82" {
		t.Errorf("no UTF-8: %q", got)
	}
}

func TestWithout(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int64
		want string
	}{{"a\u00e4b", 0, "a\u00e4b"}, {"a\u00e4b", 2, "b"}, {"ab", 5, ""}, {"\xff\xfeb", 2, "b"}} {
		if got := string(without([]byte(tt.text), tt.n)); got != tt.want {
			t.Errorf("without(%q, %d) = %q", tt.text, tt.n, got)
		}
	}
}

// TestLost: of a shared kernel's output what has not come is lost, and nothing else is,
// however threads print across each other.
func TestLost(t *testing.T) {
	const known = `{"mce_text":[0,%d,%d]}`
	at := func(from, to int, text string) [2]string { return [2]string{fmt.Sprintf(known, from, to), text} }
	unknown := func(text string) [2]string { return [2]string{"{}", text} }
	for _, test := range []struct {
		name   string
		before [][2]string // has come when the run begins
		begun  int64       // was taken when it begins
		come   [][2]string
		taken  int64
		lost   int64
	}{
		{"nothing", nil, 0, nil, 0, 0},
		{"all", nil, 0, [][2]string{at(0, 3, "abc"), at(3, 5, "de")}, 5, 0},
		{"the middle", nil, 0, [][2]string{at(0, 3, "abc"), at(8, 9, "z")}, 9, 5},
		{"the end", nil, 0, [][2]string{at(0, 3, "abc")}, 9, 6},
		{"of the start", nil, 40, [][2]string{at(40, 43, "abc")}, 43, 0},
		{"of somebody else's", [][2]string{at(0, 3, "abc")}, 40, [][2]string{at(40, 43, "abc")}, 43, 0},
		{"on its way", [][2]string{at(0, 3, "abc")}, 5, [][2]string{at(3, 5, "de"), at(5, 6, "f")}, 6, 0},
		{"threads", nil, 0, [][2]string{unknown("a\u00e4\U0001f40d"), at(3, 4, "b"), at(7, 7, "xyz")}, 7, 0},
	} {
		k := newKernel(Spec{Share: share.Offer{KernelName: "python3"}}, slog.New(slog.DiscardHandler))
		arrive := func(all [][2]string) {
			for _, m := range all {
				content, _ := json.Marshal(map[string]string{"name": "stdout", "text": m[1]})
				k.arrived(&jupyter.Message{Header: jupyter.Header{MsgType: jupyter.MsgStream}, Metadata: json.RawMessage(m[0]), Content: content})
			}
		}
		arrive(test.before)
		s := &k.outside.stream[1]
		s.begun, s.late = test.begun, test.begun-s.come
		arrive(test.come)
		if got := s.lost(test.taken); got != test.lost {
			t.Errorf("%s: %d lost, want %d", test.name, got, test.lost)
		}
	}
}

// TestBehind: code that another client's overtook on the way to the kernel waits for it
// there, and is not said to run.
func TestBehind(t *testing.T) {
	k := newKernel(Spec{}, slog.New(slog.DiscardHandler))
	k.others, k.codec = &share.Others{}, jupyter.NewCodec(nil, "ours", "user")
	e := &Execution{mu: k.mu, kernel: k, started: time.Now()}
	k.executions["ours"] = e
	arrives := func(parent, msgType, content string) {
		k.route(jupyter.IOPub, &jupyter.Message{
			Header:       jupyter.Header{MsgType: msgType},
			ParentHeader: jupyter.Header{MsgID: parent, MsgType: jupyter.MsgExecuteRequest, Session: "theirs"},
			Content:      json.RawMessage(content),
		})
	}
	if waited := e.Waited(); waited != 0 {
		t.Errorf("nothing of others runs, and it waits: %s", waited)
	}
	for i, step := range []struct{ parent, msgType, content, want string }{
		{"theirs", jupyter.MsgStatus, `{"execution_state":"busy"}`, "another client's code runs"},
		{"theirs", jupyter.MsgExecuteInput, `{"code":"1","execution_count":4}`, "another client's In[4] runs"},
		{"theirs", jupyter.MsgStatus, `{"execution_state":"idle"}`, ""},
		{"more", jupyter.MsgStatus, `{"execution_state":"busy"}`, "another client's code runs"},
		{"ours", jupyter.MsgStatus, `{"execution_state":"busy"}`, ""},
	} {
		arrives(step.parent, step.msgType, step.content)
		if got := e.Behind(); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	if waited := e.Waited(); waited == 0 || waited != e.Waited() {
		t.Errorf("it has begun, and waits: %s", waited)
	}
	if got := k.Others(); got != "somebody else ran In[4] in this kernel meanwhile" {
		t.Errorf("told: %q", got)
	}
}
