package host

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Vars is a set of environment variables in order. Names compare without case
// on Windows, as there.
type Vars struct {
	Names  []string
	values map[string]string // by key(name)
}

func key(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// VarsOf reads KEY=VALUE entries; the last one of a name counts.
func VarsOf(environ []string) *Vars {
	v := &Vars{values: make(map[string]string, len(environ))}
	for _, entry := range environ {
		// Windows has entries like "=C:=C:\dir": a name may start with "=".
		if i := strings.IndexByte(entry[min(1, len(entry)):], '='); i >= 0 {
			v.Set(entry[:i+1], entry[i+2:])
		}
	}
	return v
}

func (v *Vars) Get(name string) (string, bool) {
	value, ok := v.values[key(name)]
	return value, ok
}

func (v *Vars) Set(name, value string) {
	if _, ok := v.values[key(name)]; !ok {
		v.Names = append(v.Names, name)
	}
	v.values[key(name)] = value
}

func (v *Vars) Unset(name string) {
	if _, ok := v.values[key(name)]; ok {
		delete(v.values, key(name))
		v.Names = slices.DeleteFunc(v.Names, func(n string) bool { return key(n) == key(name) })
	}
}

// Environ returns the KEY=VALUE entries.
func (v *Vars) Environ() []string {
	entries := make([]string, 0, len(v.Names))
	for _, name := range v.Names {
		entries = append(entries, name+"="+v.values[key(name)])
	}
	return entries
}

// PrependPath puts dirs in front of PATH.
func (v *Vars) PrependPath(dirs ...string) {
	path, _ := v.Get("PATH")
	v.SetPath(append(slices.Clone(dirs), filepath.SplitList(path)...))
}

func (v *Vars) SetPath(dirs []string) {
	v.Set("PATH", strings.Join(dirs, string(os.PathListSeparator)))
}
