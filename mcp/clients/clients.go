package clients

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
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
	MaxCharacters = 200_000
	// Below this an answer cannot say what it left out.
	MinCharacters = 400

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

// Client is what is known of one client where it differs from others. The zero
// value is a client of which nothing is known.
type Client struct {
	// name is what a word of the client's name in the handshake begins with.
	name string
	// characters is what an answer's text may hold, 0 for defaultCharacters.
	characters int
	// hard is what it may hold whatever max_output_chars says, because the client
	// hides or cuts what is longer; hardWithImage where the answer has an image. 0
	// for MaxCharacters.
	hard, hardWithImage int
	// utf8Bytes and jsonCharacters bound the text in the units in which the client
	// counts; 0 does not.
	utf8Bytes, jsonCharacters int
	// namesImages: images are only named, for the client shows the model their base64.
	namesImages bool
	// PlainExceptions: a Python exception is no error result, for the client shows
	// those escaped or twice. The status line says that it failed.
	PlainExceptions bool
	// silentCancels: a cancel by its clock and one by a person have the same words.
	silentCancels bool
}

// clients are the clients that differ, each with its evidence: what was measured
// with scripted models in November 2026. The first that fits is taken.
var clients = []Client{
	// Codex 0.169, 0.171 (codex-mcp-client): a text after an image is removed when
	// those before it overflow. Its clock and ESC both cancel with "MCP request
	// cancelled by caller".
	{name: "codex", characters: codexCharacters, hardWithImage: codexCharacters, silentCancels: true},
	// Copilot CLI 1.0.102 (copilot-cli): a result of over 20,000 bytes goes into a
	// file, and the model is shown its first 500 characters.
	{name: "copilot", characters: 19_000, hard: 19_000, utf8Bytes: 19_000},
	// Qwen Code 0.24 (qwen-cli-mcp-client-…): over 25,000 characters go into a file,
	// 2,000 are shown; an error result is shown twice.
	{name: "qwen", characters: 24_000, hard: 24_000, PlainExceptions: true},
	// Gemini CLI 0.61 (gemini-cli-mcp-client-…): an error result is shown as JSON,
	// its images as base64 in it.
	{name: "gemini", PlainExceptions: true},
	// Cline CLI 3.0 (@cline/core): 4,000 + 4,000 characters of the whole result as
	// JSON are shown, images as base64 in it.
	{name: "cline", characters: 6_500, hard: 6_500, jsonCharacters: 7_600, namesImages: true},
}

// Named returns what is known of the client of that name in the handshake.
func Named(name string) Client {
	// Gemini CLI and Qwen Code add the name that the user gave this server.
	name, _, _ = strings.Cut(strings.ToLower(name), "-mcp-client")
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	for _, c := range clients {
		for _, word := range words {
			if strings.HasPrefix(word, c.name) {
				return c
			}
		}
	}
	return Client{}
}

// Of returns what is known of the client of the call that ctx belongs to.
func Of(ctx context.Context) Client { return Named(rpc.ClientFrom(ctx).Name) }

// Most is how many characters the call may have that asked for so many, 0 for none.
func (c Client) Most(maxOutputChars int) int {
	if maxOutputChars <= 0 {
		return orDefault(c.characters, defaultCharacters)
	}
	return min(max(maxOutputChars, MinCharacters), orDefault(c.hard, MaxCharacters))
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// Budget returns the budget for what a run put out, below a head of ours.
// MaxOutputChars is what the call asked for, 0 when it asked for nothing; it goes
// before the client's own limit where the client shows more. IsError says that the answer is an error result if it
// carries no image.
func (c Client) Budget(maxOutputChars int, isError bool, head string) render.Budget {
	b := render.Budget{
		Characters:      c.Most(maxOutputChars),
		IsError:         isError,
		ImageCount:      imageCount,
		ImageBytes:      imageBytes,
		TotalImageBytes: totalImageBytes,
		LineBytes:       lineBytes,
	}
	if c.utf8Bytes > 0 {
		b.UTF8Bytes = c.utf8Bytes - len(head)
	}
	if c.jsonCharacters > 0 {
		b.JSONCharacters = c.jsonCharacters - render.JSONCharacters(head)
	}
	b.ErrorCharacters = min(errorCharacters, b.Characters)
	b.ImageCharacters = min(orDefault(c.hardWithImage, MaxCharacters), b.Characters)
	if c.namesImages {
		b.ImageCount = 0
	}
	return b
}

// tooLong reports whether the client would hide a part of text, in the unit in which
// it counts: what text has, and what it may have.
func (c Client) tooLong(text string) (have, room int, yes bool) {
	for _, unit := range []struct{ limit, have int }{
		{c.hard, utf8.RuneCountInString(text)},
		{c.utf8Bytes, len(text)},
		{c.jsonCharacters, render.JSONCharacters(text)},
	} {
		if unit.limit > 0 && unit.have > unit.limit {
			return unit.have, unit.limit, true
		}
	}
	return 0, 0, false
}

// Fit cuts what the client would not show out of the middle of an answer that is
// one text: the last resort, for answers that are not made within a budget.
func (c Client) Fit(text string) string {
	for n := utf8.RuneCountInString(text); ; {
		have, room, long := c.tooLong(text)
		if !long {
			return text
		}
		n = n * room / (have + 1) * 19 / 20
		text = render.CutMiddle(text, n)
	}
}
