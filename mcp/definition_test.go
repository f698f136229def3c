package mcp

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/clients"
)

// TestLargeAnswers: the tools that can answer at length say so to hosts that
// would cut them, two of them can be asked to, and the list stays small.
func TestLargeAnswers(t *testing.T) {
	var large, adjustable []string
	size := 0
	for _, tool := range (&tools{}).table() {
		b, err := json.Marshal(tool.definition())
		if err != nil {
			t.Fatal(err)
		}
		size += len(b) + 1
		var d struct {
			Meta        map[string]any `json:"_meta"`
			InputSchema struct {
				Properties map[string]any `json:"properties"`
			} `json:"inputSchema"`
		}
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		if d.Meta["anthropic/maxResultSizeChars"] == float64(clients.MaxCharacters) {
			large = append(large, tool.name)
		}
		if d.InputSchema.Properties["max_output_chars"] != nil {
			adjustable = append(adjustable, tool.name)
		}
	}
	if want := []string{"execute_code", "get_execution", "execute_code_file"}; !slices.Equal(large, want) {
		t.Errorf("large answers: %q, want %q", large, want)
	}
	if want := []string{"execute_code", "execute_code_file"}; !slices.Equal(adjustable, want) {
		t.Errorf("max_output_chars: %q, want %q", adjustable, want)
	}
	if size > 17_900 {
		t.Errorf("the tools have %d bytes", size)
	}
}

// TestToolSearch: hosts that hide tools until the model searches for them rank them
// by BM25 over names, words and arguments. Who searches for "run python code" must
// find what it takes to follow a run, too.
func TestToolSearch(t *testing.T) {
	for query, want := range map[string][]string{
		"run python code":            {"execute_code", "get_execution", "execute_code_file"},
		"execute python":             {"execute_code"},
		"python execution result":    {"get_execution"},
		"stop running code":          {"interrupt_execution"},
		"install python package":     {"install_dependencies"},
		"python variables dataframe": {"inspect_variables"},
	} {
		if got := search(query)[:4]; slices.ContainsFunc(want, func(name string) bool { return !slices.Contains(got, name) }) {
			t.Errorf("%q finds %v, want %v among them", query, got, want)
		}
	}
}

// search ranks the tools for a query by BM25.
func search(query string) (names []string) {
	const k1, b = 1.2, 0.75
	tools := (&tools{}).table()
	texts, total := make([][]string, len(tools)), 0
	for i, tool := range tools {
		text := tool.name + " " + tool.title + " " + tool.description
		for _, a := range tool.arguments {
			text += " " + a.name
		}
		texts[i] = wordsOfText(text)
		total += len(texts[i])
	}
	scores := map[string]float64{}
	for _, term := range wordsOfText(query) {
		with := 0
		for _, words := range texts {
			if slices.Contains(words, term) {
				with++
			}
		}
		idf := math.Log(1 + (float64(len(tools)-with)+0.5)/(float64(with)+0.5))
		for i, words := range texts {
			n := 0.0
			for _, word := range words {
				if word == term {
					n++
				}
			}
			scores[tools[i].name] += idf * n * (k1 + 1) / (n + k1*(1-b+b*float64(len(words)*len(tools))/float64(total)))
		}
	}
	for _, tool := range tools {
		names = append(names, tool.name)
	}
	slices.SortStableFunc(names, func(x, y string) int { return cmp.Compare(scores[y], scores[x]) })
	return names
}

// wordsOfText is stemmed as little as a search engine does: no plural, no -ing.
func wordsOfText(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' })
	for i, word := range words {
		words[i] = strings.TrimSuffix(strings.TrimSuffix(word, "s"), "ing")
	}
	return words
}
