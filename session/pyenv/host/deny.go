package host

import (
	"path"
	"runtime"
	"slices"
	"strings"
)

// denied is ENV_DENY: the variables that neither a kernel nor any helper program
// may see. A client's configuration holds keys of other programs too.
type denied []string

// ParseDenied reads names and glob patterns (*, ?, [a-z]) between commas or
// blanks. One that cannot be read is an error, so that nothing slips through.
func ParseDenied(setting string) (denied, error) {
	patterns := denied(strings.FieldsFunc(setting, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }))
	for i, pattern := range patterns {
		patterns[i] = denyKey(pattern)
		if _, err := path.Match(patterns[i], ""); err != nil {
			return nil, &ConfigError{Variable: "ENV_DENY", Value: setting, Reason: "holds " + pattern + ", which is not a pattern",
				Fix: "give names and patterns such as AWS_*, GITHUB_TOKEN"}
		}
	}
	return patterns, nil
}

// match reports whether a variable of that name is denied.
func (d denied) match(name string) bool {
	return slices.ContainsFunc(d, func(pattern string) bool {
		ok, err := path.Match(pattern, denyKey(name))
		return ok || err != nil
	})
}

// denyKey is how names are compared: without case on Windows, as there. A "*"
// of path.Match ends at a slash, which names may hold.
func denyKey(name string) string {
	if runtime.GOOS == "windows" {
		name = strings.ToUpper(name)
	}
	return strings.ReplaceAll(name, "/", "\x01")
}

// filter is environ without what is denied.
func (d denied) filter(environ []string) []string {
	if len(d) == 0 {
		return environ
	}
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		i := strings.IndexByte(entry[min(1, len(entry)):], '=')
		return i >= 0 && d.match(entry[:i+1])
	})
}

// deny gives what ENV_DENY says; a wrong one denies everything, and Resolve says so.
func (h *Host) deny() denied {
	if h.EnvDeny == "" {
		return nil
	}
	d, err := ParseDenied(h.EnvDeny)
	if err != nil {
		return denied{"*"}
	}
	return d
}
