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
)

// resolveConda handles CONDA_ENV_NAME: a name, "base", or a path.
func (f *Finder) resolveConda(ctx context.Context, name string) (*Environment, error) {
	// conda's own rule for what is a path.
	if strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, "~") || strings.HasPrefix(name, ".") {
		path, err := f.expand("CONDA_ENV_NAME", name)
		if err != nil {
			return nil, err
		}
		env, err := f.condaByPath(path)
		if err != nil {
			return nil, err
		}
		return f.finish(ctx, env)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, &ConfigError{Variable: "CONDA_ENV_NAME", Value: name, Reason: "holds control characters", Mend: "give a name or a path"}
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
	return f.finish(ctx, env)
}

// condaByPath accepts the prefix, its bin directory, or its python.
func (f *Finder) condaByPath(path string) (*Environment, error) {
	for _, prefix := range []string{path, filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if isDir(filepath.Join(prefix, "conda-meta")) && (prefix == path || belongs(prefix, path)) {
			return f.condaAt(prefix)
		}
	}
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, f.condaNotFound(path, []string{path}, f.condaPlaces())
	case err != nil:
		return nil, &BrokenError{Path: path, Reason: "it cannot be looked at: " + err.Error(), Err: err}
	}
	broken := &BrokenError{Path: path, Reason: "it is not a conda environment (no conda-meta in it)"}
	if isFile(filepath.Join(path, "pyvenv.cfg")) {
		broken.Mend = "it is a virtual environment: set ENV_TYPE=venv and VENV_PATH=" + path
	}
	return nil, broken
}

// belongs reports whether path is prefix's directory of programs or its python;
// any other file or directory in an environment is not the environment.
func belongs(prefix, path string) bool {
	name := filepath.Base(path)
	return path == binDir(prefix) || path == filepath.Join(prefix, "bin") ||
		strings.HasPrefix(name, "python") && executable(path)
}

// condaAt describes the conda environment in prefix.
func (f *Finder) condaAt(prefix string) (*Environment, error) {
	python, err := interpreter(prefix)
	if err != nil {
		return nil, err
	}
	env := &Environment{Kind: KindConda, Name: filepath.Base(prefix), Prefix: prefix, Python: python, Root: f.rootOf(prefix)}
	if env.Root == prefix {
		env.Name = "base"
	}
	return env, nil
}

// rootOf finds the conda installation that owns prefix, "" if unknown.
func (f *Finder) rootOf(prefix string) string {
	if isRoot(prefix) {
		return prefix
	}
	if parent := filepath.Dir(prefix); filepath.Base(parent) == "envs" && isRoot(filepath.Dir(parent)) {
		return filepath.Dir(parent)
	}
	// conda notes its own path with each command that changed the environment.
	if history, err := readSmall(filepath.Join(prefix, "conda-meta", "history")); err == nil {
		for line := range strings.Lines(string(history)) {
			fields := strings.Fields(strings.TrimPrefix(line, "# cmd: "))
			if strings.HasPrefix(line, "# cmd: ") && len(fields) > 0 && filepath.IsAbs(fields[0]) {
				if root := filepath.Dir(filepath.Dir(fields[0])); isRoot(root) {
					return root
				}
			}
		}
	}
	if roots := f.selectedRoots(); len(roots) > 0 {
		return roots[0]
	}
	return ""
}

// isRoot reports whether dir is a conda installation rather than one of its
// environments; micromamba's has no conda-meta until something is put into it.
func isRoot(dir string) bool {
	if isDir(filepath.Join(dir, "conda-meta")) {
		return isDir(filepath.Join(dir, "condabin")) || isDir(filepath.Join(dir, "envs"))
	}
	return isDir(filepath.Join(dir, "envs")) && isDir(filepath.Join(dir, "pkgs"))
}

// condaProgram is the program conda of a root, "" if it has none.
func condaProgram(root string) string {
	if root == "" {
		return ""
	}
	return lookup("conda", []string{binDir(root), filepath.Join(root, "condabin")})
}

// selectedRoots are the roots the user's shell, client or PATH chose, first
// choice first.
func (f *Finder) selectedRoots() []string {
	var roots []string
	if exe := f.getenv("CONDA_EXE"); filepath.IsAbs(exe) {
		roots = append(roots, filepath.Dir(filepath.Dir(exe)))
	}
	roots = append(roots, f.getenv("_CONDA_ROOT"), f.getenv("CONDA_ROOT"))
	if prefix := f.getenv("CONDA_PREFIX"); prefix != "" {
		roots = append(roots, prefix)
		if parent := filepath.Dir(prefix); filepath.Base(parent) == "envs" {
			roots = append(roots, filepath.Dir(parent))
		}
	}
	roots = append(roots, f.getenv("MAMBA_ROOT_PREFIX"))
	for _, name := range []string{"conda", "mamba", "micromamba"} {
		if exe := lookup(name, f.pathDirs()); exe != "" {
			if real, err := filepath.EvalSymlinks(exe); err == nil {
				roots = append(roots, filepath.Dir(filepath.Dir(real)))
			}
		}
	}
	return distinct(roots, isRoot)
}

// usualRoots are the places installers of conda offer.
func (f *Finder) usualRoots() []string {
	names := []string{"miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba", "miniconda", "anaconda"}
	bases := []string{f.Home, filepath.Join(f.Home, "opt"), f.sys("/opt"), f.sys("/usr/local")}
	if runtime.GOOS == "windows" {
		bases = []string{f.Home, f.getenv("LOCALAPPDATA"), f.getenv("ProgramData"), `C:\`}
	}
	var roots []string
	for _, base := range bases {
		for _, name := range names {
			roots = append(roots, filepath.Join(base, name))
		}
	}
	roots = append(roots, filepath.Join(f.Home, ".local", "share", "mamba"), f.sys("/opt/conda"))
	for _, name := range []string{"miniforge", "mambaforge", "miniconda", "anaconda"} {
		roots = append(roots, f.sys("/opt/homebrew/Caskroom/"+name+"/base"))
	}
	if xdg := f.getenv("XDG_DATA_HOME"); xdg != "" {
		roots = append(roots, filepath.Join(xdg, "mamba"))
	}
	return distinct(roots, isRoot)
}

// distinct keeps the absolute directories that ok accepts, each once even when
// several names lead to it.
func distinct(dirs []string, ok func(string) bool) []string {
	var kept, real []string
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) || !ok(dir) {
			continue
		}
		resolved, err := filepath.EvalSymlinks(dir)
		if err != nil || slices.Contains(real, resolved) {
			continue
		}
		kept, real = append(kept, filepath.Clean(dir)), append(real, resolved)
	}
	return kept
}

// condaPlaces is where environments are looked for.
type condaPlaces struct {
	selected   []string // roots that were chosen
	usual      []string // roots that just are there
	configured []string // envs directories from variables and condarc
	user       []string // the user's own envs directories
	listed     []string // prefixes in ~/.conda/environments.txt
}

func (f *Finder) condaPlaces() condaPlaces {
	p := condaPlaces{selected: f.selectedRoots(), user: []string{filepath.Join(f.Home, ".conda", "envs")}}
	if runtime.GOOS == "windows" {
		p.user = append(p.user, filepath.Join(f.getenv("LOCALAPPDATA"), "conda", "conda", "envs"))
	}
	all := distinct(append(slices.Clone(p.selected), f.usualRoots()...), isRoot)
	p.usual = all[len(p.selected):]
	p.configured = f.configuredEnvsDirs(append(slices.Clone(p.selected), p.usual...))
	if data, err := readSmall(filepath.Join(f.Home, ".conda", "environments.txt")); err == nil && f.Home != "" {
		for line := range strings.Lines(string(data)) {
			p.listed = append(p.listed, strings.TrimSpace(line))
		}
	}
	return p
}

// envsDirs are the directories environments are in, in conda's order.
func (p condaPlaces) envsDirs() []string {
	dirs := slices.Clone(p.configured)
	for _, root := range p.selected {
		dirs = append(dirs, filepath.Join(root, "envs"))
	}
	return distinct(append(dirs, p.user...), isDir)
}

func hasMeta(prefix string) bool { return isDir(filepath.Join(prefix, "conda-meta")) }

// condaPrefix finds the prefix of a name, from files alone as long as they know
// it. Where conda itself would say which is meant, the first one counts; among
// roots and prefixes that merely are there, two are ambiguous.
func (f *Finder) condaPrefix(ctx context.Context, name string) (string, error) {
	places := f.condaPlaces()
	var searched []string
	if name == "base" || name == "root" {
		for _, root := range places.selected {
			if hasMeta(root) {
				return root, nil
			}
		}
		if prefix, err := only(name, slices.DeleteFunc(slices.Clone(places.usual), func(r string) bool { return !hasMeta(r) })); prefix != "" || err != nil {
			return prefix, err
		}
	}
	for _, dir := range places.envsDirs() {
		searched = append(searched, dir)
		if prefix := filepath.Join(dir, name); hasMeta(prefix) {
			return prefix, nil
		}
	}
	var hits []string
	for _, root := range places.usual {
		searched = append(searched, filepath.Join(root, "envs"))
		hits = append(hits, filepath.Join(root, "envs", name))
	}
	for _, prefix := range places.listed {
		if filepath.Base(prefix) == name {
			hits = append(hits, prefix)
		}
	}
	if prefix, err := only(name, distinct(hits, hasMeta)); prefix != "" || err != nil {
		return prefix, err
	}
	answer := f.askConda(ctx, places)
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	if prefix, err := only(name, answer.named(name)); prefix != "" || err != nil {
		return prefix, err
	}
	places.listed = append(places.listed, answer.Envs...)
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
func (f *Finder) condaNotFound(name string, searched []string, places condaPlaces) error {
	notFound := &NotFoundError{Kind: string(KindConda), Name: name, Searched: searched}
	prefixes := append(slices.Clone(places.selected), places.usual...)
	for _, dir := range append(places.envsDirs(), envsOf(places.usual)...) {
		d, err := os.Open(dir)
		if err != nil {
			continue
		}
		names, _ := d.Readdirnames(maxListed)
		d.Close()
		slices.Sort(names)
		for _, name := range names {
			prefixes = append(prefixes, filepath.Join(dir, name))
		}
	}
	var names []string
	for _, prefix := range distinct(append(prefixes, places.listed...), hasMeta) {
		label := filepath.Base(prefix)
		if isRoot(prefix) {
			label = "base"
		}
		names = append(names, label)
		notFound.Available = append(notFound.Available, label+" ("+prefix+")")
	}
	notFound.Near = nearest(name, names)
	return notFound
}

func envsOf(roots []string) []string {
	var dirs []string
	for _, root := range roots {
		dirs = append(dirs, filepath.Join(root, "envs"))
	}
	return dirs
}
