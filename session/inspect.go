package session

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
)

var (
	//go:embed inspect.py
	inspectSource string
	//go:embed inspect_kinds.py
	inspectKinds string
)

// Variables is what a session's kernel holds.
type Variables struct {
	Count int      `json:"count"`
	Text  string   `json:"text"`
	Names []string `json:"names"` // when the one asked for is not there
}

// ErrBusy says that the kernel runs code and cannot answer beside it.
var ErrBusy = kernel.ErrBusy

// NoKernelError says that a session has no kernel, and so no variables.
type NoKernelError struct{ Session string }

func (e *NoKernelError) Error() string { return "session " + e.Session + " has no kernel" }

// Inspect looks at the session's variables, or more deeply at one of them. It
// runs no code of the user's and leaves the history alone. ErrBusy when the
// kernel runs a cell and cannot answer beside it.
func (s *Session) Inspect(ctx context.Context, name string) (Variables, error) {
	s.mu.Lock()
	k := s.kernel
	if k == nil {
		s.mu.Unlock()
		return Variables{}, &NoKernelError{Session: s.name}
	}
	if language := s.env.OtherLanguage(); language != "" {
		s.mu.Unlock()
		return Variables{}, &LanguageError{Session: s.name, Language: language}
	}
	s.aside++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asideDoneLocked()
	}()
	// The source runs in a dictionary of its own and gets the user's namespace.
	expression := fmt.Sprintf(`(lambda n: (exec(%s, n), n["inspect"](globals(), %s))[1])({"__name__": "inspect"})`, literal(inspectSource+inspectKinds), literal(name))
	raw, err := k.Evaluate(ctx, expression)
	if err != nil {
		return Variables{}, err
	}
	var v Variables
	if err := json.Unmarshal(raw, &v); err != nil {
		return Variables{}, fmt.Errorf("reading the variables: %w", err)
	}
	return v, nil
}

// literal writes s as a Python string: JSON's strings are a subset of Python's,
// but for the surrogate pairs of escapes, which Go does not write.
func literal(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("encoding a string: " + err.Error())
	}
	return string(b)
}
