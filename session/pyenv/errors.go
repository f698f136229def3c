package pyenv

import (
	"errors"
	"fmt"
	"strings"
)

// NotFoundError says that there is no such environment.
type NotFoundError struct {
	Kind      string   // the kind looked for
	Name      string   // the name or path asked for
	Searched  []string // directories or files looked in
	Available []string // environments there are, "name (prefix)"
	Near      string   // the closest of their names, "" if none is close
}

func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no %s environment %q", e.Kind, e.Name)
	if e.Near != "" {
		fmt.Fprintf(&b, "; did you mean %q?", e.Near)
	}
	if len(e.Available) > 0 {
		fmt.Fprintf(&b, "; known: %s", firstOf(e.Available))
	}
	if len(e.Searched) > 0 {
		fmt.Fprintf(&b, "; searched: %s", firstOf(e.Searched))
	}
	return b.String()
}

// maxNamed bounds how many things an error lists.
const maxNamed = 20

func firstOf(items []string) string {
	if len(items) <= maxNamed {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:maxNamed], ", ") + fmt.Sprintf(" and %d more", len(items)-maxNamed)
}

// AmbiguousError says that a name means several environments.
type AmbiguousError struct {
	Name     string
	Prefixes []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("the name %q means %d environments, give the path of one: %s",
		e.Name, len(e.Prefixes), strings.Join(e.Prefixes, ", "))
}

// BrokenError says that something is there but is no working environment.
type BrokenError struct {
	Path   string
	Reason string
	Fix    string // a command or a sentence, "" if unknown
	Err    error  // the cause, or nil
}

func (e *BrokenError) Error() string {
	s := e.Path + ": " + e.Reason
	switch {
	case e.Fix != "" && strings.Contains(e.Reason, "\n"):
		s += "\n" + e.Fix
	case e.Fix != "":
		s += "; " + e.Fix
	}
	return s
}

// Unwrap gives the cause.
func (e *BrokenError) Unwrap() error { return e.Err }

// someOf is a list in words, cut when it is long.
func someOf(items []string) string {
	const most = 10
	if len(items) > most {
		return strings.Join(items[:most], ", ") + fmt.Sprintf(" or one of %d more", len(items)-most)
	}
	if len(items) == 1 {
		return items[0]
	}
	return strings.Join(items[:len(items)-1], ", ") + " or " + items[len(items)-1]
}

var errNothingChosen = errors.New("no environment is chosen")
