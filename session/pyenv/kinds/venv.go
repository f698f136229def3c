package kinds

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

func venvEntry() Entry {
	return Entry{
		Kind:     Venv,
		Marks:    func(prefix string) bool { return host.IsFile(filepath.Join(prefix, "pyvenv.cfg")) },
		Stamps:   []string{"pyvenv.cfg"},
		Activate: activateVenv,
		Facts:    venvFacts,
		Remake:   remakeVenv,
		Project: func(_ *host.Host, dir string) []string {
			var dirs []string
			for _, name := range projectNames() {
				dirs = append(dirs, filepath.Join(dir, name))
			}
			return dirs
		},
		Homes: func(h *host.Host) []string {
			var dirs []string
			for _, name := range []string{".venvs", "venvs", "envs", ".envs", "virtualenvs"} {
				dirs = append(dirs, filepath.Join(h.Home, name))
			}
			return dirs
		},
		Name:   venvName,
		Active: "VIRTUAL_ENV",
		Leaves: []string{"VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "_OLD_VIRTUAL_*", "_OLD_PKG_CONFIG_PATH*"},
	}
}

// projectNames are the names of environments that say nothing without their
// project's.
func projectNames() []string { return []string{".venv", "venv", "env", ".env"} }

// IsProjectName reports whether an environment of that name is called by its
// project's.
func IsProjectName(name string) bool { return slices.Contains(projectNames(), name) }

func venvName(prefix string) string {
	base, parent := filepath.Base(prefix), filepath.Dir(prefix)
	if IsProjectName(base) {
		return filepath.Base(parent) + "/" + base
	}
	return ""
}

func remakeVenv(prefix string) string {
	return "make it anew: " + host.CommandLine("python3", "-m", "venv", "--clear", prefix)
}

func venvFacts(prefix string) (python, kernel string) {
	config := Pyvenv(prefix)
	version := config["version_info"] // virtualenv and uv; venv has "version"
	if version == "" {
		version = config["version"]
	}
	return packaging.ShortVersion(version), ""
}

// Pyvenv reads the "key = value" lines of an environment's pyvenv.cfg; keys in
// lower case. It is nil where there is none.
func Pyvenv(prefix string) map[string]string {
	data, err := host.ReadSmall(filepath.Join(prefix, "pyvenv.cfg"))
	if err != nil {
		return nil
	}
	keys := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, "="); ok {
			keys[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return keys
}

// activateVenv sets what a venv's "activate" sets.
func activateVenv(a Activation, v *host.Vars) []string {
	config := Pyvenv(a.Prefix)
	prompt := host.Unquote(config["prompt"])
	if prompt == "" {
		prompt = filepath.Base(a.Prefix)
	}
	v.Set("VIRTUAL_ENV", a.Prefix)
	v.Set("VIRTUAL_ENV_PROMPT", prompt)
	v.PrependPath(host.BinDir(a.Prefix))
	if config["virtualenv"] == "" {
		return nil
	}
	// virtualenv's script, alone and since 2025, sets more: its text says what.
	script, _ := host.ReadSmall(filepath.Join(host.BinDir(a.Prefix), "activate"))
	for line := range strings.Lines(string(script)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		switch {
		case name == "PKG_CONFIG_PATH" && strings.Contains(value, "VIRTUAL_ENV}/lib/pkgconfig"):
			dirs := filepath.Join(a.Prefix, "lib", "pkgconfig")
			if old, _ := v.Get(name); old != "" {
				dirs += string(os.PathListSeparator) + old
			}
			v.Set(name, dirs)
		case (name == "TCL_LIBRARY" || name == "TK_LIBRARY") && !strings.Contains(value, "$") && host.Unquote(value) != "":
			v.Set(name, host.Unquote(value))
		}
	}
	return nil
}
