package kinds

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// Kind says how an environment was made, which decides how it is activated and
// which program installs into it.
type Kind string

// Kinds of environment.
const (
	Venv    Kind = "venv"    // pyvenv.cfg, made by venv or virtualenv
	UV      Kind = "venv-uv" // pyvenv.cfg with the key "uv"
	Conda   Kind = "conda"   // has conda-meta; micromamba, mamba and pixi too
	System  Kind = "system"  // a Python that is in no environment
	Managed Kind = "managed" // the default environment this program made
	Jupyter Kind = "jupyter" // none here: the kernel is a Jupyter server's
)

// Installer says which program is the first choice to install into a kind.
type Installer string

// Installers. Without one it is pip where there is one, else uv.
const (
	ByUV    Installer = "uv"
	ByConda Installer = "conda"
)

// Entry is one way environments are made, or kept. What is nil has nothing to say.
type Entry struct {
	// Kind is that of its environments, "" for a tool whose environments are of
	// another kind. Marks tells one by its directory; where the entry Refines
	// another kind, only among that kind's. Stamps are the files in it whose change
	// may change what its Python is and has.
	Kind    Kind
	Refines Kind
	Marks   func(prefix string) bool
	Stamps  []string
	// Activate sets what its activation sets, but for what Scripts do.
	Activate  func(a Activation, v *host.Vars) (warnings []string)
	Scripts   func(prefix string) []string
	Installer Installer
	// Facts are the versions of Python and ipykernel as files tell them.
	Facts func(prefix string) (python, kernel string)
	// Remake is what a person does about one that does not work.
	Remake func(prefix string) string

	// Project lists the environments of the project in dir, by name and place
	// alone. Where it is Noted, the project says which one counts.
	Project func(h *host.Host, dir string) []string
	Noted   bool
	// Homes are directories that hold environments, or projects with a ".venv". In
	// the directory Nested gives, environments lie where the pattern leads.
	Homes  func(h *host.Host) []string
	Nested func(h *host.Host) (dir, pattern string)
	// Pythons is the directory of the Pythons it installs, each in one of its own.
	Pythons func(h *host.Host) string
	// Name is what a person calls the environment, "" where another entry says.
	Name func(prefix string) string
	// Refuses says why nobody but the tool itself should install, "" if others may.
	Refuses func(prefix string) string

	// Active is the variable that holds the directory of the active environment,
	// Leaves those that an activation leaves behind; with "*" all that begin so.
	Active string
	Leaves []string
}

// Activation is what is activated.
type Activation struct {
	Prefix, Python string
	Root           string // the conda installation, "" for none
}

// All lists the entries. Where several know an environment, the first counts.
func All() []Entry {
	return []Entry{
		pdmEntry(), venvEntry(), uvEntry(), condaEntry(), pixiEntry(), poetryEntry(), pipenvEntry(),
		workonEntry(), hatchEntry(), pyenvEntry(), systemEntry(), managedEntry(),
	}
}

// Of is the entry of a kind.
func Of(kind Kind) Entry {
	return first(func(e Entry) bool { return e.Kind == kind && kind != "" })
}

// At is the entry of the environment in the directory prefix. ok is false when
// there is none in it.
func At(prefix string) (e Entry, ok bool) {
	e = base(prefix)
	finer := first(func(x Entry) bool { return x.Refines == e.Kind && e.Kind != "" && x.Marks(prefix) })
	if finer.Kind != "" {
		e = finer
	}
	return e, e.Kind != ""
}

func base(prefix string) Entry {
	return first(func(e Entry) bool { return e.Marks != nil && e.Refines == "" && e.Marks(prefix) })
}

func first(is func(Entry) bool) Entry {
	for _, e := range All() {
		if is(e) {
			return e
		}
	}
	return Entry{}
}

// IsPrefix reports whether dir is the directory of an environment.
func IsPrefix(dir string) bool {
	return base(dir).Kind != ""
}

// InProject lists the environments that belong to the project in dir: the one its
// tool has noted, else all that any tool would make.
func InProject(h *host.Host, dir string) []string {
	var found []string
	for _, e := range All() {
		if e.Project == nil {
			continue
		}
		envs := e.Project(h, dir)
		if e.Noted {
			if envs = host.Distinct(envs, IsPrefix); len(envs) > 0 {
				return envs
			}
		}
		found = append(found, envs...)
	}
	return host.Distinct(found, IsPrefix)
}

// Name is what a person calls the environment in prefix: the last entry to say one
// counts, since its place in a tool's directory says more than a usual name.
func Name(prefix string) string {
	for _, e := range slices.Backward(All()) {
		if e.Name == nil {
			continue
		}
		if name := e.Name(prefix); name != "" {
			return name
		}
	}
	return filepath.Base(prefix)
}

// Refuses says why nobody but its tool should install into prefix, "" if others may.
func Refuses(prefix string) string {
	for _, e := range All() {
		if e.Refuses == nil {
			continue
		}
		if reason := e.Refuses(prefix); reason != "" {
			return reason
		}
	}
	return ""
}

// Remake is what a person does about an environment that does not work.
func Remake(prefix string) string {
	if e, ok := At(prefix); ok && e.Remake != nil {
		return e.Remake(prefix)
	}
	return remakeVenv(prefix)
}

// Stamps are the files in prefix whose change may change what its Python is and has.
func Stamps(prefix string) []string {
	var files []string
	for _, e := range All() {
		for _, name := range e.Stamps {
			files = append(files, filepath.Join(prefix, filepath.FromSlash(name)))
		}
	}
	return files
}

// Active lists the variables among names that hold an active environment.
func Active(names []string) []string {
	var patterns []string
	for _, e := range All() {
		if e.Active != "" {
			patterns = append(patterns, e.Active)
		}
	}
	return matching(names, patterns)
}

// Leaked lists the variables among names that are left of an environment that may
// be active around the server, or that would send our Python elsewhere: PYTHONHOME
// keeps a venv's python from starting, PYTHONSTARTUP is executed by ipykernel.
func Leaked(names []string) []string {
	patterns := []string{"PYTHONHOME", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__", "PYTHONSTARTUP"}
	for _, e := range All() {
		patterns = append(patterns, e.Leaves...)
	}
	return matching(names, patterns)
}

func matching(names, patterns []string) []string {
	var found []string
	for _, name := range names {
		if slices.ContainsFunc(patterns, func(pattern string) bool {
			begin, all := strings.CutSuffix(pattern, "*")
			return name == pattern || all && strings.HasPrefix(name, begin)
		}) {
			found = append(found, name)
		}
	}
	return found
}
