package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files of the tools")

// What all tools together may take: they are in every request to a model.
const (
	maxTools      = 16
	maxToolsBytes = 17_900
	// maxExportBytes is for the tool that is used least.
	maxExportBytes = 900
	// maxDescription keeps a tool's words below what hosts cut.
	maxDescription = 1200
)

// toolsOf asks a new server for its tools, twice, and returns both answers as
// they were sent.
func toolsOf(t *testing.T, settings ...string) (first, second json.RawMessage) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append([]string{"MCE_TEST_SERVER=1", "GORACE=atexit_sleep_ms=0", "HOME=" + t.TempDir()}, settings...)
	cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{}}
`)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		var answer struct {
			ID     int
			Result struct{ Tools json.RawMessage }
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch answer.ID {
		case 2:
			first = answer.Result.Tools
		case 3:
			second = answer.Result.Tools
		}
	}
	if first == nil || second == nil {
		t.Fatalf("no tools in %s", out)
	}
	return first, second
}

// TestTools: the tools are few and short, each is described with all hints, no
// limit stands only in a schema, and the list is always the same, byte for byte.
func TestTools(t *testing.T) {
	list, again := toolsOf(t, inVenv(t)...)
	if !bytes.Equal(list, again) {
		t.Error("two lists of one server differ")
	}
	for _, settings := range [][]string{nil, {"ENV_TYPE=conda", "CONDA_NAME=x"}, {"ENV_TYPE=nonsense", "CODE_STORAGE_DIR=/nowhere", "HISTORY=off", "KERNEL_INSTALL=never"}} {
		if other, _ := toolsOf(t, settings...); !bytes.Equal(list, other) {
			t.Errorf("the list with %v differs", settings)
		}
	}
	type schema struct {
		Type       string
		Properties map[string]map[string]any
		Required   []string
	}
	var tools []struct {
		Name, Title, Description string
		InputSchema              schema
		Annotations              map[string]any
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(list, &tools); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(list, &raw); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d tools, %d bytes", len(tools), len(list))
	if len(tools) > maxTools || len(list) > maxToolsBytes {
		t.Errorf("%d tools of %d bytes, at most %d of %d", len(tools), len(list), maxTools, maxToolsBytes)
	}
	names := map[string]bool{}
	for i, tool := range tools {
		if tool.Name == "export_session" && len(raw[i]) > maxExportBytes {
			t.Errorf("export_session takes %d bytes, at most %d", len(raw[i]), maxExportBytes)
		}
		names[tool.Name+".json"] = true
		if tool.Title == "" || tool.Description == "" || utf8.RuneCountInString(tool.Description) >= maxDescription {
			t.Errorf("%s: title %q, a description of %d characters", tool.Name, tool.Title, utf8.RuneCountInString(tool.Description))
		}
		for _, hint := range []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} {
			if _, ok := tool.Annotations[hint].(bool); !ok {
				t.Errorf("%s: %s is missing", tool.Name, hint)
			}
		}
		for name, property := range tool.InputSchema.Properties {
			if words, _ := property["description"].(string); words == "" {
				t.Errorf("%s: %s is not described", tool.Name, name)
			}
			for key := range property {
				switch key {
				case "type", "description", "enum", "items":
				default:
					t.Errorf("%s: %s has %q in its schema, which hosts remove", tool.Name, name, key)
				}
			}
		}
		golden(t, filepath.Join("../../testdata/tools", tool.Name+".json"), raw[i])
	}
	files, err := filepath.Glob("../../testdata/tools/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !names[filepath.Base(file)] {
			t.Errorf("%s is of no tool", file)
		}
	}
	words := map[string][]string{
		"execute_code": {"shared by everyone who uses this server", "\\\\[ok", "[cut: …]", "do not send the code again", "Keep it under 50"},
	}
	for i, tool := range tools {
		for _, part := range words[tool.Name] {
			if !bytes.Contains(raw[i], []byte(part)) {
				t.Errorf("%s does not say %q", tool.Name, part)
			}
		}
	}
}

// golden compares JSON with a file, or writes it.
func golden(t *testing.T, file string, raw json.RawMessage) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run `go test ./cmd/mcp-code-executor -run TestTools -update`", err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs from what the server says; after a change that is meant, run with -update. It says:\n%s", file, got.Bytes())
	}
}
