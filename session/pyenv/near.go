package pyenv

import (
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/spelling"
)

// nearest returns the candidate closest to name by edits, "" if none is close.
func nearest(name string, candidates []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, candidate := range candidates {
		if d := spelling.Distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}
