package provision

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// way is one command line that installs ipykernel, or prepares the next one.
type way struct {
	argv     []string
	prepares bool
}

// kernelWays lists how ipykernel can be installed into env, best first.
func (p *Provisioner) kernelWays(ctx context.Context, env *pyenv.Environment, progress func(string)) ([]way, error) {
	var ways []way
	half, by := halfKernel(env), kinds.Of(env.Kind).Installer
	if tool, conda := p.Installer.Finder.Conda.Installer(env.Prefix, env.Root); by == kinds.ByConda && conda != "" {
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
	pip := install.PipCommand(env.Python, kernelRequirement)
	uv := p.Installer.UVPath(env)
	switch {
	case env.Info.HasPip && (by != kinds.ByUV || uv == ""):
		if half { // else pip finds that all is there
			ways = append(ways, way{slices.Insert(slices.Clone(pip), slices.Index(pip, "--"), "--force-reinstall", "--no-deps"), true})
		}
		return append(ways, way{argv: pip}), nil
	case uv == "" && env.Info.HasEnsurepip:
		return append(ways, way{[]string{env.Python, "-m", "ensurepip", "--default-pip"}, true}, way{argv: pip}), nil
	case uv == "":
		var err error
		if uv, err = p.Installer.EnsureUV(ctx, progress); ctx.Err() != nil {
			return nil, context.Cause(ctx)
		} else if err != nil && len(ways) > 0 {
			return ways, nil
		} else if err != nil {
			missing := p.kernelMissing(env, "it has no pip and no ensurepip, and "+err.Error())
			missing.Err = err
			return nil, missing
		}
	}
	argv := p.Installer.UVCommand(uv, env.Python, kernelRequirement)
	if half {
		argv = slices.Insert(argv, slices.Index(argv, "--"), "--reinstall-package", "ipykernel")
	}
	return append(ways, way{argv: argv}), nil
}

// halfKernel reports whether installers believe that ipykernel is there, while
// its code is gone.
func halfKernel(env *pyenv.Environment) bool {
	if env.Info.Dists["ipykernel"] != "" || env.Info.Purelib == "" {
		return false
	}
	left, _ := filepath.Glob(filepath.Join(host.GlobEscape(env.Info.Purelib), "ipykernel-*.dist-info"))
	return len(left) > 0
}

// kernelCommand is the command line that gives env an ipykernel.
func (p *Provisioner) kernelCommand(env *pyenv.Environment) string {
	by := kinds.Of(env.Kind).Installer
	switch {
	case env.Info.ExternallyManaged != "" && by != kinds.ByConda:
		dir := filepath.Join(p.Installer.Finder.Host.Home, ".venv")
		return host.CommandLine(env.Python, "-m", "venv", dir) + " && " +
			host.CommandLine(filepath.Join(host.BinDir(dir), "python"), "-m", "pip", "install", "ipykernel") +
			" (and set ENV_TYPE=venv, VENV_PATH=" + dir + ")"
	case by == kinds.ByConda:
		return host.CommandLine("conda", "install", "-p", env.Prefix, "ipykernel")
	case env.Info.HasPip && by != kinds.ByUV:
		return host.CommandLine(env.Python, "-m", "pip", "install", kernelRequirement)
	case by != kinds.ByUV && env.Info.HasEnsurepip && p.Installer.UVPath(env) == "":
		return host.CommandLine(env.Python, "-m", "ensurepip", "--default-pip") + " && " + host.CommandLine(env.Python, "-m", "pip", "install", kernelRequirement)
	}
	return host.CommandLine("uv", "pip", "install", "--python", env.Python, kernelRequirement)
}

// installKernel tries the ways of installing that suit env, in order, until there
// is a kernel. The error is a [*KernelMissingError] that says how each ended.
func (p *Provisioner) installKernel(ctx context.Context, env *pyenv.Environment, progress func(string)) error {
	ways, err := p.kernelWays(ctx, env, progress)
	if err != nil {
		return err
	}
	var failed []string
	var last error
	for _, w := range ways {
		limit, line := kernelTimeout, progress
		if slices.Contains(w.argv, "--json") {
			limit, line = condaKernelTimeout, nil // conda's JSON is nothing to read
		}
		tail, err := p.Installer.Run(ctx, limit, env.Vars, line, w.argv)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.Installer.Finder.Host.Log().Info("installing ipykernel", "program", w.argv[0], "error", err)
		name := strings.Join(w.argv[:min(3, len(w.argv))], " ")
		switch {
		case err == nil && !w.prepares:
			p.Installer.Finder.Forget(env.Python)
			if err := p.Installer.Finder.Probe(ctx, env); err != nil {
				return err
			}
			if env.HasKernel() {
				return nil
			}
			failed = append(failed, name+": it says that ipykernel is there, and it cannot be imported")
		case err != nil && !strings.Contains(tail, "unrecognized arguments: --freeze-installed"):
			failed = append(failed, fmt.Sprintf("%s: %v\n%s", name, err, host.Redact(install.LastWords(tail, 4))))
			last = err
		}
		if err != nil && w.prepares {
			break
		}
	}
	missing := p.kernelMissing(env, "installing it failed:\n"+strings.Join(failed, "\n")+"\n")
	missing.Err = last
	return missing
}
