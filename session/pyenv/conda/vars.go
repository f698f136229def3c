package conda

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// PathDirs is what a conda environment adds to PATH, in order.
func PathDirs(prefix string) []string {
	if runtime.GOOS != "windows" {
		return []string{filepath.Join(prefix, "bin")}
	}
	dirs := []string{prefix}
	for _, flavour := range []string{"ucrt64", "clang64", "mingw64", "clangarm64"} {
		if dir := filepath.Join(prefix, "Library", flavour, "bin"); host.IsDir(dir) {
			dirs = append(dirs, dir)
			break
		}
	}
	for _, dir := range []string{`Library\mingw-w64\bin`, `Library\usr\bin`, `Library\bin`, `Scripts`, `bin`} {
		dirs = append(dirs, filepath.Join(prefix, dir))
	}
	return dirs
}

// PackageVars reads the variables packages and the user gave a conda
// environment: etc/conda/env_vars.d/*.json, then conda-meta/state, which wins.
// What cannot be read is a warning.
func PackageVars(prefix string) (set map[string]string, warnings []string) {
	set = map[string]string{}
	add := func(file string, entries map[string]any) {
		for name, value := range entries {
			text, ok := value.(string)
			if !ok {
				text = fmt.Sprint(value)
			}
			name = strings.ToUpper(name) // conda's envvars_force_uppercase
			switch {
			case name == "PATH" || text == "***unset***": // reserved; conda's word for "removed"
				delete(set, name)
			case name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(text, "\x00"):
				warnings = append(warnings, fmt.Sprintf("%s: the variable %q cannot be set", file, name))
			default:
				set[name] = text
			}
		}
	}
	files, _ := filepath.Glob(filepath.Join(host.GlobEscape(prefix), "etc", "conda", "env_vars.d", "*.json"))
	for _, file := range files { // Glob sorts
		var entries map[string]any
		if err := host.ReadJSON(file, &entries); err != nil {
			warnings = append(warnings, fmt.Sprintf("%s was not read: %v", file, err))
			continue
		}
		add(file, entries)
	}
	state := filepath.Join(prefix, "conda-meta", "state")
	var content struct {
		EnvVars map[string]any `json:"env_vars"`
	}
	if !host.IsFile(state) {
		return set, warnings
	}
	if err := host.ReadJSON(state, &content); err != nil {
		return set, append(warnings, fmt.Sprintf("%s was not read: %v", state, err))
	}
	add(state, content.EnvVars)
	return set, warnings
}

// AddCondabin puts the directory of the command "conda" behind the
// environment's own, unless there is one already.
func AddCondabin(v *host.Vars, condabin string) {
	path, _ := v.Get("PATH")
	dirs := filepath.SplitList(path)
	prefix, _ := v.Get("CONDA_PREFIX")
	if !host.IsDir(condabin) || slices.ContainsFunc(dirs, func(d string) bool { return filepath.Base(d) == "condabin" }) {
		return
	}
	v.SetPath(slices.Insert(dirs, len(PathDirs(prefix)), condabin))
}
