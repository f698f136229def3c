package conda

import (
	"path/filepath"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// RootOf finds the conda installation that owns prefix, "" if unknown.
func (f *Finder) RootOf(prefix string) string {
	if IsPixi(prefix) {
		return "" // pixi is its owner: conda would install what pixi removes again
	}
	if IsRoot(prefix) {
		return prefix
	}
	if parent := filepath.Dir(prefix); filepath.Base(parent) == "envs" {
		if root := filepath.Dir(parent); IsRoot(root) || root == filepath.Clean(f.Host.ExpandHome(f.Host.Variable("MAMBA_ROOT_PREFIX"))) {
			return root
		}
	}
	// conda notes its own path with each command that changed the environment.
	if history, err := host.ReadSmall(filepath.Join(prefix, "conda-meta", "history")); err == nil {
		for line := range strings.Lines(string(history)) {
			fields := strings.Fields(strings.TrimPrefix(line, "# cmd: "))
			if strings.HasPrefix(line, "# cmd: ") && len(fields) > 0 && filepath.IsAbs(fields[0]) {
				if root := filepath.Dir(filepath.Dir(fields[0])); IsRoot(root) {
					return root
				}
			}
		}
	}
	if places := f.Places(); len(places.Selected) > 0 {
		return places.Selected[0]
	}
	return ""
}

// Installer finds the program that installs into a conda environment: its
// root's own, else one that can work in any root. There is none for pixi's, which
// installs from its project's manifest alone.
func (f *Finder) Installer(prefix, root string) (tool, path string) {
	if IsPixi(prefix) {
		return "", ""
	}
	if root != "" {
		for _, tool := range []string{"conda", "mamba", "micromamba"} {
			if path := host.LookPath(tool, []string{host.BinDir(root), filepath.Join(root, "condabin")}); path != "" {
				return tool, path
			}
		}
	}
	if exe := f.Host.Variable("MAMBA_EXE"); filepath.IsAbs(exe) && host.Executable(exe) {
		return strings.TrimSuffix(filepath.Base(exe), host.ExeSuffix), exe
	}
	places := append(f.Host.PathDirs(), filepath.Join(f.Host.Home, ".local", "bin"))
	for _, tool := range []string{"micromamba", "mamba", "conda"} {
		if path := host.LookPath(tool, places); path != "" {
			return tool, path
		}
	}
	return "", ""
}
