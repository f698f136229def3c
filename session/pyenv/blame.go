package pyenv

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// VariableError says that a variable keeps a Python from starting: the environment
// itself is sound and must be left alone.
type VariableError struct {
	Python    string
	Variables []string // NAME=VALUE; more than one when only all together matter
	Reason    string   // the line of Python's that says why
}

func (e *VariableError) Error() string {
	verb, it := "keeps", "it"
	if len(e.Variables) > 1 {
		verb, it = "keep", "them"
	}
	return fmt.Sprintf("%s %s %s from starting: %s; correct %s or take %s out, in the client's configuration of this server or in the environment it was started from",
		strings.Join(e.Variables, " and "), verb, e.Python, e.Reason, it, it)
}

// readAtStart reports whether Python, or what loads it, reads a variable before any
// code runs.
func readAtStart(name string) bool {
	for _, prefix := range []string{"PYTHON", "LD_", "DYLD_", "GLIBC_TUNABLES", "MALLOC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "__PYVENV_LAUNCHER__"
}

// AtStart lists the variables in environ, NAME=VALUE, that change how a Python, or a
// kernel, starts.
func AtStart(environ []string) []string {
	var found []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if readAtStart(name) || strings.HasPrefix(name, "IPYTHON") || strings.HasPrefix(name, "JUPYTER") {
			found = append(found, entry)
		}
	}
	return found
}

// IPythonDirNotice says that IPYTHONDIR in environ names a directory that IPython
// cannot use in a kernel that starts in dir, and so replaces by a temporary one
// without a word; "" where it can.
func IPythonDirNotice(environ []string, dir string) string {
	vars := host.VarsOf(environ)
	value, _ := vars.Get("IPYTHONDIR")
	if value == "" {
		return ""
	}
	home, _ := vars.Get("HOME")
	path := (&host.Host{Home: home}).ExpandHome(value)
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	above := filepath.Dir(path)
	reason := ""
	switch there := host.Exists(path); {
	case there && !host.IsDir(path):
		reason = "is not a directory"
	case there && !host.Writable(path):
		reason = "may not be written to"
	case !there && strings.Contains(value, "$"):
		reason = "holds a variable, which nothing replaces"
	case !there && !host.IsDir(above):
		reason = "cannot be made: " + above + " is not there"
	case !there && !host.Writable(above):
		reason = "cannot be made: " + above + " may not be written to"
	}
	if reason == "" {
		return ""
	}
	return fmt.Sprintf("IPYTHONDIR=%s %s: IPython uses a temporary directory instead, and reads no configuration or start-up files of yours; correct the variable or take it out, in the client's configuration of this server", value, reason)
}

// blame finds the variables that keep env's Python from starting, by leaving them
// out; none when it does not start without them either.
func (f *Finder) blame(ctx context.Context, env *Environment) []string {
	var suspects []string
	for _, entry := range env.Vars {
		if name, _, _ := strings.Cut(entry, "="); readAtStart(name) {
			suspects = append(suspects, entry)
		}
	}
	starts := func(without ...string) bool {
		vars := slices.DeleteFunc(slices.Clone(env.Vars), func(entry string) bool { return slices.Contains(without, entry) })
		stdout, _, err := f.Host.Output(ctx, vars, env.Python, "-B", "-c", probeScript)
		if err != nil {
			return false
		}
		_, err = parseProbe(stdout)
		return err == nil
	}
	if len(suspects) == 0 || !starts(suspects...) {
		return nil
	}
	for _, one := range suspects {
		if starts(one) {
			return []string{one}
		}
	}
	return suspects
}

// tellingLine is the line of a failed Python's stderr that says why: what follows a
// fatal error is a dump of threads, and last comes an exception.
func tellingLine(stderr string) string {
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		for _, sign := range []string{"Fatal Python error:", "error while loading shared libraries:", "symbol lookup error:", "dyld["} {
			if strings.Contains(line, sign) {
				return line
			}
		}
	}
	return host.LastLines(stderr, 1)
}
