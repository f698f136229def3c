package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
)

const version3Notebook = `{"metadata":{"name":"old","language":"python"},"nbformat":3,"nbformat_minor":0,"worksheets":[
 {"cells":[{"cell_type":"heading","level":2,"metadata":{},"source":["A\n","title"]},
  {"cell_type":"code","collapsed":true,"input":["x = 1\n","x"],"language":"python","metadata":{},"prompt_number":4,"outputs":[
   {"output_type":"pyout","prompt_number":4,"text":["1"],"html":"<b>1</b>"},{"output_type":"stream","stream":"stderr","text":"e"},
   {"output_type":"pyerr","ename":"E","evalue":"v","traceback":["t"]},{"output_type":"display_data","png":"iVBO"}]}]},
 {"cells":[{"cell_type":"html","source":"<i>"}]}]}`

func TestParse(t *testing.T) {
	n, err := Parse([]byte(version3Notebook))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := n.Write(&b); err != nil {
		t.Fatal(err)
	}
	var compacted bytes.Buffer
	if err := json.Compact(&compacted, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	const want = `{"cells":[{"cell_type":"markdown","id":"cell-1","metadata":{},"source":["## A title"]},` +
		`{"cell_type":"code","execution_count":4,"id":"cell-2","metadata":{"collapsed":true},"outputs":[` +
		`{"data":{"text/html":["<b>1</b>"],"text/plain":["1"]},"execution_count":4,"metadata":{},"output_type":"execute_result"},` +
		`{"name":"stderr","output_type":"stream","text":["e"]},{"ename":"E","evalue":"v","output_type":"error","traceback":["t"]},` +
		`{"data":{"image/png":["iVBO"]},"metadata":{},"output_type":"display_data"}],"source":["x = 1\n","x"]},` +
		`{"cell_type":"markdown","id":"cell-3","metadata":{},"source":["<i>"]}],"metadata":{"language":"python"},"nbformat":4,"nbformat_minor":5}`
	if compacted.String() != want {
		t.Errorf("got  %s\nwant %s", compacted.Bytes(), want)
	}
}

// TestParseKeeps: what is not known stays as it is, and ids are unique and legal.
func TestParseKeeps(t *testing.T) {
	n, err := Parse([]byte("\xef\xbb\xbf" + `{"cells":[{"cell_type":"markdown","id":"a","metadata":{"x":[1]},"source":"![](attachment:p)","attachments":{"p":{"image/png":"iVBO"}}},
		{"cell_type":"code","id":"a","metadata":{},"source":[],"outputs":[{"output_type":"later","z":1}],"execution_count":null},
		{"cell_type":"future","id":"not legal!","metadata":{},"source":"s"}],"metadata":{"widgets":{"w":1}},"nbformat":4,"nbformat_minor":2,"extra":{"e":2}}`))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := n.Write(&b); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), "")
	for _, want := range []string{`"attachments":{"p":{"image/png":"iVBO"}}`, `"x":[1]`, `"widgets":{"w":1}`, `"extra":{"e":2}`, `{"output_type":"later","z":1}`,
		`"id":"a"`, `"id":"a-2"`, `"id":"cell-3"`, `"cell_type":"raw"`, `"nbformat_minor":5`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ file, want string }{
		{"", "it is empty"},
		{" \n", "it is empty"},
		{"import os", "its JSON is broken in line 1"},
		{"{\n\"cells\": [\n{]}", "its JSON is broken in line 3"},
		{`{"cells":[{"cell_type":"code"`, "ends in the middle"},
		{`[1]`, "is a JSON array"},
		{`{}`, `no "nbformat"`},
		{`{"nbformat":4}`, `no "cells"`},
		{`{"nbformat":2,"worksheets":[]}`, "version 2"},
		{`{"nbformat":5,"cells":[]}`, "version 5"},
		{`{"nbformat":"4","cells":[]}`, "is a JSON string"},
		{`{"nbformat":4,"cells":{}}`, "is a JSON object"},
		{`{"nbformat":4,"cells":[5]}`, "cell 1 is no JSON object"},
		{`{"nbformat":4,"cells":[{"source":"x"}]}`, `cell 1: it has no "cell_type"`},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":5}]}`, "cell 1: its source is neither"},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","outputs":5}]}`, "cell 1: its outputs are no list"},
		{`{"nbformat":3,"worksheets":[{"cells":[{"cell_type":"code","input":5}]}]}`, "cell 1: its source"},
	} {
		_, err := Parse([]byte(tt.file))
		var typed *FormatError
		if !errors.As(err, &typed) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.file, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(version3Notebook))
	f.Add([]byte(`{"cells":[{"cell_type":"code","id":"a","metadata":{"tags":["x"]},"source":"1","outputs":[{"output_type":"stream","text":["a"]}],"execution_count":1}],"metadata":{},"nbformat":4,"nbformat_minor":5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Parse(b)
		if err != nil {
			return
		}
		for i := range n.Cells {
			_ = n.Text(i)
		}
		if err := n.SetParameters(map[string]any{"x": 1.0}); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := n.Write(&out); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out.Bytes())
		if err != nil || len(again.Cells) != len(n.Cells) {
			t.Fatalf("written and read again: %v\n%s", err, out.Bytes())
		}
	})
}

func TestPythonValue(t *testing.T) {
	for value, want := range map[string]string{
		`null`: "None", `true`: "True", `false`: "False", `5`: "5", `-0`: "0", `5.5`: "5.5", `1e3`: "1000", `1e22`: "1e+22", `0.0001`: "0.0001", `1e-5`: "1e-05",
		`"a\"b\\c\n\té€😀\u0001"`:               `"a\"b\\c\n\t\xe9\u20ac\U0001f600\x01"`,
		`[1,"a",[null]]`:                       `[1, "a", [None]]`,
		`{"b":1,"a":{"x":"y"}}`:                `{"a": {"x": "y"}, "b": 1}`,
		`123456789012`:                         "123456789012",
		`"` + strings.Repeat("x", 10) + `\\n"`: `"` + strings.Repeat("x", 10) + `\\n"`,
	} {
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			t.Fatal(err)
		}
		if got := pythonValue(v); got != want {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
}

func TestSetParameters(t *testing.T) {
	for _, tt := range []struct{ name, cells, want, numbers string }{
		{"behind the tagged cell", `{"cell_type":"markdown","source":"a"},{"cell_type":"code","source":"x = 1","metadata":{"tags":["parameters"]}},{"cell_type":"code","source":"x"}`, "a|x = 1|# Parameters\nx = 5\n|x", "cell 1 of 3|cell 2 of 3|cell with the parameters|cell 3 of 3"},
		{"in place of earlier ones", `{"cell_type":"code","source":"x = 1","metadata":{"tags":["parameters"]}},{"cell_type":"code","source":"x = 3","metadata":{"tags":["injected-parameters"]}},{"cell_type":"code","source":"x"}`, "x = 1|# Parameters\nx = 5\n|x", "cell 1 of 3|cell 2 of 3|cell 3 of 3"},
		{"at the top", `{"cell_type":"code","source":"x"}`, "# Parameters\nx = 5\n|x", "cell with the parameters|cell 1 of 1"},
	} {
		n, err := Parse([]byte(`{"nbformat":4,"cells":[` + tt.cells + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.SetParameters(map[string]any{"x": 5.0}); err != nil {
			t.Fatal(err)
		}
		var got, names []string
		for i, c := range n.Cells {
			got = append(got, c.Source)
			names = append(names, CellName(n.Number(i), n.Total()))
			if n.Cell(n.Number(i)) != &n.Cells[i] {
				t.Errorf("%s: another cell has the number %d", tt.name, n.Number(i))
			}
		}
		if strings.Join(got, "|") != tt.want || strings.Join(names, "|") != tt.numbers {
			t.Errorf("%s: %q, %q", tt.name, got, names)
		}
		for _, wrong := range []string{"", "a b", "1a", "for", "a.b", "x\ny"} {
			if n.SetParameters(map[string]any{wrong: 1.0}) == nil {
				t.Errorf("%q is a name", wrong)
			}
		}
	}
}

// TestText: a cell as a model reads it.
func TestText(t *testing.T) {
	n, err := Parse([]byte(version3Notebook))
	if err != nil {
		t.Fatal(err)
	}
	const want = "[cell 2 | code | In[4]]\nx = 1\nx\n[output: value; text/html, 8 bytes]\n1\n[output: stderr]\ne\n[output: error E: v]\n[output: display; image/png, 3 bytes]\n"
	if got := n.Text(1); got != want {
		t.Errorf("%q", got)
	}
	long, err := Parse([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","source":"x","metadata":{"tags":["a"]},"outputs":[{"output_type":"stream","name":"stdout","text":"` + strings.Repeat(`l\n`, 100) + `"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := long.Text(0); !strings.HasPrefix(got, "[cell 1 | code | tags: a]\nx\n[output: stdout]\nl\n") || !strings.HasSuffix(got, "l\n[cut: 88 more lines]\n") {
		t.Errorf("%q", got)
	}
}

// TestWriteAgain: what an export writes is read, and written again, as it is.
func TestWriteAgain(t *testing.T) {
	dir := recorded(t, t.TempDir(), record.Info{Session: "s"}, func(r *record.Record) {
		ran(t, r, "abcd-1", "x = '</script>'\nx", "ok", time.Now())
	})
	var b, again bytes.Buffer
	if err := tell(t, Range{Session: "s"}, dir).WriteNotebook(&b); err != nil {
		t.Fatal(err)
	}
	n, err := Parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if n.Version != "4.5" || len(n.Cells) != 2 || n.Cells[1].Source != "x = '</script>'\nx" || len(n.Cells[1].Outputs) != 1 || n.Language() != "python" {
		t.Errorf("%+v", n)
	}
	if err := n.Write(&again); err != nil || again.String() != b.String() {
		t.Errorf("written again it differs: %v\n%s", err, again.Bytes())
	}
}
