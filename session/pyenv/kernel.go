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

// EnsureKernel makes sure that env has a usable ipykernel, and installs one into
// it where that is allowed. notice is a sentence about what was installed, "" if
// nothing was. progress (may be nil) gets the installer's lines. Where there is
// none and none can be installed the error is a [*KernelMissingError] with the
// command that does it.
func (f *Finder) EnsureKernel(ctx context.Context, env *Environment, progress func(string)) (notice string, err error) {
	if hasKernel(env) {
		return "", nil
	}
	if err := f.mayInstall(env); err != nil {
		return "", err
	}
	progress = orSilent(progress)
	unlock, err := f.lock(ctx, lockName(env.Prefix), func() { progress("waiting for another installation into " + env.Prefix) })
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
	report, installErr := f.installKernel(ctx, env, progress)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	f.forget(env.Python)
	if err := f.probe(ctx, env); err != nil {
		return "", err
	}
	if !hasKernel(env) {
		missing := f.kernelMissing(env, "installing it failed")
		missing.Err = installErr
		if report != "" {
			missing.Reason += ":\n" + report + "\n"
		}
		return "", missing
	}
	notice = fmt.Sprintf("installed ipykernel %s into %s", env.Info.Dists["ipykernel"], env.Prefix)
	if before != "" {
		notice += fmt.Sprintf(" (it had %s, which is too old)", before)
	}
	return notice, nil
}

// hasKernel reports whether a kernel can be started in env.
func hasKernel(env *Environment) bool {
	version := env.Info.Dists["ipykernel"]
	return version != "" && compareVersions(version, minKernel) >= 0
}

// mayInstall refuses environments that belong to somebody else. A Python that
// is in no environment is shared by all that is made from it.
func (f *Finder) mayInstall(env *Environment) error {
	switch {
	case f.KernelInstall == "never":
		return f.kernelMissing(env, "KERNEL_INSTALL=never forbids installing it")
	case env.Kind == KindSystem:
		return f.kernelMissing(env, "this Python is in no environment and other programs depend on it, so nothing is installed into it unasked")
	case env.Info.ExternallyManaged != "":
		return f.kernelMissing(env, "this Python is managed by other means ("+env.Info.ExternallyManaged+"), so nothing is installed into it")
	case !env.Info.Writable:
		return f.kernelMissing(env, env.Info.Purelib+" is not writable")
	}
	return nil
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

// installKernel tries the ways of installing that suit env, in order, until one
// of them works. report says of each that did not how it ended.
func (f *Finder) installKernel(ctx context.Context, env *Environment, progress func(string)) (report string, err error) {
	err = errors.New("no pip, ensurepip or uv was found")
	report = err.Error()
	var failed []string
	for _, argv := range f.kernelInstallers(env) {
		limit, line := installTimeout, progress
		if slices.Contains(argv, "--json") {
			limit, line = condaInstallTimeout, nil // conda's JSON is nothing to read
		}
		var tail string
		if tail, err = f.runInstaller(ctx, limit, env.Vars, line, argv); ctx.Err() != nil {
			return "", err
		}
		f.log().Info("installing ipykernel", "program", argv[0], "error", err)
		prepares := slices.Contains(argv, "ensurepip")
		switch {
		case err == nil && !prepares:
			return "", nil
		case err != nil && !strings.Contains(tail, "unrecognized arguments: --freeze-installed"):
			failed = append(failed, fmt.Sprintf("%s: %v\n%s", strings.Join(argv[:min(3, len(argv))], " "), err, lastLines(tail, 4)))
			report = strings.Join(failed, "\n")
		}
		if err != nil && prepares {
			break
		}
	}
	return report, err
}

// runInstaller runs an installer for at most limit and returns the end of what it
// printed.
func (f *Finder) runInstaller(ctx context.Context, limit time.Duration, environ []string, progress func(string), argv []string) (tail string, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	return f.download(limited, installVars(environ), progress, argv...)
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

// kernelInstallers lists the command lines that can install ipykernel into env.
func (f *Finder) kernelInstallers(env *Environment) [][]string {
	var ways [][]string
	if env.Kind == KindConda {
		if conda := condaProgram(env.Root); conda != "" {
			install := []string{conda, "install", "-p", env.Prefix, "-y", "--json"}
			// Other packages stay as they are; programs older than the option refuse it.
			ways = append(ways, append(slices.Clone(install), "--freeze-installed", "--", "ipykernel"), append(install, "--", "ipykernel"))
		}
	}
	pip := pipInstall(env.Python, kernelRequirement)
	uv := f.uvPath(env)
	if env.Info.HasPip && (env.Kind != KindUV || uv == "") {
		return append(ways, pip)
	}
	if uv != "" {
		return append(ways, f.uvInstall(uv, env.Python, kernelRequirement))
	}
	if env.Info.HasEnsurepip {
		return append(ways, []string{env.Python, "-m", "ensurepip", "--default-pip"}, pip)
	}
	return ways
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
