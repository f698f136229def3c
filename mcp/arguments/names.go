package arguments

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mcp-code-executor/mcp-code-executor/session/spelling"
)

// otherNames are what other programs' tools call our arguments, where no word of
// the name is ours.
var otherNames = []struct{ theirs, ours string }{
	{"source", "code"}, {"script", "code"}, {"command", "code"}, {"cell", "code"},
	{"content", "code"}, {"text", "content"}, {"input", "text"}, {"answer", "text"},
	{"kernel", "session"}, {"notebook", "session"}, {"run", "id"}, {"execution", "id"},
	{"path", "file_path"}, {"path", "filename"}, {"file", "filename"}, {"filename", "file_path"},
	{"requirements", "packages"}, {"variable", "name"}, {"regex", "pattern"}, {"kill", "force"},
	{"deadline", "timeout_seconds"}, {"cursor", "since"}, {"new", "fresh"},
}

// nearest returns the known argument that a name most likely means: the same in
// other letters (waitSeconds) or with a slip, one that shares its telling word
// (timeout, timeout_ms), or what others call it (script). "" is none.
func nearest(name string, known []string) string {
	if k := Slip(name, known); k != "" {
		return k
	}
	for _, k := range known {
		if a, b := bare(name), bare(k); min(len(a), len(b)) >= 4 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a) || strings.HasSuffix(a, b)) {
			return k
		}
	}
	words := wordsOf(name)
	best, most := "", 0
	for _, k := range known {
		if n := shared(words, wordsOf(k)); n > most {
			best, most = k, n
		}
	}
	if best != "" {
		return best
	}
	for _, other := range otherNames {
		if slices.Contains(words, other.theirs) && slices.Contains(known, other.ours) {
			return other.ours
		}
	}
	return ""
}

// weakWords say of a name's meaning only in what form it is given.
var weakWords = []string{"id", "name", "seconds", "secs", "sec", "s", "ms", "max", "min", "number", "count", "value", "the", "a", "of", "in", "for", "to", "is", "python", "path", "file", "type"}

// shared is how many telling words two names share.
func shared(a, b []string) int {
	n := 0
	for _, word := range a {
		if !slices.Contains(weakWords, word) && slices.ContainsFunc(b, func(other string) bool { return similar(word, other) }) {
			n++
		}
	}
	return n
}

// wordsOf takes a name apart: wait_seconds, waitSeconds, wait-seconds.
func wordsOf(name string) []string {
	var b strings.Builder
	lower := false
	for _, r := range name[:min(len(name), 64)] {
		if unicode.IsUpper(r) && lower {
			b.WriteByte(' ')
		}
		lower = unicode.IsLower(r) || unicode.IsNumber(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.FieldsFunc(b.String(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// Slip returns the name among known that is written nearly as name is, "" if none is.
func Slip(name string, known []string) string {
	if i := slices.IndexFunc(known, func(k string) bool { return similar(name, k) }); i >= 0 {
		return known[i]
	}
	return ""
}

// similar reports whether one name is probably a slip for the other: other
// case or separators (waitSeconds), or a letter or two.
func similar(a, b string) bool {
	if len(a) > 64 || len(b) > 64 {
		return false
	}
	a, b = bare(a), bare(b)
	allowed := 2
	if min(len(a), len(b)) <= 4 {
		allowed = 1
	}
	return a != "" && spelling.Distance(a, b) <= allowed
}

func bare(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(name))
}

// hostArguments are arguments that hosts put into each tool's schema, or their
// models into each call, for the host itself, and that reach servers all the same.
var hostArguments = []string{
	"wait_for_previous", // Gemini CLI 0.61 and what is built on it: for its scheduler
	"task_progress",     // Cline (its issue 9684): for its list of tasks
	"toolCallId",        // n8n's MCP Client Tool (its issue 21500)
	"chatInput",         // n8n's (its issue 22787)
}

// isHostArgument reports whether an argument is the host's: names with an underscore
// before them are no model's (SiYuan's _sessionID, its issue 17927).
func isHostArgument(name string) bool {
	return slices.Contains(hostArguments, name) || strings.HasPrefix(name, "_")
}
