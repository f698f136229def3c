package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/config"
)

// isHere reports whether a client is on this machine: its program can be found, or
// the directory in which it keeps its files is there.
func (s *setup) isHere(c config.Client) bool {
	if c.Program != "" && s.onPath(c.Program) {
		return true
	}
	place := filepath.Dir(s.file(c))
	if c.Place != nil {
		place = c.Place(s.machine)
	}
	info, err := os.Stat(place)
	return err == nil && info.IsDir()
}

// onPath looks for a program in PATH, as this run was given it.
func (s *setup) onPath(program string) bool {
	for _, dir := range filepath.SplitList(s.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil && filepath.IsAbs(path) {
			return true
		}
	}
	return false
}

// ownName is the name of this program's entry, "" where there is none.
func ownName(servers map[string]any) string {
	var names []string
	for name, entry := range servers {
		if e, ok := entry.(map[string]any); ok && starts(e) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return ""
	case slices.Contains(names, config.ServerName):
		return config.ServerName
	}
	return names[0]
}

// starts reports whether an entry starts this program, itself or by npx, uvx or a
// container. One on another machine, by ssh, is left as it is.
func starts(entry map[string]any) bool {
	var words []string
	for _, name := range []string{"command", "cmd", "args"} {
		switch v := entry[name].(type) {
		case string:
			words = append(words, v)
		case []any:
			for _, word := range v {
				if word, ok := word.(string); ok {
					words = append(words, word)
				}
			}
		}
	}
	if len(words) > 0 && strings.TrimSuffix(filepath.Base(words[0]), ".exe") == "ssh" {
		return false
	}
	exe, _ := os.Executable() // where it is not known, the name has to do
	return slices.ContainsFunc(words, func(word string) bool {
		if word == exe {
			return true
		}
		base := word[strings.LastIndexAny(word, `/\`)+1:]
		return strings.HasPrefix(base, "mcp-code-executor")
	})
}

// freeName is a name that is not another server's.
func freeName(servers map[string]any) string {
	for _, name := range []string{config.ServerName, "mcp-code-executor"} {
		if _, taken := servers[name]; !taken {
			return name
		}
	}
	return "mcp-code-executor-python"
}

// variablesOf are the variables that an entry sets.
func variablesOf(entry map[string]any) map[string]any {
	for _, name := range []string{"env", "environment", "envs"} {
		if v, ok := entry[name].(map[string]any); ok {
			return v
		}
	}
	return nil
}
