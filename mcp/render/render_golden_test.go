package render

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

var update = flag.Bool("update", false, "rewrite golden files")

const (
	renderDir = "../../testdata/render"
	sourceDir = "../../testdata/python"
)

// recorded is a cell and what a real kernel sent for it: the contents of its
// messages, in order.
type recorded struct {
	Code    string            `json:"code"`
	Outputs []json.RawMessage `json:"outputs"`
}

// outputOf makes an Output of a message's content, as the kernel package does.
func outputOf(t *testing.T, raw json.RawMessage) jupyter.Output {
	t.Helper()
	var m struct {
		Type      string                     `json:"msg_type"`
		Name      string                     `json:"name"`
		Text      string                     `json:"text"`
		Data      map[string]json.RawMessage `json:"data"`
		DisplayID string                     `json:"display_id"`
		Count     int                        `json:"execution_count"`
		Ename     string                     `json:"ename"`
		Evalue    string                     `json:"evalue"`
		Traceback []string                   `json:"traceback"`
		Wait      bool                       `json:"wait"`
		CommID    string                     `json:"comm_id"`
		Repeat    int                        `json:"repeat"` // of Text; "%d" in it is the number
		Before    string                     `json:"before"` // text in front of the repeated
		After     string                     `json:"after"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if m.Repeat > 0 {
		m.Text = m.Before + repeated(m.Text, m.Repeat) + m.After
	}
	o := jupyter.Output{
		Type: jupyter.OutputType(m.Type), Name: m.Name, Text: jupyter.TextValue(m.Text), DisplayID: m.DisplayID,
		ExecutionCount: m.Count, Ename: m.Ename, Evalue: m.Evalue, Wait: m.Wait, CommID: m.CommID,
	}
	if m.Type == "error" {
		o.Text = jupyter.TextValue(strings.Join(m.Traceback, "\n"))
	}
	for mime, value := range m.Data {
		if o.Data == nil {
			o.Data = map[string]jupyter.Value{}
		}
		var s string
		var compact bytes.Buffer // a fixture is indented, what kernels send is not
		if err := json.Compact(&compact, value); err != nil {
			t.Fatal(err)
		}
		b := compact.Bytes()
		if json.Unmarshal(value, &s) == nil {
			b = []byte(s)
		}
		if strings.HasPrefix(mime, "image/") && mime != "image/svg+xml" {
			decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
			if err != nil {
				t.Fatal(err)
			}
			b = decoded
		}
		o.Data[mime] = jupyter.InlineValue(b)
	}
	return o
}

func repeated(text string, n int) string {
	if !strings.Contains(text, "%d") {
		return strings.Repeat(text, n)
	}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, text, i)
	}
	return b.String()
}

func sequence(outputs ...jupyter.Output) iter.Seq2[jupyter.Output, error] {
	return func(yield func(jupyter.Output, error) bool) {
		for _, o := range outputs {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// written is an answer as a person reads a golden file.
func written(r Result) string {
	var b strings.Builder
	for _, block := range r.Blocks {
		if block.Image != nil {
			fmt.Fprintf(&b, "<<image block: %s, %d bytes>>\n", block.MIME, len(block.Image))
			continue
		}
		b.WriteString(block.Text + "\n")
	}
	return b.String()
}

// onlyCell: what a kernel has recorded is one cell.
func onlyCell(string) int { return 1 }

// TestRenderRecorded shows what a model sees of cells that real kernels ran.
// Each file NAME.json in testdata/render has its NAME.txt.
func TestRenderRecorded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(renderDir, "*.json"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d recorded cells, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var cell recorded
			if err := json.Unmarshal(b, &cell); err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(filepath.Join(sourceDir, strings.TrimSuffix(filepath.Base(file), ".json")+".py"))
			if err != nil || string(source) != cell.Code+"\n" {
				t.Errorf("the recorded code is not that of its source: %v", err)
			}
			var outputs []jupyter.Output
			for _, raw := range cell.Outputs {
				outputs = append(outputs, outputOf(t, raw))
			}
			r := Outputs(sequence(outputs...), testBudget(3000, false), Options{ReadOn: "get_execution id=ab12-3 shows it", Cell: onlyCell})
			var code strings.Builder
			for line := range strings.Lines(cell.Code) {
				code.WriteString(">>> " + line)
			}
			got := code.String() + "\n\n" + written(r)
			golden := strings.TrimSuffix(file, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("differs from %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}
