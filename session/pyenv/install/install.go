package install

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// Installer installs packages into environments. Set the fields before first use;
// it is safe for concurrent use and must not be copied.
type Installer struct {
	Finder *pyenv.Finder
	// UVInstall is UV_INSTALL: "never" forbids fetching uv.
	UVInstall string
	// Never is INSTALL=never: nothing is installed, and nothing is fetched.
	Never bool
	// WheelsOnly is true where a sandbox has nothing built from source.
	WheelsOnly bool
}

// Options say how to install. The zero value installs what is missing.
type Options struct {
	Upgrade bool // take the newest version that fits, also of what is there
	// Progress gets the installer's lines, and sentences of ours, as they come; it
	// is called from one goroutine at a time. nil is none.
	Progress func(line string)
}

// Change is one distribution that an installation changed.
type Change struct {
	Name string // normalised
	Old  string // "" when it was not there
	New  string // "" when it is gone
	// Modules are the names it is imported by: a kernel that has imported one
	// before goes on with the old code.
	Modules []string
}

// Distribution is a distribution that is installed.
type Distribution struct{ Name, Version string }

// Result says what an installation did. It comes from the metadata before
// and after, never from what the installer said.
type Result struct {
	Tool      string         // "pip", "uv", "conda", …
	Command   []string       // what was run, without secrets
	Changes   []Change       // by name
	Unchanged []Distribution // requested, and there before in the same version
	Output    string         // the end of the installer's output
}

// Install installs reqs into env with the tool that suits it, one installation
// at a time for each environment, also among servers. Failures of an installer
// are an [*InstallError]; when ctx ends the installer is ended with all its
// children, and the error is an [*InstallError] that wraps the context's cause
// and says what has changed already. With Never it is a [*ForbiddenError].
func (i *Installer) Install(ctx context.Context, env *pyenv.Environment, wanted packaging.Wanted, o Options) (Result, error) {
	if err := i.Forbids("installing packages"); err != nil {
		return Result{}, err
	}
	if len(wanted.Requirements) == 0 {
		return Result{}, errors.New("no packages are given; name at least one")
	}
	if err := refuseInstall(env); err != nil {
		return Result{}, err
	}
	in := &installation{installer: i, env: env, reqs: wanted.Requirements, constraints: wanted.Constraints, upgrade: o.Upgrade, progress: host.OrSilent(o.Progress)}
	unlock, err := i.Finder.Host.Lock(ctx, host.LockName(env.Prefix), host.WaitingFor(in.say, "another installation into "+env.Prefix))
	if err != nil {
		return Result{}, fmt.Errorf("waiting to install: %w", err)
	}
	defer unlock()
	if in.before, err = i.Finder.Snapshot(ctx, env); err != nil {
		return Result{}, fmt.Errorf("looking at the packages before installing: %w", err)
	}
	if err := in.writeFiles(); err != nil {
		return Result{}, fmt.Errorf("writing what to install: %w", err)
	}
	defer os.RemoveAll(in.dir)
	in.run(ctx)
	i.Finder.Forget(env.Python)
	return in.result(ctx)
}

// installation is one Install under way.
type installation struct {
	installer *Installer
	env       *pyenv.Environment
	reqs      []packaging.Requirement
	upgrade   bool
	progress  func(string)
	before    map[string]string
	// constraints bound versions, and dir holds the files that say so.
	constraints []packaging.Requirement
	dir         string

	last    attempt // the one that counts
	failure error   // its error
	tail    string  // the end of its output
	earlier string  // what another tool said before
}

// attempt is one command that installs.
type attempt struct {
	tool    string
	argv    []string
	vars    []string
	prepare []string // a command that must succeed first, nil for none
	// next tells from a failure's output whether the next attempt may do better.
	next func(output string) bool
}

const (
	// installLimit bounds an attempt. Wheels of gigabytes are no rarity, and nobody
	// has to wait here: the caller's ctx ends it sooner.
	installLimit      = 30 * time.Minute
	installAfterLimit = 15 * time.Second // for looking what a cancelled one has done
)

// run tries the ways that suit the environment until one works.
func (in *installation) run(ctx context.Context) {
	in.failure = errNoInstaller
	attempts := in.attempts(ctx)
	for len(attempts) > 0 {
		a := attempts[0]
		attempts = attempts[1:]
		if in.last.tool != "" && in.last.tool != a.tool {
			in.earlier = in.last.tool + " failed before:\n" + LastWords(in.tail, 5) + "\n" + a.tool + ":\n"
		}
		in.last = a
		if in.failure = in.try(ctx, a); in.failure == nil || ctx.Err() != nil {
			return
		}
		if a.next == nil || !a.next(in.tail) {
			return
		}
		if lacking, rest := in.lackedByChannels(a.tool); len(lacking) > 0 && len(rest) > 0 {
			in.split(ctx, lacking, rest)
			return
		}
		in.say(a.tool + " could not do it; trying another way")
	}
}

func (in *installation) try(ctx context.Context, a attempt) error {
	tooLong := fmt.Errorf("it took longer than %v", installLimit)
	limited, cancel := context.WithTimeoutCause(ctx, installLimit, tooLong)
	defer cancel()
	if a.prepare != nil {
		in.say("running " + host.CommandLine(a.prepare...))
		tail, err := in.installer.Finder.Host.Stream(limited, a.vars, in.say, a.prepare...)
		if in.tail = host.Redact(tail); err != nil {
			return err
		}
	}
	in.say("running " + host.CommandLine(a.argv...))
	tail, err := in.installer.Download(limited, a.vars, in.say, a.argv...)
	in.tail = host.Redact(tail)
	return err
}

// say passes a line on without secrets.
func (in *installation) say(line string) { in.progress(host.Redact(line)) }

// result compares the environment with what it was.
func (in *installation) result(ctx context.Context) (Result, error) {
	// Also after a cancel: what was done so far has to be told.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), installAfterLimit)
	defer cancel()
	after, snapErr := in.installer.Finder.Snapshot(late, in.env)
	changes := diff(in.before, after)
	if snapErr != nil {
		changes = nil
	}
	if in.failure != nil {
		e := in.explain(changes)
		e.Unknown = snapErr != nil
		return Result{}, e
	}
	if snapErr != nil {
		return Result{}, fmt.Errorf("looking at the packages after installing: %w", snapErr)
	}
	in.nameModules(late, changes)
	r := Result{Tool: in.last.tool, Command: host.Redacted(in.last.argv), Changes: changes, Output: in.tail}
	for _, req := range in.reqs {
		name := packaging.NormalizeName(req.Name)
		if version, ok := after[name]; ok && in.before[name] == version {
			r.Unchanged = append(r.Unchanged, Distribution{Name: name, Version: version})
		}
	}
	return r, nil
}

// diff lists what differs, by name.
func diff(before, after map[string]string) []Change {
	var changes []Change
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] != after[name] {
			changes = append(changes, Change{Name: name, Old: before[name], New: after[name]})
		}
	}
	return changes
}

// nameModules fills in Modules; without them a caller only knows less.
func (in *installation) nameModules(ctx context.Context, changes []Change) {
	var names []string
	for _, c := range changes {
		if c.New != "" {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	statuses, err := in.installer.Finder.Check(ctx, in.env, names)
	if err != nil {
		in.installer.Finder.Host.Log().Warn("naming the modules of what was installed", "error", err)
		return
	}
	modules := map[string][]string{}
	for _, s := range statuses {
		modules[s.Requested] = s.Modules
	}
	for i := range changes {
		changes[i].Modules = modules[changes[i].Name]
	}
}

// explain makes the error of a failed installation.
func (in *installation) explain(changes []Change) *Error {
	e := &Error{Env: in.env.Label(), Tool: in.last.tool, Command: host.Redacted(in.last.argv), ExitCode: -1,
		Tail: in.earlier + LastWords(in.tail, 20), Changes: changes, Err: in.failure}
	if exit, ok := errors.AsType[*exec.ExitError](in.failure); ok {
		e.ExitCode = exit.ExitCode()
		e.Reason = Classify(in.tail)
		if in.last.tool == "pip" && e.Reason == ReasonNotFound && strings.Contains(in.tail, "(from versions: none)") {
			e.Tail += "\npip says the same when the index answers with an error, such as 401 or 500, or with a page that is not an index"
		}
	}
	for _, r := range in.reqs {
		if other := packaging.DistributionOf(r.Name); other != "" && e.ExitCode > 0 {
			e.Tail += fmt.Sprintf("\n%s is what is imported; the package to install is %s", r.Name, other)
		}
	}
	if in.installer.WheelsOnly && slices.Contains([]Reason{ReasonNotFound, ReasonBuild, ReasonConflict, ReasonUnknown}, e.Reason) && e.ExitCode > 0 {
		e.Tail += "\nthe sandbox allows only wheels: a package that has none for this Python is not built. Only the person who configures this server can allow it, by SANDBOX_INSTALL=any"
	}
	if errors.Is(in.failure, errNoInstaller) {
		e.Reason = ReasonNoInstaller
	}
	return e
}

// attempts lists the ways to install into the environment, best first.
func (in *installation) attempts(ctx context.Context) []attempt {
	if kinds.Of(in.env.Kind).Installer == kinds.ByConda {
		return append(in.condaAttempts(), in.otherAttempts(ctx)...)
	}
	return in.otherAttempts(ctx)
}

// otherAttempts are those by uv or pip. Where neither is, uv is fetched if that is
// allowed.
func (in *installation) otherAttempts(ctx context.Context) []attempt {
	uv := in.installer.UVPath(in.env)
	_, havePip := in.before["pip"]
	preferUV := kinds.Of(in.env.Kind).Installer == kinds.ByUV || in.env.Kind == kinds.Managed
	switch {
	case uv != "" && (preferUV || !havePip):
		return []attempt{in.uvAttempt(uv)}
	case havePip:
		return []attempt{in.pipAttempt()}
	case in.env.Info.HasEnsurepip:
		a := in.pipAttempt()
		a.prepare = []string{in.env.Python, "-m", "ensurepip", "--default-pip"}
		return []attempt{a}
	}
	uv, err := in.installer.EnsureUV(ctx, in.say)
	if err != nil {
		in.say(err.Error())
		return nil
	}
	return []attempt{in.uvAttempt(uv)}
}

func (in *installation) pipAttempt() attempt {
	argv := []string{in.env.Python, "-u", "-m", "pip", "install", "--no-input", "--disable-pip-version-check",
		"--progress-bar", "off", "--no-color"}
	if in.upgrade {
		argv = append(argv, "--upgrade")
	}
	return attempt{tool: "pip", argv: in.operands(argv), vars: pipVars(in.env.Vars).Environ()}
}

func (in *installation) uvAttempt(uv string) attempt {
	argv := []string{uv, "pip", "install", "--python", in.env.Python, "--no-progress", "--color", "never"}
	if in.upgrade {
		argv = append(argv, "--upgrade")
	}
	v := pipVars(in.env.Vars)
	translateIndex(v)
	if value, _ := v.Get("PIP_NO_INDEX"); truth(value) {
		argv = append(argv, "--no-index") // uv has no variable for it
	}
	return attempt{tool: "uv", argv: in.operands(argv), vars: v.Environ()}
}

// writeFiles writes the requirements as files where a command line cannot say
// them: hashes, and constraints.
func (in *installation) writeFiles() error {
	hashed := slices.ContainsFunc(in.reqs, func(r packaging.Requirement) bool { return len(r.Hashes) > 0 })
	if !hashed && len(in.constraints) == 0 {
		return nil
	}
	var err error
	if in.dir, err = os.MkdirTemp("", "mce-install-"); err != nil {
		return err
	}
	for name, reqs := range map[string][]packaging.Requirement{"requirements.txt": in.reqs, "constraints.txt": in.constraints} {
		var b strings.Builder
		for _, r := range reqs {
			if r.Editable {
				b.WriteString("-e ")
			}
			b.WriteString(r.String())
			for _, hash := range r.Hashes {
				b.WriteString(" --hash=" + hash)
			}
			b.WriteByte('\n')
		}
		if err := os.WriteFile(filepath.Join(in.dir, name), []byte(b.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// operands adds the requirements behind "--", so that none is an option.
func (in *installation) operands(argv []string) []string {
	if in.dir != "" {
		if len(in.constraints) > 0 {
			argv = append(argv, "-c", filepath.Join(in.dir, "constraints.txt"))
		}
		return append(argv, "-r", filepath.Join(in.dir, "requirements.txt"))
	}
	for _, r := range in.reqs {
		if r.Editable {
			argv = append(argv, "--editable", r.String())
		}
	}
	argv = append(argv, "--")
	for _, r := range in.reqs {
		if !r.Editable {
			argv = append(argv, r.String())
		}
	}
	return argv
}
