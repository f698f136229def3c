package pyenv

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// activate computes env.Vars: what activation scripts would have made of the
// server's variables, without a shell. "conda run" is never used: it orphans the
// kernel and swallows SIGINT.
func (f *Finder) activate(ctx context.Context, env *Environment) error {
	v := f.CleanVars()
	switch env.Kind {
	case KindConda:
		f.activateConda(env, v)
		env.Vars = v.Environ()
		return f.runScripts(ctx, env)
	case KindSystem:
		// The python's own programs (pip, ipython) before those of another one,
		// such as the one pyenv's shims choose.
		if dir := filepath.Dir(env.Python); !leadsTo(v, dir) {
			v.PrependPath(dir)
		}
	default:
		activateVenv(env, v)
	}
	env.Vars = v.Environ()
	return nil
}

// activateVenv sets what a venv's "activate" sets.
func activateVenv(env *Environment, v *host.Vars) {
	config := readPyvenv(filepath.Join(env.Prefix, "pyvenv.cfg"))
	prompt := host.Unquote(config["prompt"])
	if prompt == "" {
		prompt = filepath.Base(env.Prefix)
	}
	v.Set("VIRTUAL_ENV", env.Prefix)
	v.Set("VIRTUAL_ENV_PROMPT", prompt)
	v.PrependPath(host.BinDir(env.Prefix))
	if config["virtualenv"] == "" {
		return
	}
	// virtualenv's script, alone and since 2025, sets more: its text says what.
	script, _ := host.ReadSmall(filepath.Join(host.BinDir(env.Prefix), "activate"))
	for line := range strings.Lines(string(script)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		switch {
		case name == "PKG_CONFIG_PATH" && strings.Contains(value, "VIRTUAL_ENV}/lib/pkgconfig"):
			dirs := filepath.Join(env.Prefix, "lib", "pkgconfig")
			if old, _ := v.Get(name); old != "" {
				dirs += string(os.PathListSeparator) + old
			}
			v.Set(name, dirs)
		case (name == "TCL_LIBRARY" || name == "TK_LIBRARY") && !strings.Contains(value, "$") && host.Unquote(value) != "":
			v.Set(name, host.Unquote(value))
		}
	}
}

// leadsTo reports whether the first python of PATH is the one in dir.
func leadsTo(v *host.Vars, dir string) bool {
	path, _ := v.Get("PATH")
	for _, name := range []string{"python" + host.ExeSuffix, "python3" + host.ExeSuffix} {
		if !host.Executable(filepath.Join(dir, name)) {
			continue
		}
		for _, d := range filepath.SplitList(path) {
			if host.Executable(filepath.Join(d, name)) {
				return filepath.Clean(d) == dir
			}
		}
	}
	return false
}

// activateConda sets what "conda activate" sets, with one environment deep.
func (f *Finder) activateConda(env *Environment, v *host.Vars) {
	v.PrependPath(conda.PathDirs(env.Prefix)...)
	name := env.Prefix
	switch {
	case env.Prefix == env.Root:
		name = "base"
	case filepath.Base(filepath.Dir(env.Prefix)) == "envs":
		name = filepath.Base(env.Prefix)
	}
	v.Set("CONDA_PREFIX", env.Prefix)
	v.Set("CONDA_SHLVL", "1")
	v.Set("CONDA_DEFAULT_ENV", name)
	v.Set("CONDA_PROMPT_MODIFIER", "("+name+") ")
	if exe := conda.Program(env.Root); exe != "" {
		v.Set("CONDA_EXE", exe)
		v.Set("_CE_M", "")
		v.Set("_CE_CONDA", "")
		if python, err := Interpreter(env.Root); err == nil {
			v.Set("CONDA_PYTHON_EXE", python)
		}
		conda.AddCondabin(v, filepath.Join(env.Root, "condabin"))
		for name, value := range map[string]string{"_CONDA_EXE": exe, "_CONDA_ROOT": env.Root} { // new in 2025
			if _, ok := v.Get(name); ok {
				v.Set(name, value)
			}
		}
	}
	set, warnings := conda.PackageVars(env.Prefix)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		v.Set(name, set[name])
	}
	env.Warnings = append(env.Warnings, warnings...)
	// ~/.local leaks into conda environments, not into venvs.
	if _, ok := v.Get("PYTHONNOUSERSITE"); !ok {
		v.Set("PYTHONNOUSERSITE", "1")
	}
}

func (e *Environment) warn(format string, args ...any) {
	e.Warnings = append(e.Warnings, fmt.Sprintf(format, args...))
}
