package pyenv

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// warnOfMoved tells when an environment's programs start another Python than its
// own, because it was moved or copied: "!pip install" in it would fail, or change
// the environment it was copied from.
func (f *Finder) warnOfMoved(env *Environment) {
	if env.Kind == kinds.System || runtime.GOOS == "windows" {
		return
	}
	for _, name := range []string{"pip", "pip3", "ipython", "jupyter"} {
		program := filepath.Join(host.BinDir(env.Prefix), name)
		python := startedBy(program)
		if python == "" {
			continue
		}
		dir := filepath.Dir(python)
		if host.SameDir(dir, host.BinDir(env.Prefix)) {
			return
		}
		state := "another environment's"
		if !host.Exists(python) {
			state = "which does not exist"
		}
		env.warn("this environment was moved or copied: its programs, such as %s, start %s (%s); use \"python -m pip\" (%%pip) in it, or %s",
			program, python, state, kinds.Remake(env.Prefix))
		return
	}
}

// startedBy reads which python starts a script, "" if that is not plain to see.
// A long path stands in the second line, see distlib and pip.
func startedBy(script string) string {
	file, err := os.Open(script)
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1024)
	first, _, _ := lines.ReadLine()
	line, ok := strings.CutPrefix(string(first), "#!")
	if !ok {
		return ""
	}
	if strings.TrimSpace(line) == "/bin/sh" {
		second, _, _ := lines.ReadLine()
		if line, ok = strings.CutPrefix(string(second), "'''exec' "); !ok {
			return ""
		}
		line = strings.TrimSuffix(strings.TrimSpace(line), `"$0" "$@"`)
	}
	python := host.Unquote(line)
	if !filepath.IsAbs(python) || !strings.HasPrefix(filepath.Base(python), "python") {
		return "" // "/usr/bin/env python", or a relocatable one
	}
	return python
}
