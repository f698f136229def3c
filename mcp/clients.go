package mcp

import (
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
)

// What an answer may hold where nothing else is known. All lengths were
// measured on the hosts themselves (scripted models, November 2026) or read
// in their documents where that is said.
const (
	// Gemini CLI cuts a single text block at 40,000 characters, Claude Code
	// moves text over 50,000 into a file and shows 2 kB of it.
	defaultCharacters = 30_000
	// Codex cuts the middle at 12,000 and removes every later text block.
	codexCharacters = 11_000
	// Claude Code cuts an error result of over 11,000 to 5,000 + 5,000.
	errorCharacters = 10_000
	// What max_output_chars may reach; Claude Code's own cap is 500,000.
	maxCharacters = 200_000
	// Below this an answer cannot say what it left out.
	minCharacters = 400

	// Claude Code keeps about 16 large images, then drops the rest.
	imageCount = 5
	// Claude Code sends images of up to 500 kB and 2000 px as they are and
	// turns larger ones into JPEG.
	imageBytes = 450_000
	// Claude Desktop refuses a whole result over 1 MiB (documented): base64 of
	// this is 800 kB, which leaves 100 kB for text.
	totalImageBytes = 600_000
	lineBytes       = 900_000
)

// budgetFor returns the budget for an answer to the client that calls itself
// clientName. MaxOutputChars is what the call asked for, 0 when it asked for
// nothing; it goes before the client's own limit. IsError says that the run
// failed.
func budgetFor(clientName string, maxOutputChars int, isError bool) render.Budget {
	b := render.Budget{
		Characters:      defaultCharacters,
		ErrorCharacters: errorCharacters,
		IsError:         isError,
		ImageCount:      imageCount,
		ImageBytes:      imageBytes,
		TotalImageBytes: totalImageBytes,
		LineBytes:       lineBytes,
	}
	// "codex-mcp-client" and others of that family.
	if strings.Contains(strings.ToLower(clientName), "codex") {
		b.Characters = codexCharacters
	}
	if maxOutputChars > 0 {
		b.Characters = min(max(maxOutputChars, minCharacters), maxCharacters)
	}
	b.ErrorCharacters = min(b.ErrorCharacters, b.Characters)
	return b
}
