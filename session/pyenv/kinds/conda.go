package kinds

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

func condaEntry() Entry {
	return Entry{
		Kind:      Conda,
		Marks:     conda.IsPrefix,
		Stamps:    []string{"conda-meta/history", "conda-meta/frozen"},
		Activate:  activateConda,
		Installer: ByConda,
		Facts:     condaFacts,
		Scripts: func(prefix string) []string {
			scripts, _ := filepath.Glob(filepath.Join(host.GlobEscape(prefix), "etc", "conda", "activate.d", "*.sh"))
			return scripts
		},
		Remake: func(prefix string) string {
			return "add a Python: " + host.CommandLine("conda", "install", "-p", prefix, "python")
		},
		Name: func(prefix string) string {
			if conda.IsPrefix(prefix) && conda.IsRoot(prefix) {
				return "base"
			}
			return ""
		},
		Active: "CONDA_PREFIX*", // nested ones are numbered
		Leaves: []string{"CONDA_DEFAULT_ENV", "CONDA_PROMPT_MODIFIER", "CONDA_SHLVL", "CONDA_PREFIX*", "CONDA_STACKED_*", "__CONDA_SHLVL_*", "_CE_*"},
	}
}

// condaFacts reads the versions of python and ipykernel out of the names in
// conda-meta, "python-3.11.7-h9a1b_0.json".
func condaFacts(prefix string) (python, kernel string) {
	for _, name := range host.DirNames(filepath.Join(prefix, "conda-meta")) {
		for _, want := range []struct {
			prefix string
			into   *string
		}{{"python-", &python}, {"ipykernel-", &kernel}} {
			rest, ok := strings.CutPrefix(name, want.prefix)
			if !ok || !strings.HasSuffix(rest, ".json") || strings.Count(rest, "-") != 1 {
				continue
			}
			if version, _, _ := strings.Cut(rest, "-"); len(packaging.ReleaseNumbers(version)) > 0 {
				*want.into = version
			}
		}
	}
	return python, kernel
}

// activateConda sets what "conda activate" sets, with one environment deep.
func activateConda(a Activation, v *host.Vars) (warnings []string) {
	v.PrependPath(conda.PathDirs(a.Prefix)...)
	name := a.Prefix
	switch {
	case a.Prefix == a.Root:
		name = "base"
	case filepath.Base(filepath.Dir(a.Prefix)) == "envs":
		name = filepath.Base(a.Prefix)
	}
	v.Set("CONDA_PREFIX", a.Prefix)
	v.Set("CONDA_SHLVL", "1")
	v.Set("CONDA_DEFAULT_ENV", name)
	v.Set("CONDA_PROMPT_MODIFIER", "("+name+") ")
	if exe := conda.Program(a.Root); exe != "" {
		v.Set("CONDA_EXE", exe)
		v.Set("_CE_M", "")
		v.Set("_CE_CONDA", "")
		if i := slices.IndexFunc(Interpreters(a.Root), host.Executable); i >= 0 {
			v.Set("CONDA_PYTHON_EXE", Interpreters(a.Root)[i])
		}
		conda.AddCondabin(v, filepath.Join(a.Root, "condabin"))
		for name, value := range map[string]string{"_CONDA_EXE": exe, "_CONDA_ROOT": a.Root} { // new in 2025
			if _, ok := v.Get(name); ok {
				v.Set(name, value)
			}
		}
	}
	set, warnings := conda.PackageVars(a.Prefix)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		v.Set(name, set[name])
	}
	// ~/.local leaks into conda environments, not into venvs.
	if _, ok := v.Get("PYTHONNOUSERSITE"); !ok {
		v.Set("PYTHONNOUSERSITE", "1")
	}
	return warnings
}
