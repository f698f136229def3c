package pyenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// minKernel is the oldest ipykernel that is not refused.
const minKernel = "6.0"

// kernelRequirement is what is installed where ipykernel is missing: 7.0.0 and
// 7.0.1 lose context variables and interrupts.
const kernelRequirement = "ipykernel>=6.29,!=7.0.0,!=7.0.1"

// Bounds of one installation; conda solves before it installs.
const (
	installTimeout      = 300 * time.Second
	condaInstallTimeout = 600 * time.Second
)

// What KERNEL_INSTALL may say.
const (
	kernelAuto    = "auto"    // into the environment, else beside it
	kernelEnv     = "env"     // into the environment only
	kernelSidecar = "sidecar" // beside the environment only
	kernelNever   = "never"
)

// kernelMode reads KERNEL_INSTALL.
func (f *Finder) kernelMode() (string, error) {
	switch mode := strings.ToLower(strings.TrimSpace(f.KernelInstall)); mode {
	case "":
		return kernelAuto, nil
	case kernelAuto, kernelEnv, kernelSidecar, kernelNever:
		return mode, nil
	}
	return "", &ConfigError{Variable: "KERNEL_INSTALL", Value: f.KernelInstall, Reason: "is not known",
		Mend: "use auto, env, sidecar or never"}
}

// EnsureKernel makes sure that a kernel can be started in env: with the ipykernel
// it has, else by installing one into it, else by a sidecar, which env.Sidecar
// then names; KERNEL_INSTALL says which of these are allowed. notice is a sentence
// about what was done or should be, "" for nothing. progress (may be nil) gets the
// installer's lines. Where there is no kernel the error is a
// [*KernelMissingError] with the command that mends it.
func (f *Finder) EnsureKernel(ctx context.Context, env *Environment, progress func(string)) (notice string, err error) {
	mode, err := f.kernelMode()
	if err != nil {
		return "", err
	}
	env.Sidecar = ""
	if hasKernel(env) {
		return f.badKernel(env), nil
	}
	if mode == kernelNever {
		return "", f.kernelMissing(env, "KERNEL_INSTALL=never forbids installing it")
	}
	progress = orSilent(progress)
	refused := f.mayInstall(env, mode)
	beside := mode != kernelEnv && (mode == kernelSidecar || refused != "")
	if mode != kernelEnv {
		if s, ok := f.findSidecar(env, beside); ok {
			return f.besides(env, s, refused, !slices.Contains(s.Prefixes, env.Prefix)), nil
		}
	}
	switch {
	case f.NoKernelInstall:
		return "", f.kernelMissing(env, f.plan(env, mode, refused))
	case refused != "" && mode == kernelEnv:
		return "", f.kernelMissing(env, refused)
	case beside:
		return f.ensureSidecar(ctx, env, refused, progress)
	}
	notice, err = f.installInto(ctx, env, progress)
	var missing *KernelMissingError
	if mode == kernelEnv || !errors.As(err, &missing) || ctx.Err() != nil {
		return notice, err
	}
	f.log().Info("installing ipykernel beside the environment, since it failed inside", "error", err)
	return f.ensureSidecar(ctx, env, missing.Reason, progress)
}

// installInto installs ipykernel into env.
func (f *Finder) installInto(ctx context.Context, env *Environment, progress func(string)) (notice string, err error) {
	unlock, err := f.lock(ctx, lockName(env.Prefix), waitingFor(progress, "another installation into "+env.Prefix))
	if err != nil {
		return "", err
	}
	defer unlock()
	// Another server may have installed it meanwhile.
	f.forget(env.Python)
	if err := f.probe(ctx, env); err != nil || hasKernel(env) {
		return "", err
	}
	before := env.Info.Dists["ipykernel"]
	progress("installing ipykernel into " + env.Prefix)
	if err := f.installKernel(ctx, env, progress); err != nil {
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
func (f *Finder) ensureSidecar(ctx context.Context, env *Environment, refused string, progress func(string)) (notice string, err error) {
	s, err := f.makeSidecar(ctx, env, progress)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		reason := "putting it beside the environment failed:\n" + err.Error() + "\n"
		if refused != "" {
			reason = strings.TrimRight(refused, "\n") + "; and " + reason
		}
		missing := f.kernelMissing(env, reason)
		missing.Err = err
		return "", missing
	}
	return f.besides(env, s, refused, true), nil
}

// besides makes env use s; news says that nobody was told before.
func (f *Finder) besides(env *Environment, s sidecarInfo, refused string, news bool) (notice string) {
	f.takeSidecar(env, s)
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
func (f *Finder) badKernel(env *Environment) string {
	switch version := env.Info.Dists["ipykernel"]; version {
	case "7.0.0", "7.0.1":
		return fmt.Sprintf("ipykernel %s loses context variables between cells and the output of threads; an upgrade mends it: %s", version, f.kernelCommand(env))
	}
	return ""
}

// KernelWords tells which ipykernel a kernel in env is started with, or what the
// first call does about there being none. It changes nothing.
func (f *Finder) KernelWords(env *Environment) string {
	mode, err := f.kernelMode()
	if err != nil {
		return err.Error()
	}
	if hasKernel(env) {
		return env.Info.Dists["ipykernel"]
	}
	what := "not installed"
	if version := env.Info.Dists["ipykernel"]; version != "" {
		what = version + ", which is too old"
	}
	if mode == kernelNever {
		return what + "; KERNEL_INSTALL=never forbids installing it: " + f.kernelCommand(env)
	}
	refused := f.mayInstall(env, mode)
	if mode != kernelEnv {
		if s, ok := f.findSidecar(env, mode == kernelSidecar || refused != ""); ok {
			return s.Kernel + " beside the environment, in " + s.dir
		}
	}
	return what + "; " + f.plan(env, mode, refused)
}

// plan says what would be done about a missing kernel.
func (f *Finder) plan(env *Environment, mode, refused string) string {
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

// hasKernel reports whether a kernel can be started in env.
func hasKernel(env *Environment) bool {
	version := env.Info.Dists["ipykernel"]
	return version != "" && compareVersions(version, minKernel) >= 0
}

// mayInstall says why nothing is installed into env, "" where that may be. A
// Python that is in no environment is shared by all that is made from it: only
// KERNEL_INSTALL=env installs there.
func (f *Finder) mayInstall(env *Environment, mode string) string {
	switch {
	case env.Info.ExternallyManaged != "":
		return "this Python is managed by other means (" + env.Info.ExternallyManaged + ")"
	case !env.Info.Writable:
		return env.Info.Purelib + " is not writable"
	case env.Kind == KindSystem && mode != kernelEnv:
		return "this Python is in no environment and other programs depend on it"
	case isPixi(env.Prefix):
		return "pixi owns this environment and removes what its manifest does not name"
	}
	return ""
}

func (f *Finder) kernelMissing(env *Environment, reason string) *KernelMissingError {
	return &KernelMissingError{Env: env.Label(), Prefix: env.Prefix, Installed: env.Info.Dists["ipykernel"], Reason: reason, Command: f.kernelCommand(env)}
}

// kernelCommand is the command line that gives env an ipykernel.
func (f *Finder) kernelCommand(env *Environment) string {
	switch {
	case env.Info.ExternallyManaged != "" && env.Kind != KindConda:
		dir := filepath.Join(f.Home, ".venv")
		return command(env.Python, "-m", "venv", dir) + " && " +
			command(filepath.Join(binDir(dir), "python"), "-m", "pip", "install", "ipykernel") +
			" (and set ENV_TYPE=venv, VENV_PATH=" + dir + ")"
	case env.Kind == KindConda:
		return command("conda", "install", "-p", env.Prefix, "ipykernel")
	case env.Info.HasPip && env.Kind != KindUV:
		return command(env.Python, "-m", "pip", "install", kernelRequirement)
	case env.Kind != KindUV && env.Info.HasEnsurepip && f.uvPath(env) == "":
		return command(env.Python, "-m", "ensurepip", "--default-pip") + " && " + command(env.Python, "-m", "pip", "install", kernelRequirement)
	}
	return command("uv", "pip", "install", "--python", env.Python, kernelRequirement)
}

// way is one command line that installs ipykernel, or prepares the next one.
type way struct {
	argv     []string
	prepares bool
}

// installKernel tries the ways of installing that suit env, in order, until there
// is a kernel. The error is a [*KernelMissingError] that says how each ended.
func (f *Finder) installKernel(ctx context.Context, env *Environment, progress func(string)) error {
	ways, err := f.kernelWays(ctx, env, progress)
	if err != nil {
		return err
	}
	var failed []string
	var last error
	for _, w := range ways {
		limit, line := installTimeout, progress
		if slices.Contains(w.argv, "--json") {
			limit, line = condaInstallTimeout, nil // conda's JSON is nothing to read
		}
		tail, err := f.runInstaller(ctx, limit, env.Vars, line, w.argv)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f.log().Info("installing ipykernel", "program", w.argv[0], "error", err)
		name := strings.Join(w.argv[:min(3, len(w.argv))], " ")
		switch {
		case err == nil && !w.prepares:
			f.forget(env.Python)
			if err := f.probe(ctx, env); err != nil {
				return err
			}
			if hasKernel(env) {
				return nil
			}
			failed = append(failed, name+": it says that ipykernel is there, and it cannot be imported")
		case err != nil && !strings.Contains(tail, "unrecognized arguments: --freeze-installed"):
			failed = append(failed, fmt.Sprintf("%s: %v\n%s", name, err, redact(lastLines(tail, 4))))
			last = err
		}
		if err != nil && w.prepares {
			break
		}
	}
	missing := f.kernelMissing(env, "installing it failed:\n"+strings.Join(failed, "\n")+"\n")
	missing.Err = last
	return missing
}

// runInstaller runs an installer for at most limit and returns the end of what it
// printed.
func (f *Finder) runInstaller(ctx context.Context, limit time.Duration, environ []string, progress func(string), argv []string) (tail string, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	environ = installVars(environ)
	tail, err = f.download(limited, environ, progress, argv...)
	if isUV(argv) && err != nil && limited.Err() == nil && classify(tail) == ReasonNetwork {
		// What is in its cache may do.
		offline := slices.Insert(slices.Clone(argv), slices.Index(argv, "pip")+1, "--offline")
		if again, failed := f.download(limited, environ, progress, offline...); failed == nil {
			return again, nil
		}
	}
	return tail, err
}

func isUV(argv []string) bool {
	return filepath.Base(argv[0]) == "uv"+exeSuffix && slices.Contains(argv, "pip")
}

// download runs a program that fetches something, as stream does. uv trusts a
// list of authorities of its own; behind a company's proxy the system's has to be
// used, as pip does, so it is tried again with that.
func (f *Finder) download(ctx context.Context, environ []string, line func(string), argv ...string) (tail string, err error) {
	tail, err = f.stream(ctx, environ, line, argv...)
	if err != nil && strings.Contains(tail, "invalid peer certificate") && ctx.Err() == nil {
		environ = append(slices.Clone(environ), "UV_SYSTEM_CERTS=true", "UV_NATIVE_TLS=true") // the new and the old name
		tail, err = f.stream(ctx, environ, line, argv...)
	}
	return tail, err
}

// kernelWays lists how ipykernel can be installed into env, best first.
func (f *Finder) kernelWays(ctx context.Context, env *Environment, progress func(string)) ([]way, error) {
	var ways []way
	half := halfKernel(env)
	if tool, conda := f.condaInstaller(env); env.Kind == KindConda && conda != "" {
		install := []string{conda, "install", "-p", env.Prefix, "-y", "--json"}
		operand := []string{"--", "ipykernel"}
		if tool != "conda" {
			operand = []string{"ipykernel"}
		}
		if half {
			ways = append(ways, way{argv: slices.Concat(install, []string{"--force-reinstall"}, operand)})
		}
		// Other packages stay as they are; programs older than the option refuse it.
		ways = append(ways, way{argv: slices.Concat(install, []string{"--freeze-installed"}, operand)}, way{argv: slices.Concat(install, operand)})
	}
	pip := pipInstall(env.Python, kernelRequirement)
	uv := f.uvPath(env)
	switch {
	case env.Info.HasPip && (env.Kind != KindUV || uv == ""):
		if half { // else pip finds that all is there
			ways = append(ways, way{slices.Insert(slices.Clone(pip), slices.Index(pip, "--"), "--force-reinstall", "--no-deps"), true})
		}
		return append(ways, way{argv: pip}), nil
	case uv == "" && env.Info.HasEnsurepip:
		return append(ways, way{[]string{env.Python, "-m", "ensurepip", "--default-pip"}, true}, way{argv: pip}), nil
	case uv == "":
		var err error
		if uv, err = f.ensureUV(ctx, progress); ctx.Err() != nil {
			return nil, context.Cause(ctx)
		} else if err != nil && len(ways) > 0 {
			return ways, nil
		} else if err != nil {
			missing := f.kernelMissing(env, "it has no pip and no ensurepip, and "+err.Error())
			missing.Err = err
			return nil, missing
		}
	}
	argv := f.uvInstall(uv, env.Python, kernelRequirement)
	if half {
		argv = slices.Insert(argv, slices.Index(argv, "--"), "--reinstall-package", "ipykernel")
	}
	return append(ways, way{argv: argv}), nil
}

// halfKernel reports whether installers believe that ipykernel is there, while
// its code is gone.
func halfKernel(env *Environment) bool {
	if env.Info.Dists["ipykernel"] != "" || env.Info.Purelib == "" {
		return false
	}
	left, _ := filepath.Glob(filepath.Join(globEscape(env.Info.Purelib), "ipykernel-*.dist-info"))
	return len(left) > 0
}

// pipInstall is pip's command line for packages.
func pipInstall(python string, packages ...string) []string {
	argv := []string{python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-color", "--"}
	return append(argv, packages...)
}

// uvInstall is uv's command line for packages. Indexes are not in it but in the
// variables, see [installVars].
func (f *Finder) uvInstall(uv, python string, packages ...string) []string {
	argv := []string{uv, "pip", "install", "--python", python, "--no-progress", "--color", "never"}
	if truth(f.getenv("PIP_NO_INDEX")) {
		argv = append(argv, "--no-index") // uv has no variable for it
	}
	return append(append(argv, "--"), packages...)
}

// installVars is environ without what would send an installation elsewhere, and
// with the user's index in uv's words too.
func installVars(environ []string) []string {
	v := pipVars(environ)
	translateIndex(v)
	return v.environ()
}

// lockName is the name of the lock for changing the environment in prefix.
func lockName(prefix string) string {
	if real, err := filepath.EvalSymlinks(prefix); err == nil {
		prefix = real
	}
	sum := sha256.Sum256([]byte(prefix))
	return "prefix-" + hex.EncodeToString(sum[:8])
}

func orSilent(progress func(string)) func(string) {
	if progress == nil {
		return func(string) {}
	}
	return progress
}
