package host

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

// ConfigError says that a setting cannot be used.
type ConfigError struct {
	Variable string // the setting's name, "ENV_TYPE"
	Value    string // "" when the setting is missing
	Reason   string // completes "VARIABLE …"
	Fix      string // what to do
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s %s: %s", e.Variable, e.Reason, e.Fix)
	}
	return fmt.Sprintf("%s=%q %s: %s", e.Variable, e.Value, e.Reason, e.Fix)
}

// CommandLine is a command line a person can paste.
func CommandLine(argv ...string) string {
	quoted := make([]string, len(argv))
	for i, arg := range argv {
		quoted[i] = arg
		if strings.ContainsAny(arg, " \t\n'\"$`\\|&;<>()*?[]{}!#~") || arg == "" {
			if runtime.GOOS == "windows" {
				quoted[i] = `"` + arg + `"`
			} else {
				quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
			}
		}
	}
	return strings.Join(quoted, " ")
}

func Unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// secret is the user part of a URL.
var secret = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(://)[^/\s@'"]+@`) })

// Redact takes passwords and tokens out of URLs.
func Redact(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	return secret().ReplaceAllString(text, "${1}****@")
}

func Redacted(argv []string) []string {
	out := make([]string, len(argv))
	for i, arg := range argv {
		out[i] = Redact(arg)
	}
	return out
}

func OrSilent(progress func(string)) func(string) {
	if progress == nil {
		return func(string) {}
	}
	return progress
}
