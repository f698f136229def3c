package clients

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
)

// TestClientNamed: what clients call themselves, and the row that is taken.
func TestClientNamed(t *testing.T) {
	for name, want := range map[string]string{
		"":                                 "",
		"test":                             "",
		"claude-code":                      "",
		"claude-ai":                        "",
		"Visual Studio Code":               "",
		"cursor-vscode":                    "",
		"opencode":                         "",
		"Zed":                              "",
		"decline-bot":                      "",
		"codex-mcp-client":                 "codex",
		"Codex":                            "codex",
		"codex_vscode":                     "codex",
		"copilot-cli":                      "copilot",
		"github-copilot-developer":         "copilot",
		"qwen-cli-mcp-client-python":       "qwen",
		"gemini-cli-mcp-client-python":     "gemini",
		"gemini-cli-mcp-client-codex-tool": "gemini", // the user named the server
		"@cline/core":                      "cline",
		"Cline":                            "cline",
	} {
		if got := Named(name).name; got != want {
			t.Errorf("%q: row %q, want %q", name, got, want)
		}
	}
}

func TestBudget(t *testing.T) {
	for _, test := range []struct {
		client                         string
		asked                          int
		characters, errors, withImages int
	}{
		{"", 0, 30_000, 10_000, 30_000},
		{"claude-code", 0, 30_000, 10_000, 30_000},
		{"", 1, 400, 400, 400},
		{"", 1_000_000, 200_000, 10_000, 200_000},
		{"codex-mcp-client", 0, 11_000, 10_000, 11_000},
		{"Codex", 50_000, 50_000, 10_000, 11_000}, // what the call asks for goes before, but beside an image
		{"copilot-cli", 0, 19_000, 10_000, 19_000},
		{"copilot-cli", 100_000, 19_000, 10_000, 19_000},
		{"qwen-cli-mcp-client-python", 100_000, 24_000, 10_000, 24_000},
		{"@cline/core", 100_000, 6_500, 6_500, 6_500},
		{"@cline/core", 1000, 1000, 1000, 1000},
		{"gemini-cli-mcp-client-python", 100_000, 100_000, 10_000, 100_000},
	} {
		b := Named(test.client).Budget(test.asked, true, "")
		if b.Characters != test.characters || b.ErrorCharacters != test.errors || b.ImageCharacters != test.withImages || !b.IsError {
			t.Errorf("%q, asked %d: %+v", test.client, test.asked, b)
		}
	}
}

// Texts that have more bytes, or more characters in JSON, than characters.
var longTexts = []struct{ name, line string }{
	{"ascii", "0123456789 abcdefghij\n"},
	{"short lines", "a\n"},
	{"quotes", `"\"\"\"\\\"\"\"` + "\n"},
	{"chinese", "数据分析的结果\n"},
	{"emoji", "😀😀😀 ok\n"},
	{"tabs", "1\t2\t3\t4\t5\t6\n"},
}

// inClient is what the client counts an answer as.
func inClient(name, text string) int {
	switch name {
	case "copilot-cli":
		return len(text)
	case "@cline/core":
		return render.JSONCharacters(text) + len(`[{"type":"text","text":""}]`)
	}
	return utf8.RuneCountInString(text)
}

// shows is how much each client shows whole, as measured.
var shows = map[string]int{"codex-mcp-client": 12_000, "copilot-cli": 20_000, "qwen-cli-mcp-client-python": 25_000, "@cline/core": 8_000}

// TestAnswersAreShownWhole: an answer to a run that printed a lot, in any script, is
// one that the client shows whole: with our line about the cut, and the end.
func TestAnswersAreShownWhole(t *testing.T) {
	const head = "[error ValueError | 1.00 s | session=default | id=abcd-1 | cursor=1]\n[files: \"übung.csv\" (new, 1 kB)]\n"
	for name, limit := range shows {
		for _, long := range longTexts {
			for _, asked := range []int{0, 10_000} {
				c := Named(name)
				outputs := func(yield func(jupyter.Output, error) bool) {
					yield(jupyter.Output{Type: jupyter.OutputStream, Name: "stdout", Text: jupyter.Value{Inline: []byte(strings.Repeat(long.line, 100_000/len(long.line)) + "the end\n")}}, nil)
				}
				r := render.Outputs(outputs, c.Budget(asked, false, head), render.Options{ReadOn: "get_execution reads", Reserve: utf8.RuneCountInString(head)})
				text := head + r.Blocks[0].Text
				if n := inClient(name, text); len(r.Blocks) != 1 || n > limit || n < limit/3 && asked == 0 {
					t.Errorf("%s, %s, asked %d: %d blocks of %d, the client shows %d", name, long.name, asked, len(r.Blocks), n, limit)
				}
				if !strings.Contains(text, "[cut: ") || !strings.HasSuffix(text, "the end") {
					t.Errorf("%s, %s: no cut or no end: …%.200s", name, long.name, text[max(0, len(text)-200):])
				}
			}
		}
	}
}

// TestFit: answers that are made without a budget are cut by us, not by the client.
func TestFit(t *testing.T) {
	for name, limit := range shows {
		if name == "codex-mcp-client" {
			continue // it cuts the middle of such an answer, as we would
		}
		for _, long := range longTexts {
			text := Named(name).Fit("[ok]\n" + strings.Repeat(long.line, 100_000/len(long.line)) + "the end")
			if n := inClient(name, text); n > limit || n < limit/3 || !strings.HasSuffix(text, "the end") || !strings.Contains(text, "… cut …") {
				t.Errorf("%s, %s: %d characters, the client shows %d", name, long.name, n, limit)
			}
		}
	}
	if text := Named("@cline/core").Fit("[ok]\nfine"); text != "[ok]\nfine" {
		t.Errorf("%q", text)
	}
}

// TestPlainExceptions: these repeat an error result escaped as JSON, or twice.
func TestPlainExceptions(t *testing.T) {
	for name, want := range map[string]bool{"gemini-cli-mcp-client-python": true, "qwen-cli-mcp-client-python": true, "codex-mcp-client": false, "claude-code": false} {
		if got := Named(name).PlainExceptions; got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
