package pyenv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// SystemPython asks a python outside of any environment where it lives: a shim
// of pyenv is a script that starts another program, which is then used directly.
func (f *Finder) SystemPython(ctx context.Context, path string) (*Environment, error) {
	if dialogStub(runtime.GOOS, path) {
		return nil, &BrokenError{Path: path, Reason: "it is a stub that opens a dialog instead of running Python",
			Fix: "install Python, or give the path of another one"}
	}
	env := &Environment{Kind: kinds.System, Name: filepath.Base(path), Python: path, Prefix: filepath.Dir(filepath.Dir(path))}
	env.Vars = f.CleanVars().Environ()
	if err := f.Probe(ctx, env); err != nil {
		return nil, f.shimFailed(path, err)
	}
	if python := env.Info.Executable; filepath.IsAbs(python) && host.Executable(python) {
		env.Python = python
	}
	if shims := filepath.Dir(path); filepath.Base(shims) == "shims" && !strings.HasPrefix(env.Python, filepath.Dir(shims)+string(filepath.Separator)) {
		// pyenv falls back on PATH, also when the version it was told is not installed.
		env.warn("%s is a shim of pyenv, which started %s: none of pyenv's own", path, env.Python)
	}
	env.Prefix = env.Info.Prefix
	env.Name = env.Info.Version
	if kinds.IsPrefix(env.Prefix) { // a wrapper around an environment's python
		return f.environmentAt(env.Prefix)
	}
	return env, nil
}

// shimFailed adds to the error of a shim of pyenv, which chooses among versions by
// files and variables, the pythons it chooses from.
func (f *Finder) shimFailed(path string, err error) error {
	var broken *BrokenError
	if filepath.Base(filepath.Dir(path)) != "shims" || !errors.As(err, &broken) {
		return err
	}
	broken.Fix = "it is a shim of pyenv: choose a version with `pyenv global`"
	if versions := f.pyenvVersions("*"); len(versions) > 0 {
		broken.Fix += ", or give one itself: " + someOf(versions)
	}
	return err
}

// dialogStub reports programs that open a window when started without their
// developer tools or store package: they are never started, nor are links to them.
func dialogStub(goos, path string) bool {
	names := []string{path}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		names = append(names, real)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		switch goos {
		case "darwin":
			return strings.HasPrefix(name, "/usr/bin/")
		case "windows":
			return strings.Contains(strings.ToLower(name), `\microsoft\windowsapps\`)
		}
		return false
	})
}

// BasePythons lists the pythons there may be, best first. 3.14 comes late: fewer
// packages have wheels for it.
func (f *Finder) BasePythons() []string {
	var found []string
	add := func(name string, dirs []string) {
		if path := host.LookPath(name, dirs); path != "" && !slices.Contains(found, path) && !dialogStub(runtime.GOOS, path) {
			found = append(found, path)
		}
	}
	dirs := append(f.Host.PathDirs(), f.Host.Sys("/usr/local/bin"), f.Host.Sys("/opt/homebrew/bin"), f.Host.Sys("/usr/bin"))
	// A Python inside an active environment would tie ours to it.
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return kinds.IsPrefix(filepath.Dir(dir)) })
	for _, minor := range []string{"3.13", "3.12", "3.11", "3.10", "3.14"} {
		add("python"+minor, dirs)
		for _, version := range f.pyenvVersions(minor) {
			add("python", []string{host.BinDir(version), version})
		}
	}
	add("python3", dirs)
	add("python", dirs)
	return found
}

// pyenvVersions lists the directories of pyenv's versions of one minor, newest
// first. Its shims are no good: they depend on what is selected where.
func (f *Finder) pyenvVersions(minor string) []string {
	versions := kinds.PyenvVersions(f.Host)
	found, _ := filepath.Glob(filepath.Join(host.GlobEscape(versions), minor+".*"))
	found = slices.DeleteFunc(found, func(dir string) bool { return !host.IsDir(dir) || kinds.IsPrefix(dir) })
	slices.SortFunc(found, func(a, b string) int { return packaging.CompareReleases(filepath.Base(b), filepath.Base(a)) })
	return found
}

// pythonNames are the names of pythons on PATH.
func pythonNames() []string {
	names := []string{"python3" + host.ExeSuffix, "python" + host.ExeSuffix}
	for minor := 15; minor >= minPython; minor-- {
		names = append(names, fmt.Sprintf("python3.%d%s", minor, host.ExeSuffix))
	}
	return names
}
