package notebook

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

func stream(name, text string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputStream, Name: name, Text: jupyter.TextValue(text)}
}

func display(id, text string) jupyter.Output {
	return jupyter.Output{Type: jupyter.OutputDisplayData, DisplayID: id, Data: map[string]jupyter.Value{"text/plain": jupyter.TextValue(text)}}
}

func update(id, text string) jupyter.Output {
	o := display(id, text)
	o.Type = jupyter.OutputUpdateDisplay
	return o
}

func cleared(wait bool) jupyter.Output { return jupyter.Output{Type: jupyter.OutputClear, Wait: wait} }

// shown is what the outputs end in, one a word.
func shown(t *testing.T, limit int64, outputs ...jupyter.Output) string {
	t.Helper()
	area, displays := NewArea(limit, "it is elsewhere"), Displays{}
	for i := range outputs {
		displays.Note(&outputs[i])
		if err := area.Add(&outputs[i]); err != nil {
			t.Fatal(err)
		}
	}
	var words []string
	for _, o := range area.Outputs(displays) {
		text := o.Text.Inline
		if o.Data != nil {
			text = o.Data["text/plain"].Inline
		}
		words = append(words, strings.TrimPrefix(string(o.Type)+":"+o.Name+":"+string(text), "stream:"))
	}
	return strings.Join(words, "|")
}

func TestArea(t *testing.T) {
	for _, tt := range []struct {
		name    string
		outputs []jupyter.Output
		want    string
	}{
		{"streams are joined", []jupyter.Output{stream("stdout", "a"), stream("stdout", "b\n"), stream("stderr", "e"), stream("stdout", "c")}, "stdout:ab\n|stderr:e|stdout:c"},
		{"clear", []jupyter.Output{stream("stdout", "a"), cleared(false), stream("stdout", "b")}, "stdout:b"},
		{"clear at the next", []jupyter.Output{stream("stdout", "a"), cleared(true), stream("stdout", "b")}, "stdout:b"},
		{"clear at no next", []jupyter.Output{stream("stdout", "a"), cleared(true)}, "stdout:a"},
		{"an update is no next", []jupyter.Output{display("d", "1"), cleared(true), update("d", "2")}, "display_data::2"},
		{"an update", []jupyter.Output{display("d", "1"), display("e", "x"), update("d", "2")}, "display_data::2|display_data::x"},
		{"an update to nothing", []jupyter.Output{display("w", "a slider"), stream("stdout", "a"), update("w", "")}, "stdout:a"},
		{"an update of nothing", []jupyter.Output{update("d", "2"), stream("stdout", "a")}, "stdout:a"},
		{"shown again", []jupyter.Output{display("d", "1"), display("d", "2")}, "display_data::2|display_data::2"},
		{"a page", []jupyter.Output{{Type: jupyter.OutputPage, Text: jupyter.TextValue("help")}}, "display_data::help"},
		{"a question", []jupyter.Output{{Type: jupyter.OutputInputRequest, Prompt: "name? "}}, "stdout:name? \n"},
		{"a proposed input", []jupyter.Output{{Type: jupyter.OutputNextInput, Text: jupyter.TextValue("x")}}, ""},
		{"a remark for the model", []jupyter.Output{stream("stdout", "a"), {Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{jupyter.NoteType: jupyter.TextValue("failed-commands 1 3")}}, stream("stdout", "b")}, "stdout:ab"},
		{"ours", []jupyter.Output{{Type: jupyter.OutputNotice, Text: jupyter.TextValue("lost")}}, "stderr:[notice: lost]\n"},
	} {
		if got := shown(t, 1000, tt.outputs...); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAreaClearsItsOwn: a widget that captures output clears only what it captured.
func TestAreaClearsItsOwn(t *testing.T) {
	captured := stream("stdout", "w")
	captured.CommID = "widget"
	clearWidget := cleared(false)
	clearWidget.CommID = "widget"
	if got := shown(t, 1000, stream("stdout", "a"), captured, clearWidget, stream("stderr", "b")); got != "stdout:a|stderr:b" {
		t.Errorf("%q", got)
	}
}

// TestAreaLimit: what does not fit is named once, with where it is.
func TestAreaLimit(t *testing.T) {
	outputs := []jupyter.Output{stream("stdout", strings.Repeat("x", 300))}
	for range 10 {
		outputs = append(outputs, stream("stderr", "more"), stream("stdout", "more"))
	}
	got := shown(t, 100, outputs...)
	if strings.Count(got, "[cut:") != 2 || !strings.Contains(got, "[cut: 240 bytes more; it is elsewhere]") || !strings.Contains(got, "[cut: 40 bytes more; it is elsewhere]") {
		t.Errorf("%q", got)
	}
	picture := jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{
		"text/plain": jupyter.TextValue("<Figure>"), "image/png": jupyter.TextValue(strings.Repeat("p", 500))}}
	if got := shown(t, 100, picture); got != "display_data::<Figure>\n[cut: image/png (500 bytes); it is elsewhere]" {
		t.Errorf("%q", got)
	}
	// What was cleared takes no room.
	if got := shown(t, 600, picture, cleared(false), picture); !strings.HasSuffix(got, "<Figure>") {
		t.Errorf("%q", got)
	}
}

// TestEncodeOutput: bundles as the format has them.
func TestEncodeOutput(t *testing.T) {
	o := jupyter.Output{Type: jupyter.OutputExecuteResult, ExecutionCount: 3, Undecoded: []string{"image/jpeg"}, Metadata: json.RawMessage(`{"a":1}`), Data: map[string]jupyter.Value{
		"text/plain": jupyter.TextValue("a\nb"), "image/png": jupyter.TextValue("\x89PNG"), "image/svg+xml": jupyter.TextValue("<svg/>"),
		"application/json": jupyter.TextValue(`{"k":[1]}`), "application/geo+json": jupyter.TextValue(`broken`), "image/jpeg": jupyter.TextValue("not base64"),
		"text/html": jupyter.TextValue("<b>\xff</b>"),
	}}
	raw, err := encodeOutput(&o)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"data":{"application/json":{"k":[1]},"image/jpeg":"not base64","image/png":"iVBORw==","image/svg+xml":["<svg/>"],` +
		`"text/html":["<b>` + "\uFFFD" + `</b>"],"text/plain":["a\n","b"]},"execution_count":3,"metadata":{"a":1},"output_type":"execute_result"}`
	if string(raw) != want {
		t.Errorf("%s", raw)
	}
}
