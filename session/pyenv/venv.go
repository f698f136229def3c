package pyenv

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// resolveVenv handles VENV_PATH and UV_VENV_PATH: which of the two was used does
// not matter, the environment says itself what it is.
func (f *Finder) resolveVenv(ctx context.Context, variable, value string) (*Environment, error) {
	path, err := f.Host.Expand(variable, value)
	if err != nil {
		return nil, err
	}
	env, err := f.locate(ctx, path)
	var notFound *NotFoundError
	if errors.As(err, &notFound) {
		env, err = f.locateListed(ctx, value, notFound)
	}
	if err != nil {
		return nil, err
	}
	return f.Complete(ctx, env)
}

// locateListed finds the environment by a name that [Finder.List] shows, when
// there is no such path. Else the error tells what there is.
func (f *Finder) locateListed(ctx context.Context, value string, notFound *NotFoundError) (*Environment, error) {
	list := f.List(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	name := strings.TrimSuffix(filepath.ToSlash(value), "/")
	var prefixes, names []string
	for _, found := range list.Found {
		names = append(names, found.Name)
		if found.answersTo(name) {
			prefixes = append(prefixes, found.Path)
		}
	}
	if isName := !filepath.IsAbs(value) && !strings.HasPrefix(value, "~") && !strings.HasPrefix(value, "."); isName {
		path, err := only(value, prefixes)
		if err != nil {
			return nil, err
		}
		if path != "" {
			return f.locate(ctx, path)
		}
		notFound.Name = value
		if notFound.Near == "" {
			notFound.Near = nearest(name, names)
		}
	}
	for _, found := range list.Found {
		if label := found.Name + " (" + found.Path + ")"; found.Kind != KindSystem && !slices.Contains(notFound.Available, found.Path) {
			notFound.Available = append(notFound.Available, label)
		}
	}
	return nil, notFound
}

// locate finds the environment that path means: its directory, its directory of
// programs, or its python. A python outside of any environment is KindSystem.
func (f *Finder) locate(ctx context.Context, path string) (*Environment, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return f.locateDir(ctx, path)
	case err == nil:
		return f.locateFile(ctx, path)
	case errors.Is(err, fs.ErrNotExist) && host.Exists(path):
		if prefix := filepath.Dir(filepath.Dir(path)); host.IsFile(filepath.Join(prefix, "pyvenv.cfg")) {
			return nil, dangling(prefix, path)
		}
		target, _ := os.Readlink(path)
		return nil, &BrokenError{Path: path, Reason: "it is a symbolic link to " + target + ", which does not exist", Err: err}
	case errors.Is(err, fs.ErrNotExist):
		notFound := &NotFoundError{Kind: string(KindVenv), Name: path, Searched: []string{path}, Available: venvsIn(filepath.Dir(path))}
		notFound.Near = nearest(path, notFound.Available)
		return nil, notFound
	default:
		return nil, &BrokenError{Path: path, Reason: "it cannot be looked at: " + err.Error(), Err: err}
	}
}

func (f *Finder) locateDir(ctx context.Context, dir string) (*Environment, error) {
	if base := filepath.Base(dir); base == "bin" || base == "Scripts" {
		if parent := filepath.Dir(dir); isPrefix(parent) || isInstallation(parent) {
			dir = parent
		}
	}
	switch {
	case isPrefix(dir):
		return f.environmentAt(dir)
	case halfRemoved(dir):
		return nil, &BrokenError{Path: dir, Reason: "it is a half-removed virtual environment (its pyvenv.cfg is gone)", Mend: mendVenv(dir)}
	case isInstallation(dir): // of pyenv or uv, or built by hand
		python, err := Interpreter(dir)
		if err != nil {
			return nil, err
		}
		return f.SystemPython(ctx, python)
	}
	if inside := f.projectEnvs(dir); len(inside) > 0 {
		prefix, err := only(dir, inside)
		if err != nil {
			return nil, err
		}
		env, err := f.environmentAt(prefix)
		if err == nil {
			env.warn("%s is a project's directory: its environment %s is used", dir, prefix)
		}
		return env, err
	}
	broken := &BrokenError{Path: dir, Reason: "it is not a virtual environment (no pyvenv.cfg in it)",
		Mend: "make one with: " + host.CommandLine("python3", "-m", "venv", filepath.Join(dir, ".venv"))}
	if inside := append(venvsIn(dir), conda.EnvsIn(dir)...); len(inside) > 0 {
		broken.Mend = "did you mean " + someOf(inside) + "?"
	}
	return nil, broken
}

// halfRemoved reports whether dir was a virtual environment: without pyvenv.cfg
// its python is the base Python, with none of its packages.
func halfRemoved(dir string) bool {
	return host.IsFile(filepath.Join(host.BinDir(dir), "activate")) && !isPrefix(dir)
}

// locateFile handles a python program, or a file that tells where its
// environment is.
func (f *Finder) locateFile(ctx context.Context, path string) (*Environment, error) {
	name, dir := filepath.Base(path), filepath.Dir(path)
	if name == "pyvenv.cfg" {
		return f.environmentAt(dir)
	}
	prefix := filepath.Dir(dir)
	if runtime.GOOS == "windows" && host.IsDir(filepath.Join(dir, "conda-meta")) {
		prefix = dir // conda keeps python.exe in the prefix itself
	}
	isPython := strings.HasPrefix(name, "python") || strings.HasPrefix(name, "pypy")
	switch {
	case isPrefix(prefix) && isPython && host.Executable(path):
		env, err := f.environmentAt(prefix)
		if err == nil {
			env.Python = path
		}
		return env, err
	case isPrefix(prefix) && strings.HasPrefix(strings.ToLower(name), "activate"):
		return f.environmentAt(prefix)
	case isPython && halfRemoved(prefix):
		return nil, &BrokenError{Path: prefix, Reason: "it is a half-removed virtual environment (its pyvenv.cfg is gone)", Mend: mendVenv(prefix)}
	case !host.Executable(path):
		return nil, &BrokenError{Path: path, Reason: "it is a file, but no program", Mend: "give an environment's directory or its python"}
	case !isPython:
		return nil, &BrokenError{Path: path, Reason: "it is a program, but not a python", Mend: "give an environment's directory or its python"}
	}
	return f.SystemPython(ctx, path)
}

// isPrefix reports whether dir is the directory of an environment.
func isPrefix(dir string) bool {
	return host.IsFile(filepath.Join(dir, "pyvenv.cfg")) || host.IsDir(filepath.Join(dir, "conda-meta"))
}

// environmentAt describes the environment in the directory prefix.
func (f *Finder) environmentAt(prefix string) (*Environment, error) {
	config := filepath.Join(prefix, "pyvenv.cfg")
	if !host.IsFile(config) {
		return f.condaAt(prefix)
	}
	python, err := Interpreter(prefix)
	if err != nil {
		return nil, err
	}
	env := &Environment{Kind: KindVenv, Name: filepath.Base(prefix), Prefix: prefix, Python: python}
	if _, ok := readPyvenv(config)["uv"]; ok {
		env.Kind = KindUV
	}
	return env, nil
}

// readPyvenv reads the "key = value" lines of a pyvenv.cfg; keys in lower case.
func readPyvenv(path string) map[string]string {
	data, err := host.ReadSmall(path)
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

// Interpreter finds the python of an environment. Its links are kept: resolved,
// it would be the base Python.
func Interpreter(prefix string) (string, error) {
	names := []string{"bin/python", "bin/python3"}
	if runtime.GOOS == "windows" {
		names = []string{"Scripts/python.exe", "bin/python.exe", "python.exe"}
	}
	var broken error
	for _, name := range names {
		path := filepath.Join(prefix, filepath.FromSlash(name))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		_, err := os.Stat(path)
		switch {
		case err == nil && host.Executable(path):
			return path, nil
		case broken != nil:
		case err == nil:
			broken = &BrokenError{Path: path, Reason: "it is not executable", Mend: mendVenv(prefix)}
		case errors.Is(err, fs.ErrNotExist):
			broken = dangling(prefix, path)
		default:
			broken = &BrokenError{Path: path, Reason: "it cannot be looked at: " + err.Error(), Err: err}
		}
	}
	if broken == nil {
		broken = &BrokenError{Path: prefix, Reason: "there is no python in it", Mend: mendVenv(prefix)}
	}
	return "", broken
}

// dangling is the error of a venv whose base Python was upgraded or removed.
func dangling(prefix, python string) error {
	home := readPyvenv(filepath.Join(prefix, "pyvenv.cfg"))["home"]
	if home == "" {
		home, _ = os.Readlink(python)
	}
	return &BrokenError{Path: python, Reason: "the base Python of this environment (" + home + ") is gone", Mend: mendVenv(prefix), Err: fs.ErrNotExist}
}

// mendVenv is the command that makes the environment anew.
func mendVenv(prefix string) string {
	switch {
	case host.IsDir(filepath.Join(prefix, "conda-meta")):
		return "add a Python: " + host.CommandLine("conda", "install", "-p", prefix, "python")
	case readPyvenv(filepath.Join(prefix, "pyvenv.cfg"))["uv"] != "":
		return "make it anew: " + host.CommandLine("uv", "venv", "--clear", prefix)
	}
	return "make it anew: " + host.CommandLine("python3", "-m", "venv", "--clear", prefix)
}

// venvsIn lists the virtual environments directly in dir.
func venvsIn(dir string) []string {
	var found []string
	for _, name := range host.NamesIn(dir) {
		if path := filepath.Join(dir, name); host.IsFile(filepath.Join(path, "pyvenv.cfg")) {
			found = append(found, path)
		}
	}
	return found
}
