package share

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func message(t *testing.T, kind, session, id, content string) *jupyter.Message {
	t.Helper()
	return &jupyter.Message{
		Header:       jupyter.Header{MsgType: kind},
		ParentHeader: jupyter.Header{MsgType: jupyter.MsgExecuteRequest, MsgID: id, Session: session},
		Content:      []byte(content),
	}
}

// TestOthers: what others run is told once, and whose turn it is follows from what the
// kernel says, whatever of it is lost.
func TestOthers(t *testing.T) {
	busy, idle := `{"execution_state":"busy"}`, `{"execution_state":"idle"}`
	input := func(n int) string { return fmt.Sprintf(`{"code":"1","execution_count":%d}`, n) }
	type step struct{ kind, session, id, content string }
	for _, test := range []struct {
		name  string
		steps []step
		turn  string // "" for ours
		ran   string
	}{
		{"nobody", nil, "", ""},
		{"ours", []step{{"status", "ours", "1", busy}, {"execute_input", "ours", "1", input(4)}}, "", ""},
		{"begins", []step{{"status", "theirs", "1", busy}}, "another client's code runs", ""},
		{"runs", []step{{"status", "theirs", "1", busy}, {"execute_input", "theirs", "1", input(7)}}, "another client's In[7] runs", "somebody else ran In[7] in this kernel meanwhile"},
		{"ended", []step{{"status", "theirs", "1", busy}, {"execute_input", "theirs", "1", input(7)}, {"status", "theirs", "1", idle}}, "", "somebody else ran In[7] in this kernel meanwhile"},
		{"its end alone", []step{{"status", "theirs", "1", idle}}, "", ""},
		{"two", []step{{"execute_input", "theirs", "1", input(7)}, {"status", "theirs", "1", idle}, {"execute_input", "theirs", "2", input(9)}, {"status", "theirs", "2", idle}},
			"", "somebody else ran In[7], In[9] in this kernel meanwhile"},
		{"unreadable", []step{{"execute_input", "theirs", "1", `{`}}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &Others{}
			for _, s := range test.steps {
				o.Note(message(t, s.kind, s.session, s.id, s.content), "ours")
			}
			ids, words := o.Turn()
			if words != test.turn || (len(ids) == 0) != (test.turn == "") {
				t.Errorf("turn: %q", words)
			}
			if ran := o.Ran(); ran != test.ran || o.Ran() != "" {
				t.Errorf("ran: %q", ran)
			}
			if used := !o.Last().IsZero(); used != (len(test.steps) > 0 && test.name != "ours" && test.name != "unreadable") {
				t.Errorf("used: %t", used)
			}
			o.Begin("later", 0)
			o.Over(ids)
			if ids, _ := o.Turn(); len(ids) != 1 || ids[0] != "later" {
				t.Errorf("when that is over: %q", ids)
			}
		})
	}
}

// TestOthersBounded: a client that runs code for ever takes no memory.
func TestOthersBounded(t *testing.T) {
	o := &Others{}
	for n := range 1000 {
		o.Begin(fmt.Sprint(n), n+1)
	}
	if len(o.running) > maxOthers || len(o.ran) > maxOthers {
		t.Errorf("%d run, %d ran", len(o.running), len(o.ran))
	}
	if got := o.Ran(); got != "somebody else ran In[1] to In[100] in this kernel meanwhile" {
		t.Errorf("%q", got)
	}
}

// TestPublish: the file is its owner's alone, links lead to it, and all of it goes.
func TestPublish(t *testing.T) {
	dir := t.TempDir()
	info := jupyter.NewIPCInfo(filepath.Join(dir, "s"))
	file := filepath.Join(dir, "k.json")
	o := Offer{KernelName: "bash", Links: []string{filepath.Join(dir, "runtime", "a.json"), filepath.Join(dir, "runtime", "external", "a.json")}}
	if err := o.Publish(file, info); err != nil {
		t.Fatal(err)
	}
	if err := o.Publish(file, info); err == nil {
		t.Error("written over")
	}
	for _, path := range append(o.Links, file) {
		got, err := jupyter.ReadConnectionFile(path)
		if err != nil || got.KernelName != "bash" || got.Key != info.Key {
			t.Errorf("%s: %+v %v", path, got, err)
		}
	}
	if mode, err := os.Stat(file); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", mode, err)
	}
	if err := o.Withdraw(file); err != nil {
		t.Error(err)
	}
	for _, path := range append(o.Links, file) {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	if err := o.Withdraw(file); err != nil {
		t.Error("twice:", err)
	}
	// A place that cannot be written to leaves nothing.
	o.Links = append(o.Links, filepath.Join(dir, "k.json", "x", "a.json"))
	if err := o.Publish(file, info); err == nil {
		t.Error("no error")
	}
	if _, err := os.Lstat(o.Links[0]); !os.IsNotExist(err) {
		t.Error("a link is left")
	}
}
