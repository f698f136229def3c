package pyenv

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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
		if dir := filepath.Dir(env.Python); !leadsTo(v, dir) {
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
func leadsTo(v *vars, dir string) bool {
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
	if exe := condaProgram(env.Root); exe != "" {
		v.set("CONDA_EXE", exe)
		v.set("_CE_M", "")
		v.set("_CE_CONDA", "")
		if python, err := interpreter(env.Root); err == nil {
			v.set("CONDA_PYTHON_EXE", python)
		}
		addCondabin(v, filepath.Join(env.Root, "condabin"))
		for name, value := range map[string]string{"_CONDA_EXE": exe, "_CONDA_ROOT": env.Root} { // new in 2025
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

func (e *Environment) warn(format string, args ...any) {
	e.Warnings = append(e.Warnings, fmt.Sprintf(format, args...))
}
