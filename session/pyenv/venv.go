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
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
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
		if label := found.Name + " (" + found.Path + ")"; found.Kind != kinds.System && !slices.Contains(notFound.Available, found.Path) {
			notFound.Available = append(notFound.Available, label)
		}
	}
	return nil, notFound
}

// locate finds the environment that path means: its directory, its directory of
// programs, or its python. A python outside of any environment is kinds.System.
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
		notFound := &NotFoundError{Kind: string(kinds.Venv), Name: path, Searched: []string{path}, Available: venvsIn(filepath.Dir(path))}
		notFound.Near = nearest(path, notFound.Available)
		return nil, notFound
	default:
		return nil, unseen(path, err)
	}
}

func (f *Finder) locateDir(ctx context.Context, dir string) (*Environment, error) {
	if base := filepath.Base(dir); base == "bin" || base == "Scripts" {
		if parent := filepath.Dir(dir); kinds.IsPrefix(parent) || kinds.IsInstallation(parent) {
			dir = parent
		}
	}
	switch {
	case kinds.IsPrefix(dir):
		return f.environmentAt(dir)
	case halfRemoved(dir):
		return nil, &BrokenError{Path: dir, Reason: "it is a half-removed virtual environment (its pyvenv.cfg is gone)", Fix: kinds.Remake(dir)}
	case kinds.IsInstallation(dir): // of pyenv or uv, or built by hand
		python, err := Interpreter(dir)
		if err != nil {
			return nil, err
		}
		return f.SystemPython(ctx, python)
	}
	if inside := kinds.InProject(f.Host, dir); len(inside) > 0 {
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
	if err := closed(dir, filepath.Join(dir, ".venv")); err != nil {
		return nil, err
	}
	broken := &BrokenError{Path: dir, Reason: "it is not a virtual environment (no pyvenv.cfg in it)",
		Fix: "make one with: " + host.CommandLine("python3", "-m", "venv", filepath.Join(dir, ".venv"))}
	if inside := append(venvsIn(dir), conda.EnvsIn(dir)...); len(inside) > 0 {
		broken.Fix = "did you mean " + someOf(inside) + "?"
	}
	return nil, broken
}

// halfRemoved reports whether dir was a virtual environment: without pyvenv.cfg
// its python is the base Python, with none of its packages.
func halfRemoved(dir string) bool {
	return host.IsFile(filepath.Join(host.BinDir(dir), "activate")) && !kinds.IsPrefix(dir)
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
	case kinds.IsPrefix(prefix) && isPython && host.Executable(path):
		env, err := f.environmentAt(prefix)
		if err == nil {
			env.Python = path
		}
		return env, err
	case kinds.IsPrefix(prefix) && strings.HasPrefix(strings.ToLower(name), "activate"):
		return f.environmentAt(prefix)
	case isPython && halfRemoved(prefix):
		return nil, &BrokenError{Path: prefix, Reason: "it is a half-removed virtual environment (its pyvenv.cfg is gone)", Fix: kinds.Remake(prefix)}
	case !host.Executable(path):
		return nil, &BrokenError{Path: path, Reason: "it is a file, but no program", Fix: "give an environment's directory or its python"}
	case !isPython:
		return nil, &BrokenError{Path: path, Reason: "it is a program, but not a python", Fix: "give an environment's directory or its python"}
	}
	return f.SystemPython(ctx, path)
}

// environmentAt describes the environment in the directory prefix.
func (f *Finder) environmentAt(prefix string) (*Environment, error) {
	kind, _ := kinds.At(prefix)
	if kind.Kind == kinds.Conda {
		return f.condaAt(prefix)
	}
	python, err := Interpreter(prefix)
	if err != nil {
		return nil, err
	}
	return &Environment{Kind: kind.Kind, Name: filepath.Base(prefix), Prefix: prefix, Python: python}, nil
}

// Interpreter finds the python of an environment. Its links are kept: resolved,
// it would be the base Python.
func Interpreter(prefix string) (string, error) {
	var broken error
	for _, path := range kinds.Interpreters(prefix) {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		_, err := os.Stat(path)
		switch {
		case err == nil && host.Executable(path):
			return path, nil
		case broken != nil:
		case err == nil:
			broken = &BrokenError{Path: path, Reason: "it is not executable", Fix: kinds.Remake(prefix)}
		case errors.Is(err, fs.ErrNotExist):
			broken = dangling(prefix, path)
		default:
			broken = unseen(path, err)
		}
	}
	if broken == nil {
		broken = &BrokenError{Path: prefix, Reason: "there is no python in it", Fix: kinds.Remake(prefix)}
	}
	return "", broken
}

// dangling is the error of a venv whose base Python was upgraded or removed.
func dangling(prefix, python string) error {
	home := kinds.Pyvenv(prefix)["home"]
	if home == "" {
		home, _ = os.Readlink(python)
	}
	return &BrokenError{Path: python, Reason: "the base Python of this environment (" + home + ") is gone", Fix: kinds.Remake(prefix), Err: fs.ErrNotExist}
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

// closed is the error for the first of these directories that may not be entered, else
// nil: what is in it is unknown, so it is not called no environment.
func closed(dirs ...string) error {
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "pyvenv.cfg")); errors.Is(err, fs.ErrPermission) {
			return unseen(dir, err)
		}
	}
	return nil
}

// unseen is the error for a path that cannot be looked at.
func unseen(path string, err error) *BrokenError {
	if !errors.Is(err, fs.ErrPermission) {
		return &BrokenError{Path: path, Reason: "it cannot be looked at: " + err.Error(), Fix: "give the directory of an environment, or its python", Err: err}
	}
	dir := notEntered(path)
	return &BrokenError{Path: path, Reason: "it cannot be looked at: permission denied to enter " + dir, Err: err,
		Fix: "if that directory is yours: chmod u+rx " + host.CommandLine(dir) + "; else ask its owner to run chmod o+rx " + host.CommandLine(dir) + ", or choose another environment"}
}

// notEntered returns the directory that keeps this process from a path, or path itself.
// It follows links: the python of a venv leads to another's directories, it may be.
func notEntered(path string) string {
	for range 40 { // more links than the kernel follows
		for dir := path; ; dir = filepath.Dir(dir) {
			if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrPermission) || dir == filepath.Dir(dir) {
				path = dir
				break
			}
		}
		target, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return path
}
