package settings

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// Absolute is a value as it must stand in a client's configuration, where
// neither the working directory nor a shell is known.
func (s Setting) Absolute(value, home string) string {
	value = strings.TrimSpace(value)
	if value == "" || !s.IsPath(value) {
		return value
	}
	if value = expandHome(value, home); s.InWorkDir && !filepath.IsAbs(value) {
		return value
	}
	if abs, err := filepath.Abs(value); err == nil {
		return abs
	}
	return value
}

// IsRelative reports whether value is a path that depends on the working
// directory. What a client fills in ("$HOME/x", "${workspaceFolder}") is not.
func (s Setting) IsRelative(value, home string) bool {
	value = strings.TrimSpace(value)
	return value != "" && s.IsPath(value) && !s.InWorkDir && !strings.Contains(value, "$") && !filepath.IsAbs(expandHome(value, home))
}

// Shown is a value as it may be printed.
func (s Setting) Shown(value string) string {
	if s.Secret {
		return "(hidden)"
	}
	return value
}

// expandVariables replaces "$NAME" and "${NAME}" in a path, as a shell would, which
// no client starts servers by. A variable that is not set stays, and so does a "$"
// that belongs to the name of what is there.
func expandVariables(path string, getenv func(string) string) string {
	if !strings.Contains(path, "$") || host.Exists(path) {
		return path
	}
	return variable().ReplaceAllStringFunc(path, func(name string) string {
		if value := getenv(strings.Trim(name, "${}")); value != "" {
			return value
		}
		return name
	})
}

var variable = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_]*\}`)
})

func expandHome(path, home string) string { return (&host.Host{Home: home}).ExpandHome(path) }
