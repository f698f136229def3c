package conda

import (
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// selectedRoots are the roots the user's shell, client or PATH chose, first
// choice first.
func (f *Finder) selectedRoots() []string {
	var roots []string
	if exe := f.Host.Variable("CONDA_EXE"); filepath.IsAbs(exe) {
		roots = append(roots, filepath.Dir(filepath.Dir(exe))) // in bin, Scripts or condabin
	}
	roots = append(roots, f.Host.Variable("_CONDA_ROOT"), f.Host.Variable("CONDA_ROOT"))
	if prefix := f.Host.Variable("CONDA_PREFIX"); prefix != "" {
		roots = append(roots, prefix)
		if parent := filepath.Dir(prefix); filepath.Base(parent) == "envs" {
			roots = append(roots, filepath.Dir(parent))
		}
	}
	roots = slices.DeleteFunc(roots, func(root string) bool { return !IsRoot(root) })
	if root := f.Host.ExpandHome(f.Host.Variable("MAMBA_ROOT_PREFIX")); isMambaRoot(root) {
		roots = append(roots, root)
	}
	for _, name := range []string{"conda", "mamba", "micromamba"} {
		if exe := host.LookPath(name, f.Host.PathDirs()); exe != "" {
			if real, err := filepath.EvalSymlinks(exe); err == nil && IsRoot(filepath.Dir(filepath.Dir(real))) {
				roots = append(roots, filepath.Dir(filepath.Dir(real)))
			}
		}
	}
	return host.Distinct(roots, isMambaRoot)
}

// usualRoots are the places installers of conda offer.
func (f *Finder) usualRoots() []string {
	names := []string{"miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba", "miniconda", "anaconda"}
	bases := []string{f.Host.Home, filepath.Join(f.Host.Home, "opt"), f.Host.Sys("/opt"), f.Host.Sys("/usr/local")}
	if runtime.GOOS == "windows" {
		bases = []string{f.Host.Home, f.Host.Variable("LOCALAPPDATA"), f.Host.Variable("ProgramData"), `C:\`}
	}
	var roots []string
	for _, base := range bases {
		for _, name := range names {
			roots = append(roots, filepath.Join(base, name))
		}
	}
	roots = append(roots, f.Host.Sys("/opt/conda"))
	for _, name := range []string{"miniforge", "mambaforge", "miniconda", "anaconda"} {
		roots = append(roots, f.Host.Sys("/opt/homebrew/Caskroom/"+name+"/base"))
	}
	roots = slices.DeleteFunc(host.Distinct(roots, isMambaRoot), func(root string) bool {
		return !IsRoot(root) && filepath.Base(root) != "micromamba"
	})
	roots = append(roots, filepath.Join(f.Host.Home, ".local", "share", "mamba"), filepath.Join(f.Host.DataHome(), "mamba")) // micromamba 2's own
	return host.Distinct(roots, isMambaRoot)
}

// Places is where environments are looked for.
type Places struct {
	Selected   []string // roots that were chosen, or the only one there is
	Usual      []string // roots that just are there, none of them chosen
	configured []string // envs directories from variables and condarc
	user       []string // the user's own envs directories
	Listed     []string // prefixes in ~/.conda/environments.txt
}

func (f *Finder) Places() Places {
	p := Places{Selected: f.selectedRoots(), user: []string{filepath.Join(f.Host.Home, ".conda", "envs")}}
	if runtime.GOOS == "windows" {
		p.user = append(p.user, filepath.Join(f.Host.Variable("LOCALAPPDATA"), "conda", "conda", "envs"))
	}
	all := host.Distinct(append(slices.Clone(p.Selected), f.usualRoots()...), isMambaRoot)
	p.Usual = all[len(p.Selected):]
	if len(p.Selected) == 0 && len(p.Usual) == 1 {
		p.Selected, p.Usual = p.Usual, nil
	}
	p.configured = f.configuredEnvsDirs(all)
	if data, err := host.ReadSmall(filepath.Join(f.Host.Home, ".conda", "environments.txt")); err == nil && f.Host.Home != "" {
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" {
				p.Listed = append(p.Listed, line)
			}
		}
	}
	return p
}

// EnvsDirs are the directories conda itself would look in, in its order: the
// user's own come first when the installation is not theirs to write to.
func (p Places) EnvsDirs() []string {
	dirs := slices.Clone(p.configured)
	ofRoots := envsOf(p.Selected)
	switch {
	case len(p.Selected) > 0 && !mayWrite(p.Selected[0]):
		dirs = append(append(dirs, p.user...), ofRoots...)
	case len(p.Selected) > 0:
		dirs = append(append(dirs, ofRoots...), p.user...)
	case len(p.Usual) == 0: // with several roots conda's order is not known
		dirs = append(dirs, p.user...)
	}
	return host.Distinct(dirs, host.IsDir)
}

// mayWrite reports whether a conda installation can be written to, by conda's own
// test.
func mayWrite(root string) bool {
	history := filepath.Join(root, "conda-meta", "history")
	if host.Exists(history) {
		return host.Writable(history)
	}
	return host.Writable(root)
}

func envsOf(roots []string) []string {
	var dirs []string
	for _, root := range roots {
		dirs = append(dirs, filepath.Join(root, "envs"))
	}
	return dirs
}

// OtherDirs are envs directories none of which conda would prefer.
func (p Places) OtherDirs() []string {
	if len(p.Usual) == 0 {
		return nil
	}
	if len(p.Selected) == 0 {
		return host.Distinct(append(envsOf(p.Usual), p.user...), host.IsDir)
	}
	return envsOf(p.Usual)
}

// IsRoot reports whether dir is a conda installation rather than one of its
// environments; micromamba's has no conda-meta until something is put into it.
func IsRoot(dir string) bool {
	switch filepath.Base(dir) {
	case ".conda", ".pixi": // have envs, and are none
		return false
	}
	if host.IsDir(filepath.Join(dir, "conda-meta")) {
		return host.IsDir(filepath.Join(dir, "condabin")) || host.IsDir(filepath.Join(dir, "envs"))
	}
	return host.IsDir(filepath.Join(dir, "envs")) && host.IsDir(filepath.Join(dir, "pkgs"))
}

// isMambaRoot accepts what micromamba does where dir is named as its root.
func isMambaRoot(dir string) bool {
	if !filepath.IsAbs(dir) {
		return false
	}
	for _, name := range []string{"conda-meta", "envs", "pkgs"} {
		if host.IsDir(filepath.Join(dir, name)) {
			return true
		}
	}
	return false
}

// IsPixi reports whether pixi made the environment.
func IsPixi(prefix string) bool { return host.IsFile(filepath.Join(prefix, "conda-meta", "pixi")) }

func IsPrefix(prefix string) bool { return host.IsDir(filepath.Join(prefix, "conda-meta")) }

// EnvsIn lists the conda environments directly in dir.
func EnvsIn(dir string) []string {
	var found []string
	for _, name := range host.NamesIn(dir) {
		if prefix := filepath.Join(dir, name); IsPrefix(prefix) {
			found = append(found, prefix)
		}
	}
	return found
}

// Program is the program conda of a root, "" if it has none.
func Program(root string) string {
	if root == "" {
		return ""
	}
	return host.LookPath("conda", []string{host.BinDir(root), filepath.Join(root, "condabin")})
}
