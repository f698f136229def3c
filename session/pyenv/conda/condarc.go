package conda

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

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
		keys := parseCondarc(string(data))
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
				lists[current] = append(lists[current], host.Unquote(item))
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
		current, value = host.Unquote(name), strings.TrimSpace(value)
		switch {
		case strings.HasPrefix(value, "[") && strings.Contains(value, "]"):
			lists[current] = inlineList(value)
		case strings.HasPrefix(value, "["):
			inline = value
		case value != "":
			lists[current] = []string{host.Unquote(value)}
		}
	}
	return lists
}

func inlineList(text string) []string {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "["), "]")
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = host.Unquote(item); item != "" {
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
