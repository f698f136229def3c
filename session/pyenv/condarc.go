package pyenv

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// condarcFiles lists conda's configuration files there may be, lowest priority
// first, as conda searches them.
func (f *CondaFinder) condarcFiles(roots []string) []string {
	var files []string
	dir := func(dir string) {
		files = append(files, filepath.Join(dir, ".condarc"), filepath.Join(dir, "condarc"))
		for _, pattern := range []string{"*.yml", "*.yaml"} {
			more, _ := filepath.Glob(filepath.Join(globEscape(dir), "condarc.d", pattern))
			files = append(files, more...)
		}
	}
	if runtime.GOOS == "windows" {
		dir(`C:\ProgramData\conda`)
	} else {
		dir(f.sys("/etc/conda"))
		dir(f.sys("/var/lib/conda"))
	}
	for _, root := range roots {
		dir(root)
		files = append(files, filepath.Join(root, ".mambarc"))
	}
	if xdg := f.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(xdg) {
		dir(filepath.Join(xdg, "conda"))
	}
	if f.Home != "" {
		dir(filepath.Join(f.Home, ".config", "conda"))
		dir(filepath.Join(f.Home, ".conda"))
		files = append(files, filepath.Join(f.Home, ".condarc"), filepath.Join(f.Home, ".mambarc"))
	}
	if prefix := f.getenv("CONDA_PREFIX"); filepath.IsAbs(prefix) {
		dir(prefix)
	}
	for _, name := range []string{"CONDARC", "MAMBARC"} {
		if rc := os.Expand(f.expandHome(f.getenv(name)), f.getenv); filepath.IsAbs(rc) {
			files = append(files, rc)
		}
	}
	return files
}

// aliases tells of two variables that mean the same, "" if there are none: conda
// and mamba both stop with an error then, so a program that installs with them would.
func (f *CondaFinder) aliases() string {
	if f.getenv("CONDA_ENVS_DIRS") != "" && f.getenv("CONDA_ENVS_PATH") != "" {
		return "CONDA_ENVS_DIRS and CONDA_ENVS_PATH are both set: the environment is looked for in both, but conda and mamba refuse to work that way; unset CONDA_ENVS_PATH"
	}
	return ""
}

// configuredEnvsDirs are the envs directories of the environment and of the
// configuration files, most important first.
func (f *CondaFinder) configuredEnvsDirs(roots []string) []string {
	var dirs []string
	for _, name := range []string{"CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"} {
		dirs = append(dirs, filepath.SplitList(f.getenv(name))...)
	}
	files := f.condarcFiles(roots)
	for i := len(files) - 1; i >= 0; i-- {
		data, err := readSmall(files[i])
		if err != nil {
			continue
		}
		keys := parseCondarc(string(data))
		dirs = append(append(dirs, keys["envs_dirs"]...), keys["envs_path"]...)
	}
	var absolute []string
	for _, dir := range dirs {
		if dir = os.Expand(f.expandHome(dir), f.getenv); filepath.IsAbs(dir) {
			absolute = append(absolute, filepath.Clean(dir))
		}
	}
	return absolute
}

// parseCondarc reads the lists of strings at the top level of a condarc: the
// part of YAML such files use, as a block ("- a") or inline ("[a, b]"). Anything
// else is passed over.
func parseCondarc(text string) map[string][]string {
	lists := map[string][]string{}
	current, inline := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(stripComment(line), " \t\r\n")
		trimmed := strings.TrimLeft(line, " \t")
		if inline != "" { // an inline list over several lines
			if inline += " " + trimmed; strings.Contains(inline, "]") {
				lists[current], inline = inlineList(inline), ""
			}
			continue
		}
		if trimmed == "" {
			continue
		}
		if item, ok := strings.CutPrefix(trimmed, "- "); ok {
			if current != "" {
				lists[current] = append(lists[current], unquote(item))
			}
			continue
		}
		if trimmed != line {
			continue // inside some other structure
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || value != "" && value[0] != ' ' && value[0] != '\t' {
			current = ""
			continue
		}
		current, value = unquote(name), strings.TrimSpace(value)
		switch {
		case strings.HasPrefix(value, "[") && strings.Contains(value, "]"):
			lists[current] = inlineList(value)
		case strings.HasPrefix(value, "["):
			inline = value
		case value != "":
			lists[current] = []string{unquote(value)}
		}
	}
	return lists
}

func inlineList(text string) []string {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "["), "]")
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = unquote(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// stripComment cuts what follows " #" outside of quotes.
func stripComment(line string) string {
	var quote byte
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return line[:i]
		}
	}
	return line
}
