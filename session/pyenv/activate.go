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
	"time"
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
		// The python's own programs (pip, ipython) before those of another one.
		if dir := filepath.Dir(env.Python); !slices.Contains(f.pathDirs(), dir) {
			v.prependPath(dir)
		}
	default:
		v.set("VIRTUAL_ENV", env.Prefix)
		v.set("VIRTUAL_ENV_PROMPT", env.Name)
		v.prependPath(binDir(env.Prefix))
	}
	env.Vars = v.environ()
	return nil
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

// scriptMark is written between what scripts print and the variables.
const scriptMark = "\x00mce-vars\x00"

// runFiles sources its arguments and prints the variables that came of it. The
// environment's Python prints them: "env -0" is not everywhere.
const runFiles = `for f; do . "$f" >&2 </dev/null || printf 'failed %s\0' "$f"; done
exec "$MCE_PYTHON" -I -S -B -c 'import os
b = b"\0mce-vars\0" + b"\0".join(k + b"=" + v for k, v in os.environb.items())
while b: b = b[os.write(1, b):]'`

// runScripts runs the environment's activate.d scripts, if there are any, in one
// helper shell and takes over what they changed. A failure is a warning.
func (f *Finder) runScripts(ctx context.Context, env *Environment) error {
	scripts, _ := filepath.Glob(filepath.Join(globEscape(env.Prefix), "etc", "conda", "activate.d", "*.sh"))
	if len(scripts) == 0 || runtime.GOOS == "windows" {
		return nil
	}
	before := varsOf(env.Vars)
	helper := varsOf(env.Vars)
	helper.unset("BASH_ENV") // would be run before the scripts
	helper.unset("ENV")
	helper.set("MCE_PYTHON", env.Python)
	argv := []string{f.sys("/bin/sh"), "-c", runFiles, "activate"}
	if bash := lookup("bash", append(f.pathDirs(), "/bin", "/usr/bin")); bash != "" {
		argv = []string{bash, "--noprofile", "--norc", "-c", runFiles, "activate"}
	}
	limit := f.scriptTimeout
	if limit == 0 {
		limit = 10 * time.Second
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("they took longer than %v", limit))
	defer cancel()
	stdout, stderr, err := f.output(limited, helper.environ(), append(argv, scripts...)...)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	failed, after, ok := bytes.Cut(stdout, []byte(scriptMark))
	if !ok {
		env.warn("the activation scripts of %s had no effect: %v %s", env.Prefix, err, lastLines(stderr, 3))
		return nil
	}
	for line := range bytes.SplitSeq(failed, []byte{0}) {
		if name, ok := bytes.CutPrefix(line, []byte("failed ")); ok {
			env.warn("the activation script %s failed: %s", name, lastLines(stderr, 3))
		}
	}
	env.Vars = takeOver(before, varsOf(strings.Split(string(after), "\x00")))
	return nil
}

// takeOver applies what changed between before and after; what a shell sets by
// itself is no change.
func takeOver(before, after *vars) []string {
	own := []string{"_", "SHLVL", "PWD", "OLDPWD", "MCE_PYTHON", "BASH_ENV", "ENV", "LC_CTYPE"}
	for _, name := range slices.Clone(before.names) {
		if _, ok := after.get(name); !ok && !slices.Contains(own, name) {
			before.unset(name)
		}
	}
	for _, name := range after.names {
		if !slices.Contains(own, name) {
			value, _ := after.get(name)
			before.set(name, value)
		}
	}
	return before.environ()
}

func (e *Environment) warn(format string, args ...any) {
	e.Warnings = append(e.Warnings, fmt.Sprintf(format, args...))
}
