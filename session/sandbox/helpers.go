package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// Helper is a program that is started for an environment.
type Helper struct {
	Argv, Env []string
	Dir       string // where it runs: a directory of ours
	Private   string // for its temporary files
}

// Look is the sandbox of a program that looks at an environment or a project, and runs
// what lies there: it changes nothing and reaches nobody.
func (b *Box) Look(h Helper) (Confined, error) {
	place := b.place()
	place.Pythons = h.environments()
	plan, err := b.Rules.Look(place)
	if err != nil {
		return Confined{}, err
	}
	plan.Read = append(plan.Read, existing(place.WorkDir, place.Storage)...)
	kept, left := b.Rules.Variables(h.Env)
	return h.confined(plan, kept, left), nil
}

// Install is the sandbox of an installer: it has the network, and writes in the
// environments that its command line names, in this program's own data directory, and
// in its caches. An environment that code can change would run that code with the
// network: only those that a person has named are installed into.
func (b *Box) Install(h Helper, data string, named []string) (Confined, error) {
	place := b.place()
	place.Pythons = h.environments()
	if _, err := b.Rules.means(place); err != nil {
		return Confined{}, err
	}
	rules := b.Rules
	rules.Network, rules.Partial = NetworkOn, true
	rules.Read = append(slices.Clone(rules.Read), installerFiles(place)...)
	plan, err := rules.base(place)
	if err != nil {
		return Confined{}, err
	}
	code := existing(b.codes(place)...)
	unprotected, err := b.unprotected(place)
	if err != nil {
		return Confined{}, err
	}
	var into []string
	for _, dir := range existing(h.environments()...) {
		switch {
		case !isEnvironment(dir):
			continue
		case below(dir, code) && !below(dir, existing(named...)):
			return Confined{}, &confine.Refused{Reason: dir + " lies where code can write: with a sandbox nothing is installed there",
				Next: "name it in VENV_PATH, UV_VENV_PATH or CONDA_ENV_NAME in the client's configuration, or use an environment elsewhere"}
		case below(dir, unprotected):
			return Confined{}, &confine.Refused{Reason: dir + " lies where code can write, and only bubblewrap could protect it there: nothing is installed",
				Next: "install bubblewrap, take the directory out of SANDBOX_WRITE, or use an environment elsewhere"}
		}
		into = append(into, dir)
		plan.Check.Write = slices.DeleteFunc(plan.Check.Write, func(checked string) bool { return checked == dir })
	}
	theirs := untrusted{code, into}
	if program := h.Argv[0]; theirs.has(program) {
		return Confined{}, &confine.Refused{Reason: program + " lies where code can write: with a sandbox it is not run with the network",
			Next: "take its directory out of PATH, or let the variable UV name another uv"}
	}
	env := theirs.without(h.Env)
	plan.Write = slices.Concat(plan.Write, into, existing(append(rules.caches(place, env), data)...))
	for _, dir := range h.projects(code) {
		if rules.AnySource && (plan.Excepts() || len(protectedIn(dir)) == 0) {
			plan.Write, plan.Protect = append(plan.Write, dir), append(plan.Protect, protectedIn(dir)...)
		}
	}
	if plan.Mounts() && !slices.ContainsFunc(env, func(entry string) bool { return strings.HasPrefix(entry, "UV_LINK_MODE=") }) {
		env = append(env, "UV_LINK_MODE=copy") // its cache is another mount: linking fails, and uv warns
	}
	return h.confined(plan, installerVariables(rules, env), 0), nil
}

// unprotected are the directories that code can write to, where what they hold is not
// protected from it.
func (b *Box) unprotected(place Place) ([]string, error) {
	place.Pythons = nil // those of code's kernels may be others
	for _, dir := range []*string{&place.Storage, &place.WorkDir} {
		if !exists(*dir) {
			*dir = "" // it is made when it is first used
		}
	}
	plan, err := b.Rules.Plan(place)
	if err != nil || plan.Excepts() {
		return nil, err
	}
	return plan.Write, nil
}

func (h Helper) confined(plan confine.Plan, env []string, left int) Confined {
	plan.Private = h.Private
	plan.Read = append(plan.Read, existing(h.Dir)...)
	plan.Read = append(plan.Read, slices.DeleteFunc(existing(h.named()...), func(path string) bool { return below(path, plan.Write) || below(path, plan.Hide) })...)
	return Confined{Plan: &plan, Env: env, Left: left}
}

// named are paths that the command line and an installer's variables name: files of ours
// for it, a folder of wheels. They may lie where temporary files do.
func (h Helper) named() (paths []string) {
	paths = slices.Clone(h.Argv)
	for _, entry := range h.Env {
		name, value, _ := strings.Cut(entry, "=")
		if slices.Contains([]string{"PIP_FIND_LINKS", "UV_FIND_LINKS", "PIP_CONSTRAINT", "UV_CONSTRAINT", "PIP_CONFIG_FILE", "UV_CONFIG_FILE", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CONDARC"}, name) {
			paths = append(paths, strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' })...)
		}
	}
	return slices.DeleteFunc(paths, func(path string) bool {
		return !below(path, []string{temporary, "/var/tmp", os.TempDir()}) || filepath.Clean(path) == temporary
	})
}

// environments are those that the command line and the variables name, with the Pythons
// that they are made of.
func (h Helper) environments() (dirs []string) {
	paths := slices.Clone(h.Argv)
	for _, entry := range h.Env {
		for _, name := range []string{"MCE_PYTHON=", "VIRTUAL_ENV=", "CONDA_PREFIX="} {
			if value, ok := strings.CutPrefix(entry, name); ok {
				paths = append(paths, value)
			}
		}
	}
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			continue
		}
		for dir := filepath.Clean(path); dir != "/"; dir = filepath.Dir(dir) {
			if isEnvironment(dir) {
				dirs = append(dirs, dir, baseOf(dir))
				break
			}
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(filepath.Dir(real)))
		}
	}
	return dirs
}

// baseOf is the directory of the Python that a virtual environment is made of, "" where
// it does not say.
func baseOf(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "pyvenv.cfg"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == "home" {
			return filepath.Dir(strings.TrimSpace(value))
		}
	}
	return ""
}

// projects are directories that the command line names and that code may change: an
// installer builds in them.
func (h Helper) projects(code []string) []string {
	return slices.DeleteFunc(directories(existing(h.Argv...)), func(dir string) bool {
		return !below(dir, code) || isEnvironment(dir)
	})
}
