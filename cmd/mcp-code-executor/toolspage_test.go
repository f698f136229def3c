package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

const toolsPage = "docs/tools.md"

// TestToolsPage: the reference of tools is made of what tools/list answers; -update
// writes it.
func TestToolsPage(t *testing.T) {
	t.Parallel()
	want := pageOfTools(listTools(t))
	if *update {
		writeDocument(t, toolsPage, want)
	}
	if document(t, toolsPage) != want {
		t.Errorf("%s is not current: go test -run %s -update ./cmd/mcp-code-executor writes it", toolsPage, t.Name())
	}
}

func pageOfTools(tools []listedTool) string {
	var b strings.Builder
	b.WriteString("# Tools\n\n" +
		"This is what a client is told of each tool, word for word. `go test ./cmd/mcp-code-executor -run ToolsPage -update` writes this page.\n" +
		"[results.md](results.md) explains the answers. Arguments in **bold** are required. The hint is what clients go by when they ask you\n" +
		"before a call.\n\n| tool | title | hint |\n|---|---|---|\n")
	for _, tool := range tools {
		fmt.Fprintf(&b, "| [`%s`](#%[1]s) | %s | %s |\n", tool.Name, tool.Annotations.Title, effect(tool))
	}
	for _, tool := range tools {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", tool.Name, asMarkdown(tool.Description))
		writeArguments(&b, tool)
	}
	return b.String()
}

// effect is what the tool's hints say.
func effect(tool listedTool) string {
	switch {
	case tool.Annotations.ReadOnlyHint:
		return "read-only"
	case tool.Annotations.DestructiveHint:
		return "destructive"
	}
	return "adds"
}

func writeArguments(b *strings.Builder, tool listedTool) {
	names := slices.SortedFunc(maps.Keys(tool.InputSchema.Properties), func(x, y string) int {
		required := func(name string) int { return slices.Index(tool.InputSchema.Required, name) }
		if rx, ry := required(x), required(y); (rx < 0) != (ry < 0) {
			return ry - rx
		} else if rx != ry {
			return rx - ry
		}
		return strings.Compare(x, y)
	})
	if len(names) == 0 {
		b.WriteString("\nNo arguments.\n")
		return
	}
	b.WriteString("\n| argument | type | |\n|---|---|---|\n")
	for _, name := range names {
		a := tool.InputSchema.Properties[name]
		shown := "`" + name + "`"
		if slices.Contains(tool.InputSchema.Required, name) {
			shown = "**" + shown + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", shown, a.words(), asMarkdown(a.Description))
	}
}

// words is the argument's type for a person.
func (a argument) words() string {
	switch {
	case len(a.Enum) > 0:
		return "`" + strings.Join(a.Enum, "`, `") + "`"
	case a.Type == "array":
		return "list of " + a.Items.Type + "s"
	case a.Type == "":
		return "any"
	}
	return a.Type
}

// asMarkdown is plain text that Markdown shows as it is.
func asMarkdown(text string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "<", "&lt;", "`", "\\`", "\n", "<br>").Replace(text)
}
