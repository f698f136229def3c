package host

import (
	"os"
	"path/filepath"
	"strings"
)

// ExpandHome replaces a leading "~"; that of another user stays.
func (h *Host) ExpandHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && h.Home != "" && (rest == "" || os.IsPathSeparator(rest[0])) {
		return h.Home + rest
	}
	return path
}

// Expand makes a path absolute after "~", "$VAR" and "${VAR}" in it.
func (h *Host) Expand(variable, value string) (string, error) {
	if strings.ContainsRune(value, 0) {
		return "", &ConfigError{Variable: variable, Value: value, Reason: "holds a NUL byte", Fix: "give a path"}
	}
	path := h.ExpandHome(value)
	if strings.Contains(path, "$") && !Exists(path) { // a "$" may also belong to the name
		var missing string
		path = os.Expand(path, func(name string) string {
			expanded := h.Variable(name)
			if expanded == "" && missing == "" {
				missing = name
			}
			return expanded
		})
		if missing != "" {
			return "", &ConfigError{Variable: variable, Value: value, Reason: "uses $" + missing + ", which is not set",
				Fix: "write the path out"}
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", &ConfigError{Variable: variable, Value: value, Reason: "is not a usable path: " + err.Error(), Fix: "give an absolute path"}
	}
	return path, nil
}

// DataHome is where programs of this user keep data.
func (h *Host) DataHome() string {
	if xdg := h.Variable("XDG_DATA_HOME"); filepath.IsAbs(xdg) {
		return xdg
	}
	return filepath.Join(h.Home, ".local", "share")
}

func (h *Host) CacheHome() string {
	if xdg := h.Variable("XDG_CACHE_HOME"); filepath.IsAbs(xdg) {
		return xdg
	}
	return filepath.Join(h.Home, ".cache")
}
