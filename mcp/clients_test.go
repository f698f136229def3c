package mcp

import "testing"

func TestBudgetFor(t *testing.T) {
	for _, test := range []struct {
		client        string
		asked         int
		isError       bool
		characters    int
		errorsAllowed int
	}{
		{"", 0, false, 30_000, 10_000},
		{"claude-code", 0, true, 30_000, 10_000},
		{"codex-mcp-client", 0, false, 11_000, 10_000},
		{"Codex", 50_000, false, 50_000, 10_000}, // what the call asks for goes before the client's limit
		{"", 1, false, 400, 400},
		{"", 1_000_000, false, 200_000, 10_000},
	} {
		b := budgetFor(test.client, test.asked, test.isError)
		if b.Characters != test.characters || b.ErrorCharacters != test.errorsAllowed || b.IsError != test.isError {
			t.Errorf("%q, asked %d: %+v", test.client, test.asked, b)
		}
	}
}
