package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// Versions of Python a managed environment may have.
const (
	minManaged = "3.10"
	maxManaged = "3.15" // the first too new one
)

// managedPackage is something the managed environment holds.
type managedPackage struct {
	Requirement string
	Module      string // what is imported
}

// managedPackages is what the managed environment holds: enough for a stateful
// analysis with plots. This is the one place that names them.
func managedPackages() []managedPackage {
	return []managedPackage{
		{"ipykernel>=7.1,<8", "ipykernel"},
		{"numpy>=1.26,<3", "numpy"},
		{"pandas>=2.1,<4", "pandas"},
		{"matplotlib>=3.8,<4", "matplotlib"},
		{"pyarrow>=14", "pyarrow"},   // to_parquet, and pandas' strings
		{"jinja2>=3.1,<4", "jinja2"}, // df.style
		{"tqdm>=4.60,<5", "tqdm"},
	}
}

// managedTimeout bounds each step of making the environment; a first download
// over a slow line is most of it.
const managedTimeout = 15 * time.Minute

// readyInfo is the content of the mark.
type readyInfo struct {
	Python   string    `json:"python"` // version
	Packages []string  `json:"packages"`
	MadeBy   string    `json:"made_by"` // "uv" or "venv"
	Time     time.Time `json:"time"`
}

// Resolve is [Finder.Resolve]; nothing chosen is the managed environment, made if
// need be, and a kernelspec says what its kernel is.
func (p *Provisioner) Resolve(ctx context.Context, c pyenv.Config) (*pyenv.Environment, error) {
	if c.Local() {
		return p.resolveKernelspec(ctx, c)
	}
	if !c.Configured() {
		return p.Managed(ctx, nil)
	}
	return p.Installer.Finder.Resolve(ctx, c)
}

// Managed returns the default environment, the one used when nothing is
// configured. The first time it is made, with packages from the user's index,
// once even when several servers start together; progress (may be nil) is told.
// One whose Python is gone or has become another is made anew, and a package of
// ours that is missing is put back. When ctx ends, what was half made is left to
// the next call.
func (p *Provisioner) Managed(ctx context.Context, progress func(string)) (*pyenv.Environment, error) {
	if p.Installer.Finder.Host.DataDir == "" {
		return nil, errors.New("making the default environment: there is no data directory")
	}
	if _, err := host.ParseDenied(p.Installer.Finder.Host.EnvDeny); err != nil {
		return nil, err
	}
	if env, err := p.wholeManaged(ctx); env != nil || err != nil {
		return env, err
	}
	if p.Installer.Never {
		return p.managedAsIs(ctx)
	}
	progress = host.OrSilent(progress)
	unlock, err := p.Installer.Finder.Host.Lock(ctx, "default-environment", host.WaitingFor(progress, "another server that makes the default Python environment"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	env, broken, err := p.readyManaged(ctx)
	switch {
	case err != nil:
		return nil, err
	case env == nil:
		if env, err = p.makeManaged(ctx, broken, progress); err != nil {
			return nil, fmt.Errorf("making the default Python environment: %w", err)
		}
	case len(p.lacking(env)) > 0:
		if err = p.repairManaged(ctx, env, progress); err != nil {
			return nil, fmt.Errorf("repairing the default Python environment: %w", err)
		}
	}
	p.Installer.Finder.Host.Use(env.Prefix)
	return env, nil
}

// wholeManaged returns the managed environment when there is nothing to do about it.
func (p *Provisioner) wholeManaged(ctx context.Context) (*pyenv.Environment, error) {
	env, _, err := p.readyManaged(ctx)
	if err != nil || env == nil || len(p.lacking(env)) > 0 {
		return nil, err
	}
	p.Installer.Finder.Host.Use(env.Prefix)
	return env, nil
}

// managedAsIs returns the managed environment without making or repairing it.
func (p *Provisioner) managedAsIs(ctx context.Context) (*pyenv.Environment, error) {
	env, broken, err := p.readyManaged(ctx)
	if err != nil {
		return nil, err
	}
	if env == nil {
		what := "making the default Python environment"
		if broken != nil {
			what += " anew (" + broken.Path + ": " + broken.Reason + ")"
		}
		return nil, p.Installer.Forbids(what + ", and no environment is chosen: VENV_PATH, UV_VENV_PATH or CONDA_ENV_NAME chooses one that has ipykernel, and so does configure_environment")
	}
	p.Installer.Finder.Host.Use(env.Prefix)
	return env, nil
}

func (p *Provisioner) managedList() []managedPackage {
	if p.packages != nil {
		return p.packages
	}
	return managedPackages()
}

// lacking lists what should be in the managed environment and cannot be imported.
// Another version is no lack: the user may have chosen it; nor is a package that an
// older version of this program did not put there, for there may be no network.
func (p *Provisioner) lacking(env *pyenv.Environment) []managedPackage {
	var missing []managedPackage
	var info readyInfo
	marked := host.ReadJSON(filepath.Join(env.Prefix, kinds.ReadyMark), &info) == nil
	for _, lack := range p.managedList() {
		if marked && !slices.ContainsFunc(info.Packages, func(p string) bool { return requirementName(p) == lack.Module }) {
			continue
		}
		_, there := env.Info.Dists[lack.Module]
		if !there || !host.IsFile(filepath.Join(env.Info.Purelib, lack.Module, "__init__.py")) {
			missing = append(missing, lack)
		}
	}
	return missing
}

// requirementName is the name a requirement of ours begins with.
func requirementName(requirement string) string {
	name, _, _ := strings.Cut(requirement, ">")
	name, _, _ = strings.Cut(name, "=")
	return name
}

// repairManaged puts back what is lacking, beside servers that use the rest.
func (p *Provisioner) repairManaged(ctx context.Context, env *pyenv.Environment, progress func(string)) error {
	unlock, err := p.Installer.Finder.Host.Lock(ctx, host.LockName(env.Prefix), host.WaitingFor(progress, "another installation into "+env.Prefix))
	if err != nil {
		return err
	}
	defer unlock()
	uv, err := p.Installer.EnsureUV(ctx, progress)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, lack := range p.lacking(env) {
		progress("putting " + lack.Module + " back into the default Python environment")
		argv := slices.Insert(install.PipCommand(env.Python, lack.Requirement), 4, "--force-reinstall")
		if err == nil {
			argv = p.Installer.UVCommand(uv, env.Python, lack.Requirement)
			argv = slices.Insert(argv, slices.Index(argv, "--"), "--reinstall-package", lack.Module)
		}
		if err := p.runManaged(ctx, env.Prefix, env.Vars, argv, progress); err != nil {
			return err
		}
	}
	p.Installer.Finder.Forget(env.Python)
	return p.Installer.Finder.Probe(ctx, env)
}

// readyManaged returns the newest managed environment that is complete and
// works, nil if there is none, and then why one that was complete does not work.
// Not answering in time is an error: that is a busy machine, not a reason to throw an
// environment away.
func (p *Provisioner) readyManaged(ctx context.Context) (found *pyenv.Environment, why *pyenv.BrokenError, _ error) {
	marks, _ := filepath.Glob(filepath.Join(host.GlobEscape(p.Installer.Finder.Host.DataDir), "envs", "default-py3*", kinds.ReadyMark))
	slices.SortFunc(marks, func(a, b string) int { return minorOf(b) - minorOf(a) })
	for _, mark := range marks {
		env, err := p.managedAt(ctx, filepath.Dir(mark))
		if err == nil && packaging.ReleaseNumbers(env.Info.Version)[1] != minorOf(mark) {
			err = &pyenv.BrokenError{Path: env.Python, Reason: "it has become Python " + env.Info.Version}
		}
		if err == nil {
			return env, nil, nil
		}
		var broken *pyenv.BrokenError
		if !errors.As(err, &broken) || errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return nil, nil, err
		}
		if why == nil {
			why = broken
		}
		p.Installer.Finder.Host.Log().Warn("the default environment does not work any more", "error", err)
	}
	return nil, why, nil
}

// minorOf reads the 11 of ".../default-py311/.mce-ready.json".
func minorOf(mark string) int {
	digits := strings.TrimPrefix(filepath.Base(filepath.Dir(mark)), "default-py3")
	if n := packaging.ReleaseNumbers(digits); len(n) > 0 {
		return n[0]
	}
	return -1
}

func (p *Provisioner) managedAt(ctx context.Context, dir string) (*pyenv.Environment, error) {
	python, err := pyenv.Interpreter(dir)
	if err != nil {
		return nil, err
	}
	return p.Installer.Finder.Complete(ctx, &pyenv.Environment{Kind: kinds.Managed, Name: "default", Prefix: dir, Python: python})
}

// makeManaged makes the environment under the lock; broken is why there is to be
// another one, nil for the first.
func (p *Provisioner) makeManaged(ctx context.Context, broken *pyenv.BrokenError, progress func(string)) (*pyenv.Environment, error) {
	uv, uvErr := p.Installer.EnsureUV(ctx, progress)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if uvErr != nil {
		p.Installer.Finder.Host.Log().Info("making the default environment without uv", "reason", uvErr)
	}
	base, err := p.basePython(ctx, uv, progress)
	if err != nil {
		return nil, err
	}
	minor := packaging.ReleaseNumbers(base.Info.Version)
	dir := filepath.Join(p.Installer.Finder.Host.DataDir, "envs", fmt.Sprintf("default-py%d%d", minor[0], minor[1]))
	// The mark first, so that an interruption here leaves nothing that looks whole.
	if err := errors.Join(host.IgnoreAbsent(os.Remove(filepath.Join(dir, kinds.ReadyMark))), os.RemoveAll(dir)); err != nil {
		return nil, fmt.Errorf("removing what is left of an earlier one: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	progress(fmt.Sprintf("making the default Python environment (Python %s) in %s", base.Info.Version, dir))
	var packages []string
	for _, pkg := range p.managedList() {
		packages = append(packages, pkg.Requirement)
	}
	info := readyInfo{Python: base.Info.Version, Packages: packages, MadeBy: "venv", Time: time.Now().UTC().Truncate(time.Second)}
	if uv != "" {
		info.MadeBy = "uv"
	}
	if err := p.fillManaged(ctx, dir, uv, base, packages, progress); err != nil {
		return nil, err
	}
	env, err := p.managedAt(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := host.WriteJSON(filepath.Join(dir, kinds.ReadyMark), info); err != nil {
		return nil, err
	}
	var names []string
	for _, pkg := range p.managedList() {
		names = append(names, pkg.Module)
	}
	total, _ := sizeOf(dir)
	made := "made the managed environment"
	if broken != nil {
		made += " anew, without packages that were added to the old one, which no longer worked (" + broken.Reason + ")"
	}
	env.Made = made + fmt.Sprintf(": Python %s with %s, %d MB, in %s; install_dependencies adds packages, `mcp-code-executor environment remove` removes it",
		base.Info.Version, strings.Join(names, ", "), total/1e6, dir)
	progress("the default Python environment is ready")
	return env, nil
}

// fillManaged makes the venv and installs the packages.
func (p *Provisioner) fillManaged(ctx context.Context, dir, uv string, base *pyenv.Environment, packages []string, progress func(string)) error {
	python := filepath.Join(host.BinDir(dir), "python"+host.ExeSuffix)
	var steps [][]string
	switch {
	case uv != "":
		steps = [][]string{{uv, "venv", "--no-project", "--python", base.Python, "--color", "never", dir}, p.Installer.UVCommand(uv, python, packages...)}
	case base.Info.HasEnsurepip:
		steps = [][]string{{base.Python, "-m", "venv", dir}, install.PipCommand(python, packages...)}
	default:
		// Debian keeps ensurepip in a package of its own, but its pip can install elsewhere.
		install := install.PipCommand(base.Python, packages...)
		install = slices.Insert(install, 3, "--python", python)
		steps = [][]string{{base.Python, "-m", "venv", "--without-pip", dir}, install}
	}
	if len(packages) == 0 {
		steps = steps[:1]
	}
	for _, argv := range steps {
		if err := p.runManaged(ctx, dir, base.Vars, argv, progress); err != nil {
			return err
		}
	}
	return nil
}

// runManaged runs one step of making or repairing the environment in dir.
func (p *Provisioner) runManaged(ctx context.Context, dir string, vars []string, argv []string, progress func(string)) error {
	tail, err := p.Installer.Run(ctx, managedTimeout, vars, progress, argv)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("%s failed (%v):\n%s", strings.Join(argv[:3], " "), err, host.Redact(install.LastWords(tail, 8)))
	return &pyenv.BrokenError{Path: dir, Reason: what, Err: err, Fix: nextStep(tail)}
}

// basePython finds a Python to make the environment with: the first that works
// and is of a good version. uv can fetch one.
func (p *Provisioner) basePython(ctx context.Context, uv string, progress func(string)) (*pyenv.Environment, error) {
	var searched []string
	for _, path := range p.Installer.Finder.BasePythons() {
		env, err := p.Installer.Finder.SystemPython(ctx, path)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if _, ok := errors.AsType[*pyenv.VariableError](err); ok {
			return nil, err // no Python starts with it
		}
		searched = append(searched, path)
		if err == nil && goodBase(env, uv != "") {
			return env, nil
		}
		p.Installer.Finder.Host.Log().Debug("passing over a Python", "path", path, "error", err)
	}
	if uv != "" {
		return p.uvPython(ctx, uv, searched, progress)
	}
	return nil, &pyenv.NotFoundError{Kind: "base Python (" + minManaged + " to 3.14, with venv; on Debian: apt install python3-venv)", Name: "python3", Searched: searched}
}

func goodBase(env *pyenv.Environment, haveUV bool) bool {
	version := env.Info.Version
	return env.Kind == kinds.System && env.Info.Implementation == "cpython" &&
		packaging.CompareReleases(version, minManaged) >= 0 && packaging.CompareReleases(version, maxManaged) < 0 &&
		(haveUV || env.Info.HasEnsurepip || env.Info.HasPip)
}

// uvPython lets uv find, or fetch, a Python.
func (p *Provisioner) uvPython(ctx context.Context, uv string, searched []string, progress func(string)) (*pyenv.Environment, error) {
	v := install.InstallVars(p.Installer.Finder.CleanVars().Environ())
	find := []string{uv, "python", "find", "--no-project", "--color", "never", ">=" + minManaged + ",<" + maxManaged}
	stdout, stderr, err := p.Installer.Finder.Host.Output(ctx, v, find...)
	if err != nil && ctx.Err() == nil {
		progress("no suitable Python was found: uv fetches one")
		if stderr, err = p.Installer.Download(ctx, v, progress, uv, "python", "install", "--no-progress", "--color", "never", "3.12"); err == nil {
			stdout, stderr, err = p.Installer.Finder.Host.Output(ctx, v, find...)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	path := strings.TrimSpace(string(stdout))
	if err != nil || !filepath.IsAbs(path) {
		notFound := &pyenv.NotFoundError{Kind: "base Python (" + minManaged + " to 3.14)", Name: "python3", Searched: searched}
		return nil, fmt.Errorf("%w; uv could not fetch one: %s", notFound, host.LastLines(stderr, 3))
	}
	return p.Installer.Finder.SystemPython(ctx, path)
}

// ManagedReady reports whether the default environment has been made. It looks
// at the disk only and starts nothing.
func (p *Provisioner) ManagedReady() bool {
	marks, _ := filepath.Glob(filepath.Join(host.GlobEscape(p.Installer.Finder.Host.DataDir), "envs", "default-py3*", kinds.ReadyMark))
	return len(marks) > 0
}
