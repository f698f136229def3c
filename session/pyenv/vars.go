package pyenv

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// vars is a set of environment variables in order. Names compare without case
// on Windows, as there.
type vars struct {
	names  []string
	values map[string]string // by key(name)
}

func key(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// varsOf reads KEY=VALUE entries; the last one of a name counts.
func varsOf(environ []string) *vars {
	v := &vars{values: make(map[string]string, len(environ))}
	for _, entry := range environ {
		// Windows has entries like "=C:=C:\dir": a name may start with "=".
		if i := strings.IndexByte(entry[min(1, len(entry)):], '='); i >= 0 {
			v.set(entry[:i+1], entry[i+2:])
		}
	}
	return v
}

func (v *vars) get(name string) (string, bool) {
	value, ok := v.values[key(name)]
	return value, ok
}

func (v *vars) set(name, value string) {
	if _, ok := v.values[key(name)]; !ok {
		v.names = append(v.names, name)
	}
	v.values[key(name)] = value
}

func (v *vars) unset(name string) {
	if _, ok := v.values[key(name)]; ok {
		delete(v.values, key(name))
		v.names = slices.DeleteFunc(v.names, func(n string) bool { return key(n) == key(name) })
	}
}

// environ returns the KEY=VALUE entries.
func (v *vars) environ() []string {
	entries := make([]string, 0, len(v.names))
	for _, name := range v.names {
		entries = append(entries, name+"="+v.values[key(name)])
	}
	return entries
}

// prependPath puts dirs in front of PATH.
func (v *vars) prependPath(dirs ...string) {
	path, _ := v.get("PATH")
	v.setPath(append(slices.Clone(dirs), filepath.SplitList(path)...))
}

func (v *vars) setPath(dirs []string) {
	v.set("PATH", strings.Join(dirs, string(os.PathListSeparator)))
}
