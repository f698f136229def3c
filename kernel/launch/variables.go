package launch

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MessageVariables is the type of the iopub message in which the launcher tells the
// names of the session's variables, after a run. It has no parent.
const MessageVariables = "mce_variables"

const (
	maxVariables    = 200
	maxVariableName = 400 // bytes of a name and its type
)

// ReadVariables reads such a message: names with types ("df DataFrame"), the newest of
// them, and how many there are. Whatever user code has made of it is bounded.
func ReadVariables(content json.RawMessage) (names []string, count int, ok bool) {
	var told struct {
		Names []string `json:"names"`
		Count int      `json:"count"`
	}
	if json.Unmarshal(content, &told) != nil {
		return nil, 0, false
	}
	told.Names = slices.DeleteFunc(told.Names, func(name string) bool {
		before, after, found := strings.Cut(name, " ")
		return !found || before == "" || after == "" || len(name) > maxVariableName || !utf8.ValidString(name) ||
			strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
	})
	names = told.Names[max(0, len(told.Names)-maxVariables):]
	return names, max(told.Count, len(names)), true
}

// maxImported bounds how many libraries are believed, and how long a name may be.
const (
	maxImported     = 12
	maxImportedName = 40
)

// ReadImported reads in such a message which of the libraries have been imported that
// take longer to import than a kernel takes to start.
func ReadImported(content json.RawMessage) []string {
	var told struct {
		Large []string `json:"large"`
	}
	if json.Unmarshal(content, &told) != nil {
		return nil
	}
	return Libraries(told.Large)
}

// Libraries are those of the names that can be a library's, at most 12.
func Libraries(names []string) []string {
	all := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return name == "" || len(name) > maxImportedName || strings.ContainsFunc(name, func(r rune) bool {
			return r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
	})
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxImported)]
}
