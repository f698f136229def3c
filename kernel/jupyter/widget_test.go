package jupyter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recordedWidgets plays what a kernel sent for a cell (testdata/wire/widgets/NAME.json) and
// returns its displays, each with its last state.
func recordedWidgets(t *testing.T, name string) (displays []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "wire", "widgets", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var cell struct {
		Outputs []json.RawMessage `json:"outputs"`
	}
	if err := json.Unmarshal(b, &cell); err != nil {
		t.Fatal(err)
	}
	var w Widgets
	at := map[string]int{}
	for _, raw := range cell.Outputs {
		var kind struct {
			Type string `json:"msg_type"`
		}
		if err := json.Unmarshal(raw, &kind); err != nil {
			t.Fatal(err)
		}
		msg := &Message{Header: Header{MsgType: kind.Type}, Content: raw}
		if strings.HasPrefix(kind.Type, "comm_") {
			w.Note(msg)
			continue
		}
		out, ok := OutputFrom(msg)
		if !ok || out.Type != OutputDisplayData {
			continue
		}
		w.Show(&out)
		at[out.DisplayID] = len(displays)
		displays = append(displays, string(out.Data["text/plain"].Inline))
	}
	for _, out := range w.Changed() {
		displays[at[out.DisplayID]] = string(out.Data["text/html"].Inline)
	}
	if again := w.Changed(); len(again) > 0 {
		t.Errorf("told twice: %v", again)
	}
	return displays
}

// TestWidgets: what real kernels send for progress bars, and the state each ends in.
func TestWidgets(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"tqdm_auto":       {"rows:\u2007100% |██████████| 30/30\u2007[00:00&lt;00:00,\u200762.39it/s]"},
		"tqdm_leave":      {"outer:\u2007100% |██████████| 2/2\u2007[00:00&lt;00:00,\u2007\u20077.74it/s]", "", ""},
		"tqdm_break":      {"40% |████······| 4/10\u2007[00:00&lt;00:00,\u200742.17it/s]"},
		"progress_widget": {"<div>Load |██████████| 5/5</div> <div>done: &lt;5&gt; files</div>"},
	} {
		if diff := cmp.Diff(want, recordedWidgets(t, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestWidgetsBounded: widgets that hold themselves, thousands of them, states of any
// shape.
func TestWidgetsBounded(t *testing.T) {
	t.Parallel()
	var w Widgets
	note := func(kind, content string) {
		w.Note(&Message{Header: Header{MsgType: kind}, Content: []byte(content)})
	}
	show := func(id string) Output {
		out := Output{Type: OutputDisplayData, Data: map[string]Value{MIMEWidgetView: TextValue(`{"model_id": "` + id + `"}`)}}
		w.Show(&out)
		return out
	}
	open := func(id, state string) {
		note(MsgCommOpen, `{"comm_id": "`+id+`", "target_name": "jupyter.widget", "data": {"state": `+state+`}}`)
	}
	open("a", `{"_model_name": "VBoxModel", "children": ["IPY_MODEL_a", "IPY_MODEL_b", "IPY_MODEL_b", "IPY_MODEL_none"]}`)
	open("b", `{"_model_name": "IntSliderModel", "value": 3, "min": null, "max": "x", "description": 7}`)
	if out := show("a"); out.DisplayID != "widget-a" {
		t.Errorf("display id %q", out.DisplayID)
	}
	if out := show("unknown"); out.DisplayID != "" {
		t.Errorf("an unknown widget has the display id %q", out.DisplayID)
	}
	if got := w.Changed(); len(got) != 0 {
		t.Errorf("before any change: %v", got)
	}
	note(MsgCommMsg, `{"comm_id": "b", "data": {"method": "update", "state": {"value": 4}}}`)
	if got := w.Changed(); len(got) != 1 || !strings.Contains(string(got[0].Data["text/html"].Inline), "IntSlider: 4") {
		t.Errorf("%v", got)
	}
	note(MsgCommMsg, `{"comm_id": "b", "data": `+strings.Repeat("[", 100)+`}`)
	note(MsgCommMsg, `{"comm_id": "none", "data": {"state": {"value": 4}}}`)
	for i := range 3 * maxWidgets {
		id := "w" + string(rune('a'+i%26)) + strings.Repeat("x", i%7) + json.Number(strings.Repeat("1", i%50)).String()
		open(id, `{"_model_name": "LabelModel", "value": "`+strings.Repeat("y", 100)+`"}`)
		show(id)
	}
	if len(w.models) > maxWidgets || len(w.views) > maxWidgetViews || len(w.order) > 2*maxWidgets {
		t.Errorf("%d models, %d views, %d in order", len(w.models), len(w.views), len(w.order))
	}
	w.Changed()
}

func FuzzWidgets(f *testing.F) {
	f.Add([]byte(`{"comm_id": "a", "target_name": "jupyter.widget", "data": {"state": {"_model_name": "HBoxModel", "children": ["IPY_MODEL_a"]}}}`), []byte(`{"comm_id": "a", "data": {"state": {"value": 1}}}`))
	f.Fuzz(func(t *testing.T, open, update []byte) {
		var w Widgets
		w.Note(&Message{Header: Header{MsgType: MsgCommOpen}, Content: open})
		for id := range w.models {
			view, _ := json.Marshal(map[string]string{"model_id": id})
			w.Show(&Output{Data: map[string]Value{MIMEWidgetView: InlineValue(view)}})
		}
		w.Note(&Message{Header: Header{MsgType: MsgCommMsg}, Content: update})
		w.Changed()
	})
}

// TestWidgetData: pictures, sounds and films are shown as what they are, also within
// others, and the data of those that are gone is not kept.
func TestWidgetData(t *testing.T) {
	t.Parallel()
	var w Widgets
	note := func(kind, id, state, buffers string, data ...string) {
		msg := &Message{Header: Header{MsgType: kind}, Content: json.RawMessage(`{"comm_id":"` + id + `","target_name":"jupyter.widget","data":{"state":` + state + `,"buffer_paths":` + buffers + `}}`)}
		for _, d := range data {
			msg.Buffers = append(msg.Buffers, []byte(d))
		}
		w.Note(msg)
	}
	note(MsgCommOpen, "i", `{"_model_name":"ImageModel","format":"png"}`, `[["value"]]`, "PNG")
	note(MsgCommOpen, "v", `{"_model_name":"VideoModel","format":"url"}`, `[["other"],["value"]]`, "x", "http://h/a.mp4?b&c")
	note(MsgCommOpen, "l", `{"_model_name":"LabelModel","value":"two"}`, `[]`)
	note(MsgCommOpen, "b", `{"_model_name":"HBoxModel","children":["IPY_MODEL_i","IPY_MODEL_v","IPY_MODEL_l"]}`, `[]`)
	shown := func(id string) string {
		out := Output{Type: OutputDisplayData, Data: map[string]Value{MIMEWidgetView: TextValue(`{"model_id":"` + id + `"}`)}}
		w.Show(&out)
		for _, out := range w.Changed() {
			return string(out.Data["text/html"].Inline)
		}
		return ""
	}
	if got, want := shown("i"), `<img src="data:image/png;base64,UE5H"></img>`; got != want {
		t.Errorf("a picture: %s", got)
	}
	if got, want := shown("b"), `<img src="data:image/png;base64,UE5H"></img> <video src="http://h/a.mp4?b&amp;c"></video> two`; got != want {
		t.Errorf("a row: %s", got)
	}
	if got := shown("l"); got != "" {
		t.Errorf("a label, whose own text is right: %s", got)
	}
	note(MsgCommMsg, "i", `{}`, `[["value"]]`, "OTHER")
	if got := w.Changed(); len(got) != 2 || !strings.Contains(string(got[0].Data["text/html"].Inline), "T1RIRVI=") {
		t.Errorf("another picture: %v", got)
	}
	note(MsgCommMsg, "i", `{}`, `[["value"]]`, strings.Repeat("x", maxWidgetData+1))
	note(MsgCommClose, "v", `{}`, `[]`)
	shown("v")
	if w.data != 0 {
		t.Errorf("%d bytes are kept", w.data)
	}
}
