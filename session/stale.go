package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
)

// Stale is what a kernel goes on using in its old version after an installation:
// Python never loads a module again that it has imported.
type Stale struct {
	// Restart lists what a restart is needed for: "numpy 1.26.4 -> 2.1.0 (imported)",
	// "(loaded ahead)" for what only the spare has imported.
	Restart []string
	// Unknown says that the kernel was busy and could not be asked: Restart then
	// lists what it may have imported.
	Unknown bool
}

// kernelPackages run in every kernel that has them from its environment.
func kernelPackages() []string {
	return []string{"ipykernel", "ipython", "pyzmq", "tornado", "traitlets", "jupyter-client", "jupyter-core", "comm"}
}

// importedExpression tells which of some modules are imported, and which a spare has
// loaded ahead (mce_launch/stash.py); it imports none.
const importedExpression = `(lambda names, sys: type("Imported", (), {"_repr_json_": lambda self: {` +
	`"imported": [n for n in names if n in sys.modules], ` +
	`"ahead": [n for f in sys.meta_path if type(f).__name__ == "Stash" for n in names if n in f.modules]}})())(%s, __import__("sys"))`

// stale asks the session's kernel which of the changes concern what it has
// imported.
func (s *Session) stale(ctx context.Context, changes []install.Change) Stale {
	s.mu.Lock()
	k, env := s.kernel, s.env
	s.mu.Unlock()
	var found Stale
	if k == nil {
		return found
	}
	var modules []string
	changes = slices.DeleteFunc(slices.Clone(changes), func(c install.Change) bool { return c.Old == "" })
	for _, c := range changes {
		modules = append(modules, modulesOf(c)...)
	}
	if len(modules) == 0 {
		return found
	}
	names, err := json.Marshal(modules)
	if err != nil {
		return found
	}
	var answer struct{ Imported, Ahead []string }
	raw, err := k.Evaluate(ctx, fmt.Sprintf(importedExpression, names))
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil && !errors.Is(err, ErrBusy) {
		s.log.Warn("asking the kernel what it has imported", "err", err)
	}
	found.Unknown = err != nil
	for _, c := range changes {
		why := ""
		switch {
		case env != nil && env.Sidecar == "" && slices.Contains(kernelPackages(), c.Name):
			why = "the kernel runs on it"
		case found.Unknown:
			why = "perhaps imported"
		case slices.ContainsFunc(modulesOf(c), func(m string) bool { return slices.Contains(answer.Imported, m) }):
			why = "imported"
		case slices.ContainsFunc(modulesOf(c), func(m string) bool { return slices.Contains(answer.Ahead, m) }):
			why = "loaded ahead"
		default:
			continue
		}
		version := c.New
		if version == "" {
			version = "removed"
		}
		found.Restart = append(found.Restart, fmt.Sprintf("%s %s -> %s (%s)", c.Name, c.Old, version, why))
	}
	return found
}

// modulesOf names what a distribution is imported by. One that is gone cannot
// be asked: most are named alike.
func modulesOf(c install.Change) []string {
	if len(c.Modules) > 0 {
		return c.Modules
	}
	return []string{strings.ReplaceAll(c.Name, "-", "_")}
}

// packagesChanged tells every session that something can be imported that could
// not before, and those in the environment that was installed into what their
// kernels hold in its old version. It returns that of the session that installed.
func (m *Manager) packagesChanged(ctx context.Context, by *Session, env *pyenv.Environment, changes []install.Change) Stale {
	var own Stale
	for _, s := range m.Sessions() {
		s.mu.Lock()
		s.refresh = true
		shared := s.env != nil && s.kernel != nil && s.env.Prefix == env.Prefix
		s.mu.Unlock()
		switch {
		case s == by:
			own = s.stale(ctx, changes)
		case shared:
			if found := s.stale(ctx, changes); len(found.Restart) > 0 {
				s.tell(fmt.Sprintf("session %s has changed packages of this environment; this kernel goes on with the old ones until it is restarted: %s",
					by.name, strings.Join(found.Restart, ", ")))
			}
		}
	}
	return own
}

// tell has the next answer of the session say something.
func (s *Session) tell(notice string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.news, notice) && len(s.news) < maxNews {
		s.news = append(s.news, notice)
	}
}

// maxNews bounds what waits to be told by a session nobody uses.
const maxNews = 20

// FileChanged notes that a code file was written: what can be imported has
// changed, and a module that was imported from the file is loaded again before
// the next run. It concerns every session.
func (m *Manager) FileChanged(path string) {
	for _, s := range m.Sessions() {
		s.mu.Lock()
		s.refresh = true
		if s.current != nil && len(s.current.stored) < maxReload {
			s.current.stored = append(s.current.stored, path)
		}
		if s.kernel != nil && !slices.Contains(s.reload, path) && len(s.reload) < maxReload {
			s.reload = append(s.reload, path)
		}
		s.mu.Unlock()
	}
}

// maxReload bounds how many changed files a session remembers.
const maxReload = 100
