package pyenv

import (
	"path/filepath"
	"strings"
)

// rootOf finds the conda installation that owns prefix, "" if unknown.
func (f *CondaFinder) rootOf(prefix string) string {
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

// condaInstaller finds the program that installs into a conda environment: its
// root's own, else one that can work in any root. There is none for pixi's, which
// installs from its project's manifest alone.
func (f *CondaFinder) condaInstaller(prefix, root string) (tool, path string) {
	if isPixi(prefix) {
		return "", ""
	}
	if root != "" {
		for _, tool := range []string{"conda", "mamba", "micromamba"} {
			if path := lookup(tool, []string{binDir(root), filepath.Join(root, "condabin")}); path != "" {
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
