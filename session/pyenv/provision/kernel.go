package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// kernelRequirement is what is installed where ipykernel is missing: 7.0.0 and
// 7.0.1 lose context variables and interrupts.
const kernelRequirement = "ipykernel>=6.29,!=7.0.0,!=7.0.1"

// Bounds of installing one kernel; conda solves before it installs.
const (
	kernelTimeout      = 300 * time.Second
	condaKernelTimeout = 600 * time.Second
)

// What KERNEL_INSTALL may say.
const (
	kernelAuto    = "auto"    // into the environment, else beside it
	kernelEnv     = "env"     // into the environment only
	kernelSidecar = "sidecar" // beside the environment only
	kernelNever   = "never"
)

// kernelMode is one of the words; the table of settings has judged KERNEL_INSTALL.
func (p *Provisioner) kernelMode() string {
	if p.Installer.Never {
		return kernelNever
	}
	return cmp.Or(p.KernelInstall, kernelAuto)
}

// never is the setting that forbids installing ipykernel, where one does.
func (p *Provisioner) never() string {
	if p.Installer.Never {
		return "INSTALL=never"
	}
	return "KERNEL_INSTALL=never"
}

// Provisioner sees to it that a kernel can be started: in the environment that
// was chosen, beside it, or in the managed one. Set the fields before first use;
// it is safe for concurrent use and must not be copied.
type Provisioner struct {
	Installer *install.Installer
	// KernelInstall is KERNEL_INSTALL: what is done where ipykernel is missing,
	// "auto" (or ""), "env", "sidecar" or "never".
	KernelInstall string
	// NoKernelInstall leaves a missing ipykernel missing: what would be done about
	// it is the error's reason.
	NoKernelInstall bool

	// packages replaces the managed environment's packages in tests.
	packages []managedPackage
}

// New makes a Provisioner, with its Installer and Finder, that works on h.
func New(h *host.Host) *Provisioner {
	return &Provisioner{Installer: &install.Installer{Finder: pyenv.NewFinder(h)}}
}

// EnsureKernel makes sure that a kernel can be started in env: with the ipykernel
// it has, else by installing one into it, else by a sidecar, which env.Sidecar
// then names; KERNEL_INSTALL says which of these are allowed. notice is a sentence
// about what was done or should be, "" for nothing. progress (may be nil) gets the
// installer's lines. Where there is no kernel the error is a
// [*KernelMissingError] with the command that fixes it.
func (p *Provisioner) EnsureKernel(ctx context.Context, env *pyenv.Environment, progress func(string)) (notice string, err error) {
	mode := p.kernelMode()
	env.Sidecar = ""
	if env.Kernelspec != nil { // it brings its own
		return "", nil
	}
	if env.HasKernel() {
		return p.badKernel(env), nil
	}
	if mode == kernelNever {
		return "", p.kernelMissing(env, p.never()+" forbids installing it")
	}
	progress = host.OrSilent(progress)
	refused := p.mayInstall(env, mode)
	beside := mode != kernelEnv && (mode == kernelSidecar || refused != "")
	if mode != kernelEnv {
		if s, ok := p.findSidecar(env, beside); ok {
			return p.besides(env, s, refused, !slices.Contains(s.Prefixes, env.Prefix)), nil
		}
	}
	switch {
	case p.NoKernelInstall:
		return "", p.kernelMissing(env, p.plan(env, mode, refused))
	case refused != "" && mode == kernelEnv:
		return "", p.kernelMissing(env, refused)
	case beside:
		return p.ensureSidecar(ctx, env, refused, progress)
	}
	notice, err = p.installInto(ctx, env, progress)
	var missing *KernelMissingError
	if mode == kernelEnv || !errors.As(err, &missing) || ctx.Err() != nil {
		return notice, err
	}
	p.Installer.Finder.Host.Log().Info("installing ipykernel beside the environment, since it failed inside", "error", err)
	return p.ensureSidecar(ctx, env, missing.Reason, progress)
}

// installInto installs ipykernel into env.
func (p *Provisioner) installInto(ctx context.Context, env *pyenv.Environment, progress func(string)) (notice string, err error) {
	unlock, err := p.Installer.Finder.Host.Lock(ctx, host.LockName(env.Prefix), host.WaitingFor(progress, "another installation into "+env.Prefix))
	if err != nil {
		return "", err
	}
	defer unlock()
	// Another server may have installed it meanwhile.
	p.Installer.Finder.Forget(env.Python)
	if err := p.Installer.Finder.Probe(ctx, env); err != nil || env.HasKernel() {
		return "", err
	}
	before := env.Info.Dists["ipykernel"]
	progress("installing ipykernel into " + env.Prefix)
	if err := p.installKernel(ctx, env, progress); err != nil {
		return "", err
	}
	notice = fmt.Sprintf("installed ipykernel %s into %s", env.Info.Dists["ipykernel"], env.Prefix)
	if before != "" {
		notice += fmt.Sprintf(" (it had %s, which is too old)", before)
	}
	return notice, nil
}

// ensureSidecar makes a sidecar for env; refused is why nothing is installed
// into env itself.
func (p *Provisioner) ensureSidecar(ctx context.Context, env *pyenv.Environment, refused string, progress func(string)) (notice string, err error) {
	s, err := p.makeSidecar(ctx, env, progress)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		reason := "putting it beside the environment failed:\n" + err.Error() + "\n"
		if refused != "" {
			reason = strings.TrimRight(refused, "\n") + "; and " + reason
		}
		missing := p.kernelMissing(env, reason)
		missing.Err = err
		return "", missing
	}
	return p.besides(env, s, refused, true), nil
}

// besides makes env use s; news says that nobody was told before.
func (p *Provisioner) besides(env *pyenv.Environment, s sidecarInfo, refused string, news bool) (notice string) {
	p.takeSidecar(env, s)
	if !news {
		return ""
	}
	notice = fmt.Sprintf("ipykernel %s was put beside %s, into %s; the environment itself is unchanged", s.Kernel, env.Prefix, s.dir)
	if refused, _, _ = strings.Cut(refused, "\n"); refused != "" {
		notice += ": " + strings.TrimSuffix(refused, ":")
	}
	return notice
}

// badKernel is a sentence about an ipykernel that works and should be upgraded.
func (p *Provisioner) badKernel(env *pyenv.Environment) string {
	switch version := env.Info.Dists["ipykernel"]; version {
	case "7.0.0", "7.0.1":
		return fmt.Sprintf("ipykernel %s loses context variables between cells and the output of threads; an upgrade fixes it: %s", version, p.kernelCommand(env))
	}
	return ""
}

// KernelWords tells which ipykernel a kernel in env is started with, or what the
// first call does about there being none. It changes nothing.
func (p *Provisioner) KernelWords(env *pyenv.Environment) string {
	mode := p.kernelMode()
	if env.HasKernel() {
		return env.Info.Dists["ipykernel"]
	}
	what := "not installed"
	if version := env.Info.Dists["ipykernel"]; version != "" {
		what = version + ", which is too old"
	}
	if mode == kernelNever {
		return what + "; " + p.never() + " forbids installing it: " + p.kernelCommand(env)
	}
	refused := p.mayInstall(env, mode)
	if mode != kernelEnv {
		if s, ok := p.findSidecar(env, mode == kernelSidecar || refused != ""); ok {
			return s.Kernel + " beside the environment, in " + s.dir
		}
	}
	return what + "; " + p.plan(env, mode, refused)
}

// plan says what would be done about a missing kernel.
func (p *Provisioner) plan(env *pyenv.Environment, mode, refused string) string {
	switch {
	case mode == kernelEnv && refused != "":
		return "nothing can be installed: " + refused
	case mode == kernelSidecar:
		return "the first call puts one beside the environment (KERNEL_INSTALL=sidecar), if it reaches the package index"
	case refused != "":
		return "the first call puts one beside the environment, if it reaches the package index: " + refused
	}
	return "the first call installs it into the environment, if it reaches the package index"
}

// WillInstall reports whether EnsureKernel would install an ipykernel for env.
func (p *Provisioner) WillInstall(env *pyenv.Environment) bool {
	mode := p.kernelMode()
	return mode != kernelNever && !env.HasKernel() && (mode != kernelEnv || p.mayInstall(env, mode) == "")
}

// mayInstall says why nothing is installed into env, "" where that may be. A
// Python that is in no environment is shared by all that is made from it: only
// KERNEL_INSTALL=env installs there.
func (p *Provisioner) mayInstall(env *pyenv.Environment, mode string) string {
	switch {
	case env.Info.ExternallyManaged != "":
		return "this Python is managed by other means (" + env.Info.ExternallyManaged + ")"
	case !env.Info.Writable:
		return env.Info.Purelib + " is not writable"
	case env.Kind == kinds.System && mode != kernelEnv:
		return "this Python is in no environment and other programs depend on it"
	}
	return kinds.Refuses(env.Prefix)
}

func (p *Provisioner) kernelMissing(env *pyenv.Environment, reason string) *KernelMissingError {
	return &KernelMissingError{Env: env.Label(), Prefix: env.Prefix, Installed: env.Info.Dists["ipykernel"], Reason: reason, Command: p.kernelCommand(env)}
}
