package pyenv

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// resolveConda handles CONDA_ENV_NAME: a name, "base", or a path.
func (f *Finder) resolveConda(ctx context.Context, name string) (*Environment, error) {
	// conda's own rule for what is a path.
	if strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, "~") || strings.HasPrefix(name, ".") {
		path, err := f.Host.Expand("CONDA_ENV_NAME", name)
		if err != nil {
			return nil, err
		}
		env, err := f.condaByPath(path)
		if err != nil {
			return nil, err
		}
		return f.Complete(ctx, env)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, &host.ConfigError{Variable: "CONDA_ENV_NAME", Value: name, Reason: "holds control characters", Fix: "give a name or a path"}
	}
	prefix, err := f.condaPrefix(ctx, name)
	if err != nil {
		return nil, err
	}
	env, err := f.condaAt(prefix)
	if err != nil {
		return nil, err
	}
	if name != "root" {
		env.Name = name
	}
	if warning := f.Conda.Aliases(); warning != "" {
		env.warn("%s", warning)
	}
	return f.Complete(ctx, env)
}

// condaByPath accepts the prefix, its bin directory, or its python.
func (f *Finder) condaByPath(path string) (*Environment, error) {
	for _, prefix := range []string{path, filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if host.IsDir(filepath.Join(prefix, "conda-meta")) && (prefix == path || belongs(prefix, path)) {
			return f.condaAt(prefix)
		}
	}
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, f.condaNotFound(path, []string{path}, f.Conda.Places())
	case err != nil:
		return nil, unseen(path, err)
	}
	// A project of pixi, its ".pixi", or the directory of its environments.
	if inside := kinds.PixiEnvs(path); len(inside) > 0 {
		prefix, err := only(path, inside)
		if err != nil {
			return nil, err
		}
		return f.condaAt(prefix)
	}
	if err := closed(path); err != nil {
		return nil, err
	}
	broken := &BrokenError{Path: path, Reason: "it is not a conda environment (no conda-meta in it)"}
	switch inside := conda.EnvsIn(path); {
	case host.IsFile(filepath.Join(path, "pyvenv.cfg")):
		broken.Fix = "it is a virtual environment: set ENV_TYPE=venv and VENV_PATH=" + path
	case len(inside) > 0:
		broken.Fix = "did you mean " + someOf(inside) + "?"
	}
	return nil, broken
}

// belongs reports whether path is prefix's directory of programs or its python;
// any other file or directory in an environment is not the environment.
func belongs(prefix, path string) bool {
	name := filepath.Base(path)
	return path == host.BinDir(prefix) || path == filepath.Join(prefix, "bin") ||
		strings.HasPrefix(name, "python") && host.Executable(path)
}

// condaAt describes the conda environment in prefix.
func (f *Finder) condaAt(prefix string) (*Environment, error) {
	python, err := Interpreter(prefix)
	if err != nil {
		return nil, err
	}
	env := &Environment{Kind: kinds.Conda, Name: filepath.Base(prefix), Prefix: prefix, Python: python, Root: f.Conda.RootOf(prefix)}
	if env.Root == prefix {
		env.Name = "base"
	}
	return env, nil
}

// condaPrefix finds the prefix of a name, from files alone as long as they know
// it. Where conda itself would say which is meant, the first one counts; among
// roots and prefixes that merely are there, two are ambiguous.
func (f *Finder) condaPrefix(ctx context.Context, name string) (string, error) {
	places := f.Conda.Places()
	var searched []string
	if name == "base" || name == "root" {
		for _, root := range places.Selected {
			if conda.IsPrefix(root) {
				return root, nil
			}
		}
		if prefix, err := only(name, slices.DeleteFunc(slices.Clone(places.Usual), func(r string) bool { return !conda.IsPrefix(r) })); prefix != "" || err != nil {
			return prefix, err
		}
	}
	for _, dir := range places.EnvsDirs() {
		searched = append(searched, dir)
		if prefix := filepath.Join(dir, name); conda.IsPrefix(prefix) {
			return prefix, nil
		}
	}
	var hits []string
	for _, dir := range places.OtherDirs() {
		searched = append(searched, dir)
		hits = append(hits, filepath.Join(dir, name))
	}
	for _, prefix := range places.Listed {
		if filepath.Base(prefix) == name {
			hits = append(hits, prefix)
		}
	}
	if prefix, err := only(name, host.Distinct(hits, conda.IsPrefix)); prefix != "" || err != nil {
		return prefix, err
	}
	answer := f.Conda.Ask(ctx, f.CleanVars().Environ(), places)
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	if prefix, err := only(name, answer.Named(name)); prefix != "" || err != nil {
		return prefix, err
	}
	places.Listed = append(places.Listed, answer.Envs...)
	return "", f.condaNotFound(name, searched, places)
}

// only returns the one prefix there is, "" for none, an error for several.
func only(name string, prefixes []string) (string, error) {
	switch len(prefixes) {
	case 0:
		return "", nil
	case 1:
		return prefixes[0], nil
	}
	return "", &AmbiguousError{Name: name, Prefixes: prefixes}
}

// condaNotFound lists what there is and what is nearest.
func (f *Finder) condaNotFound(name string, searched []string, places conda.Places) error {
	notFound := &NotFoundError{Kind: string(kinds.Conda), Name: name, Searched: searched}
	prefixes := append(slices.Clone(places.Selected), places.Usual...)
	for _, dir := range append(places.EnvsDirs(), places.OtherDirs()...) {
		prefixes = append(prefixes, conda.EnvsIn(dir)...)
	}
	var names []string
	for _, prefix := range host.Distinct(append(prefixes, places.Listed...), conda.IsPrefix) {
		label := filepath.Base(prefix)
		if conda.IsRoot(prefix) {
			label = "base"
		}
		names = append(names, label)
		notFound.Available = append(notFound.Available, label+" ("+prefix+")")
	}
	notFound.Near = nearest(filepath.Base(name), names)
	return notFound
}
