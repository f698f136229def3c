package conda

import (
	"os"
	"path/filepath"
	"runtime"

	"go.yaml.in/yaml/v3"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// rcFiles lists conda's configuration files there may be, lowest priority
// first, as conda searches them.
func (f *Finder) rcFiles(roots []string) []string {
	var files []string
	dir := func(dir string) {
		files = append(files, filepath.Join(dir, ".condarc"), filepath.Join(dir, "condarc"))
		for _, pattern := range []string{"*.yml", "*.yaml"} {
			more, _ := filepath.Glob(filepath.Join(host.GlobEscape(dir), "condarc.d", pattern))
			files = append(files, more...)
		}
	}
	if runtime.GOOS == "windows" {
		dir(`C:\ProgramData\conda`)
	} else {
		dir(f.Host.Sys("/etc/conda"))
		dir(f.Host.Sys("/var/lib/conda"))
	}
	for _, root := range roots {
		dir(root)
		files = append(files, filepath.Join(root, ".mambarc"))
	}
	if xdg := f.Host.Variable("XDG_CONFIG_HOME"); filepath.IsAbs(xdg) {
		dir(filepath.Join(xdg, "conda"))
	}
	if f.Host.Home != "" {
		dir(filepath.Join(f.Host.Home, ".config", "conda"))
		dir(filepath.Join(f.Host.Home, ".conda"))
		files = append(files, filepath.Join(f.Host.Home, ".condarc"), filepath.Join(f.Host.Home, ".mambarc"))
	}
	if prefix := f.Host.Variable("CONDA_PREFIX"); filepath.IsAbs(prefix) {
		dir(prefix)
	}
	for _, name := range []string{"CONDARC", "MAMBARC"} {
		if rc := os.Expand(f.Host.ExpandHome(f.Host.Variable(name)), f.Host.Variable); filepath.IsAbs(rc) {
			files = append(files, rc)
		}
	}
	return files
}

// Aliases tells of two variables that mean the same, "" if there are none: conda
// and mamba both stop with an error then, so a program that installs with them would.
func (f *Finder) Aliases() string {
	if f.Host.Variable("CONDA_ENVS_DIRS") != "" && f.Host.Variable("CONDA_ENVS_PATH") != "" {
		return "CONDA_ENVS_DIRS and CONDA_ENVS_PATH are both set: the environment is looked for in both, but conda and mamba refuse to work that way; unset CONDA_ENVS_PATH"
	}
	return ""
}

// configuredEnvsDirs are the envs directories of the environment and of the
// configuration files, most important first.
func (f *Finder) configuredEnvsDirs(roots []string) []string {
	var dirs []string
	for _, name := range []string{"CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"} {
		dirs = append(dirs, filepath.SplitList(f.Host.Variable(name))...)
	}
	files := f.rcFiles(roots)
	for i := len(files) - 1; i >= 0; i-- {
		data, err := host.ReadSmall(files[i])
		if err != nil {
			continue
		}
		keys := parseCondarc(data)
		dirs = append(append(dirs, keys["envs_dirs"]...), keys["envs_path"]...)
	}
	var absolute []string
	for _, dir := range dirs {
		if dir = os.Expand(f.Host.ExpandHome(dir), f.Host.Variable); filepath.IsAbs(dir) {
			absolute = append(absolute, filepath.Clean(dir))
		}
	}
	return absolute
}

// parseCondarc reads the lists of strings at the top level of a condarc; a single
// string is a list of one. Anything else is passed over, and so is a file that is
// no YAML, as conda itself refuses it.
func parseCondarc(data []byte) map[string][]string {
	var content map[string]yaml.Node
	if yaml.Unmarshal(data, &content) != nil {
		return nil
	}
	lists := map[string][]string{}
	for key, node := range content {
		var one string
		var many []string
		switch {
		case node.Decode(&one) == nil && one != "":
			lists[key] = []string{one}
		case node.Decode(&many) == nil:
			lists[key] = many
		}
	}
	return lists
}
