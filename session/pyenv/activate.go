package pyenv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// activate computes env.Vars: what activation scripts would have made of the
// server's variables, without a shell. "conda run" is never used: it orphans the
// kernel and swallows SIGINT.
func (f *Finder) activate(ctx context.Context, env *Environment) error {
	v := f.cleanVars()
	switch env.Kind {
	case KindConda:
		f.activateConda(env, v)
		env.Vars = v.environ()
		return f.runScripts(ctx, env)
	case KindSystem:
		// The python's own programs (pip, ipython) before those of another one,
		// such as the one pyenv's shims choose.
		if dir := filepath.Dir(env.Python); !v.leadsTo(dir) {
			v.prependPath(dir)
		}
	default:
		activateVenv(env, v)
	}
	env.Vars = v.environ()
	return nil
}

// activateVenv sets what a venv's "activate" sets.
func activateVenv(env *Environment, v *vars) {
	config := readPyvenv(filepath.Join(env.Prefix, "pyvenv.cfg"))
	prompt := unquote(config["prompt"])
	if prompt == "" {
		prompt = filepath.Base(env.Prefix)
	}
	v.set("VIRTUAL_ENV", env.Prefix)
	v.set("VIRTUAL_ENV_PROMPT", prompt)
	v.prependPath(binDir(env.Prefix))
	if config["virtualenv"] == "" {
		return
	}
	// virtualenv's script, alone and since 2025, sets more: its text says what.
	script, _ := readSmall(filepath.Join(binDir(env.Prefix), "activate"))
	for line := range strings.Lines(string(script)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		switch {
		case name == "PKG_CONFIG_PATH" && strings.Contains(value, "VIRTUAL_ENV}/lib/pkgconfig"):
			dirs := filepath.Join(env.Prefix, "lib", "pkgconfig")
			if old, _ := v.get(name); old != "" {
				dirs += string(os.PathListSeparator) + old
			}
			v.set(name, dirs)
		case (name == "TCL_LIBRARY" || name == "TK_LIBRARY") && !strings.Contains(value, "$") && unquote(value) != "":
			v.set(name, unquote(value))
		}
	}
}

// leadsTo reports whether the first python of PATH is the one in dir.
func (v *vars) leadsTo(dir string) bool {
	path, _ := v.get("PATH")
	for _, name := range []string{"python" + exeSuffix, "python3" + exeSuffix} {
		if !executable(filepath.Join(dir, name)) {
			continue
		}
		for _, d := range filepath.SplitList(path) {
			if executable(filepath.Join(d, name)) {
				return filepath.Clean(d) == dir
			}
		}
	}
	return false
}

// activateConda sets what "conda activate" sets, with one environment deep.
func (f *Finder) activateConda(env *Environment, v *vars) {
	v.prependPath(condaPath(env.Prefix)...)
	name := env.Prefix
	switch {
	case env.Prefix == env.Root:
		name = "base"
	case filepath.Base(filepath.Dir(env.Prefix)) == "envs":
		name = filepath.Base(env.Prefix)
	}
	v.set("CONDA_PREFIX", env.Prefix)
	v.set("CONDA_SHLVL", "1")
	v.set("CONDA_DEFAULT_ENV", name)
	v.set("CONDA_PROMPT_MODIFIER", "("+name+") ")
	if conda := condaProgram(env.Root); conda != "" {
		v.set("CONDA_EXE", conda)
		v.set("_CE_M", "")
		v.set("_CE_CONDA", "")
		if python, err := interpreter(env.Root); err == nil {
			v.set("CONDA_PYTHON_EXE", python)
		}
		v.addCondabin(filepath.Join(env.Root, "condabin"))
		for name, value := range map[string]string{"_CONDA_EXE": conda, "_CONDA_ROOT": env.Root} { // new in 2025
			if _, ok := v.get(name); ok {
				v.set(name, value)
			}
		}
	}
	set, warnings := packageVars(env.Prefix)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		v.set(name, set[name])
	}
	env.Warnings = append(env.Warnings, warnings...)
	// ~/.local leaks into conda environments, not into venvs.
	if _, ok := v.get("PYTHONNOUSERSITE"); !ok {
		v.set("PYTHONNOUSERSITE", "1")
	}
}

// addCondabin puts the directory of the command "conda" behind the
// environment's own, unless there is one already.
func (v *vars) addCondabin(condabin string) {
	path, _ := v.get("PATH")
	dirs := filepath.SplitList(path)
	prefix, _ := v.get("CONDA_PREFIX")
	if !isDir(condabin) || slices.ContainsFunc(dirs, func(d string) bool { return filepath.Base(d) == "condabin" }) {
		return
	}
	v.setPath(slices.Insert(dirs, len(condaPath(prefix)), condabin))
}

// condaPath is what a conda environment adds to PATH, in order.
func condaPath(prefix string) []string {
	if runtime.GOOS != "windows" {
		return []string{filepath.Join(prefix, "bin")}
	}
	dirs := []string{prefix}
	for _, flavour := range []string{"ucrt64", "clang64", "mingw64", "clangarm64"} {
		if dir := filepath.Join(prefix, "Library", flavour, "bin"); isDir(dir) {
			dirs = append(dirs, dir)
			break
		}
	}
	for _, dir := range []string{`Library\mingw-w64\bin`, `Library\usr\bin`, `Library\bin`, `Scripts`, `bin`} {
		dirs = append(dirs, filepath.Join(prefix, dir))
	}
	return dirs
}

// packageVars reads the variables packages and the user gave a conda
// environment: etc/conda/env_vars.d/*.json, then conda-meta/state, which wins.
// What cannot be read is a warning.
func packageVars(prefix string) (set map[string]string, warnings []string) {
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
	files, _ := filepath.Glob(filepath.Join(globEscape(prefix), "etc", "conda", "env_vars.d", "*.json"))
	for _, file := range files { // Glob sorts
		var entries map[string]any
		if err := readJSON(file, &entries); err != nil {
			warnings = append(warnings, fmt.Sprintf("%s was not read: %v", file, err))
			continue
		}
		add(file, entries)
	}
	state := filepath.Join(prefix, "conda-meta", "state")
	var content struct {
		EnvVars map[string]any `json:"env_vars"`
	}
	if !isFile(state) {
		return set, warnings
	}
	if err := readJSON(state, &content); err != nil {
		return set, append(warnings, fmt.Sprintf("%s was not read: %v", state, err))
	}
	add(state, content.EnvVars)
	return set, warnings
}

// readJSON reads a small JSON file; numbers keep their text.
func readJSON(path string, into any) error {
	data, err := readSmall(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// maxConfig bounds configuration files: a wrong path must not be read whole.
const maxConfig = 1 << 20

// readSmall reads a regular file of at most maxConfig bytes.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", path, maxConfig)
	}
	return os.ReadFile(path)
}

// globEscape makes a directory's name safe in a pattern.
func globEscape(dir string) string {
	if runtime.GOOS == "windows" {
		return dir // has no escapes; "[" is rare
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func (e *Environment) warn(format string, args ...any) {
	e.Warnings = append(e.Warnings, fmt.Sprintf(format, args...))
}
