package pyenv

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// selectedRoots are the roots the user's shell, client or PATH chose, first
// choice first.
func (f *CondaFinder) selectedRoots() []string {
	var roots []string
	if exe := f.getenv("CONDA_EXE"); filepath.IsAbs(exe) {
		roots = append(roots, filepath.Dir(filepath.Dir(exe))) // in bin, Scripts or condabin
	}
	roots = append(roots, f.getenv("_CONDA_ROOT"), f.getenv("CONDA_ROOT"))
	if prefix := f.getenv("CONDA_PREFIX"); prefix != "" {
		roots = append(roots, prefix)
		if parent := filepath.Dir(prefix); filepath.Base(parent) == "envs" {
			roots = append(roots, filepath.Dir(parent))
		}
	}
	roots = slices.DeleteFunc(roots, func(root string) bool { return !isRoot(root) })
	if root := f.expandHome(f.getenv("MAMBA_ROOT_PREFIX")); isMambaRoot(root) {
		roots = append(roots, root)
	}
	for _, name := range []string{"conda", "mamba", "micromamba"} {
		if exe := lookup(name, f.pathDirs()); exe != "" {
			if real, err := filepath.EvalSymlinks(exe); err == nil && isRoot(filepath.Dir(filepath.Dir(real))) {
				roots = append(roots, filepath.Dir(filepath.Dir(real)))
			}
		}
	}
	return distinct(roots, isMambaRoot)
}

// usualRoots are the places installers of conda offer.
func (f *CondaFinder) usualRoots() []string {
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
	roots = append(roots, f.sys("/opt/conda"))
	for _, name := range []string{"miniforge", "mambaforge", "miniconda", "anaconda"} {
		roots = append(roots, f.sys("/opt/homebrew/Caskroom/"+name+"/base"))
	}
	roots = slices.DeleteFunc(distinct(roots, isMambaRoot), func(root string) bool {
		return !isRoot(root) && filepath.Base(root) != "micromamba"
	})
	roots = append(roots, filepath.Join(f.Home, ".local", "share", "mamba"), filepath.Join(f.dataHome(), "mamba")) // micromamba 2's own
	return distinct(roots, isMambaRoot)
}

// condaPlaces is where environments are looked for.
type condaPlaces struct {
	selected   []string // roots that were chosen, or the only one there is
	usual      []string // roots that just are there, none of them chosen
	configured []string // envs directories from variables and condarc
	user       []string // the user's own envs directories
	listed     []string // prefixes in ~/.conda/environments.txt
}

func (f *CondaFinder) condaPlaces() condaPlaces {
	p := condaPlaces{selected: f.selectedRoots(), user: []string{filepath.Join(f.Home, ".conda", "envs")}}
	if runtime.GOOS == "windows" {
		p.user = append(p.user, filepath.Join(f.getenv("LOCALAPPDATA"), "conda", "conda", "envs"))
	}
	all := distinct(append(slices.Clone(p.selected), f.usualRoots()...), isMambaRoot)
	p.usual = all[len(p.selected):]
	if len(p.selected) == 0 && len(p.usual) == 1 {
		p.selected, p.usual = p.usual, nil
	}
	p.configured = f.configuredEnvsDirs(all)
	if data, err := readSmall(filepath.Join(f.Home, ".conda", "environments.txt")); err == nil && f.Home != "" {
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" {
				p.listed = append(p.listed, line)
			}
		}
	}
	return p
}

// envsDirs are the directories conda itself would look in, in its order: the
// user's own come first when the installation is not theirs to write to.
func (p condaPlaces) envsDirs() []string {
	dirs := slices.Clone(p.configured)
	ofRoots := envsOf(p.selected)
	switch {
	case len(p.selected) > 0 && !mayWrite(p.selected[0]):
		dirs = append(append(dirs, p.user...), ofRoots...)
	case len(p.selected) > 0:
		dirs = append(append(dirs, ofRoots...), p.user...)
	case len(p.usual) == 0: // with several roots conda's order is not known
		dirs = append(dirs, p.user...)
	}
	return distinct(dirs, isDir)
}

// mayWrite reports whether a conda installation can be written to, by conda's own
// test.
func mayWrite(root string) bool {
	history := filepath.Join(root, "conda-meta", "history")
	if exists(history) {
		return writable(history)
	}
	return writable(root)
}

func envsOf(roots []string) []string {
	var dirs []string
	for _, root := range roots {
		dirs = append(dirs, filepath.Join(root, "envs"))
	}
	return dirs
}

// otherDirs are envs directories none of which conda would prefer.
func (p condaPlaces) otherDirs() []string {
	if len(p.usual) == 0 {
		return nil
	}
	if len(p.selected) == 0 {
		return distinct(append(envsOf(p.usual), p.user...), isDir)
	}
	return envsOf(p.usual)
}

// isRoot reports whether dir is a conda installation rather than one of its
// environments; micromamba's has no conda-meta until something is put into it.
func isRoot(dir string) bool {
	switch filepath.Base(dir) {
	case ".conda", ".pixi": // have envs, and are none
		return false
	}
	if isDir(filepath.Join(dir, "conda-meta")) {
		return isDir(filepath.Join(dir, "condabin")) || isDir(filepath.Join(dir, "envs"))
	}
	return isDir(filepath.Join(dir, "envs")) && isDir(filepath.Join(dir, "pkgs"))
}

// isMambaRoot accepts what micromamba does where dir is named as its root.
func isMambaRoot(dir string) bool {
	if !filepath.IsAbs(dir) {
		return false
	}
	for _, name := range []string{"conda-meta", "envs", "pkgs"} {
		if isDir(filepath.Join(dir, name)) {
			return true
		}
	}
	return false
}

// isPixi reports whether pixi made the environment.
func isPixi(prefix string) bool { return isFile(filepath.Join(prefix, "conda-meta", "pixi")) }

func hasMeta(prefix string) bool { return isDir(filepath.Join(prefix, "conda-meta")) }

// condaEnvsIn lists the conda environments directly in dir.
func condaEnvsIn(dir string) []string {
	var found []string
	for _, name := range namesIn(dir) {
		if prefix := filepath.Join(dir, name); hasMeta(prefix) {
			found = append(found, prefix)
		}
	}
	return found
}

// condaProgram is the program conda of a root, "" if it has none.
func condaProgram(root string) string {
	if root == "" {
		return ""
	}
	return lookup("conda", []string{binDir(root), filepath.Join(root, "condabin")})
}
