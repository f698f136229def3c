package pyenv

import (
	"fmt"
	"strings"
)

// ConfigError says that a setting cannot be used.
type ConfigError struct {
	Variable string // the setting's name, "ENV_TYPE"
	Value    string // "" when the setting is missing
	Reason   string // completes "VARIABLE …"
	Mend     string // what to do
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s %s: %s", e.Variable, e.Reason, e.Mend)
	}
	return fmt.Sprintf("%s=%q %s: %s", e.Variable, e.Value, e.Reason, e.Mend)
}

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
	Mend   string // a command or a sentence, "" if unknown
	Err    error  // the cause, or nil
}

func (e *BrokenError) Error() string {
	s := e.Path + ": " + e.Reason
	if e.Mend != "" {
		s += "; " + e.Mend
	}
	return s
}

// Unwrap gives the cause.
func (e *BrokenError) Unwrap() error { return e.Err }

// KernelMissingError says that an environment has no usable ipykernel and that
// we could not or may not install one.
type KernelMissingError struct {
	Env       string // its label
	Prefix    string
	Installed string // version that is too old, "" if there is none
	Reason    string // why it was not installed
	Command   string // the exact command that mends it
	Err       error  // the installer's failure, or nil
}

func (e *KernelMissingError) Error() string {
	what := "ipykernel is not installed"
	if e.Installed != "" {
		what = "ipykernel " + e.Installed + " is too old"
	}
	s := fmt.Sprintf("%s in %s (%s)", what, e.Env, e.Prefix)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s + "; run: " + e.Command
}

// Unwrap gives the installer's failure.
func (e *KernelMissingError) Unwrap() error { return e.Err }
