package pyenv

import (
	"path/filepath"
	"strings"
)

// rootOf finds the conda installation that owns prefix, "" if unknown.
func (f *Finder) rootOf(prefix string) string {
	if isPixi(prefix) {
		return "" // pixi is its owner: conda would install what pixi removes again
	}
	if isRoot(prefix) {
		return prefix
	}
	if parent := filepath.Dir(prefix); filepath.Base(parent) == "envs" {
		if root := filepath.Dir(parent); isRoot(root) || root == filepath.Clean(f.expandHome(f.getenv("MAMBA_ROOT_PREFIX"))) {
			return root
		}
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
	if places := f.condaPlaces(); len(places.selected) > 0 {
		return places.selected[0]
	}
	return ""
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

// condaProgram is the program conda of a root, "" if it has none.
func condaProgram(root string) string {
	if root == "" {
		return ""
	}
	return lookup("conda", []string{binDir(root), filepath.Join(root, "condabin")})
}

// condaInstaller finds the program that installs into a conda environment: its
// root's own, else one that can work in any root. There is none for pixi's, which
// installs from its project's manifest alone.
func (f *Finder) condaInstaller(env *Environment) (tool, path string) {
	if isPixi(env.Prefix) {
		return "", ""
	}
	if env.Root != "" {
		for _, tool := range []string{"conda", "mamba", "micromamba"} {
			if path := lookup(tool, []string{binDir(env.Root), filepath.Join(env.Root, "condabin")}); path != "" {
				return tool, path
			}
		}
	}
	if exe := f.getenv("MAMBA_EXE"); filepath.IsAbs(exe) && executable(exe) {
		return strings.TrimSuffix(filepath.Base(exe), exeSuffix), exe
	}
	places := append(f.pathDirs(), filepath.Join(f.Home, ".local", "bin"))
	for _, tool := range []string{"micromamba", "mamba", "conda"} {
		if path := lookup(tool, places); path != "" {
			return tool, path
		}
	}
	return "", ""
}
