package provision

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kernelspec"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// Kernelspecs lists the kernelspecs of this machine, without those of environments,
// that start no ipykernel: Pythons are in the list of environments.
func (p *Provisioner) Kernelspecs() []kernelspec.Spec {
	var all []kernelspec.Spec
	for _, spec := range kernelspec.All(p.kernelspecDirs(nil)) {
		if !spec.IPython() {
			all = append(all, spec)
		}
	}
	return all
}

// resolveKernelspec finds the kernelspec, in the environment that c names besides it if
// any. One that starts an ipykernel is only a name for its Python, which then is the
// environment, with the kernelspec's variables: it gets all that a Python does. Others
// are started as they are.
func (p *Provisioner) resolveKernelspec(ctx context.Context, c pyenv.Config) (*pyenv.Environment, error) {
	name := c.Kernelspec
	c.Kernelspec = ""
	var env *pyenv.Environment
	if c.CondaName+c.VenvPath+c.UVVenvPath != "" {
		var err error
		if env, err = p.Installer.Finder.Resolve(ctx, c); err != nil {
			return nil, err
		}
	}
	spec, err := kernelspec.Find(p.kernelspecDirs(env), name)
	if err != nil {
		return nil, err
	}
	vars, python := p.Installer.Finder.CleanVars(), ""
	if env != nil {
		vars, python = host.VarsOf(env.Vars), env.Python
	}
	look := func(name string) string {
		path, _ := vars.Get("PATH")
		return host.LookPath(name, filepath.SplitList(path))
	}
	program := spec.Program(python, look)
	if program == "" {
		return nil, fmt.Errorf("the kernelspec %s starts %q, which is in no directory of PATH: install it, or give its path in %s/kernel.json", spec.Name, spec.Argv[0], spec.Dir)
	}
	if spec.IPython() {
		return p.itsPython(ctx, spec, program, env)
	}
	spec.Variables(vars.Get, vars.Set)
	own := &pyenv.Environment{Kind: kinds.Jupyter, Name: spec.Name, Prefix: spec.Dir, Vars: vars.Environ(), Kernelspec: &spec, Language: spec.Language}
	prefix := ""
	if env != nil {
		own.Name += " in " + env.Label()
		own.Warnings, prefix = env.Warnings, env.Prefix
	}
	own.Command = spec.Command(program, prefix)
	return own, nil
}

// itsPython is the environment of a kernelspec that starts an ipykernel; env, if any, is
// the one it was looked for in.
func (p *Provisioner) itsPython(ctx context.Context, spec kernelspec.Spec, python string, env *pyenv.Environment) (_ *pyenv.Environment, err error) {
	if env == nil || python != env.Python {
		if env, err = p.Installer.Finder.Resolve(ctx, pyenv.Config{Type: string(kinds.Venv), VenvPath: python}); err != nil {
			return nil, fmt.Errorf("the kernelspec %s: %w", spec.Name, err)
		}
	}
	vars := host.VarsOf(env.Vars)
	spec.Variables(vars.Get, vars.Set)
	env.Vars = vars.Environ()
	return env, nil
}

// KernelVariables are the variables KERNEL_* of the user's, with which gateways decide
// where a kernel runs and as whom; those that are settings of ours are not among them.
func (p *Provisioner) KernelVariables() map[string]string {
	set := map[string]string{}
	vars := host.VarsOf(p.Installer.Finder.Host.Variables())
	for _, name := range vars.Names {
		if strings.HasPrefix(name, "KERNEL_") && name != "KERNEL_NAME" && name != "KERNEL_INSTALL" {
			set[name], _ = vars.Get(name)
		}
	}
	return set
}

// JupyterRuntimeDir is where Jupyter keeps connection files.
func (p *Provisioner) JupyterRuntimeDir() string {
	h := p.Installer.Finder.Host
	return kernelspec.RuntimeDir(h.Variable, h.Home)
}

func (p *Provisioner) kernelspecDirs(env *pyenv.Environment) []string {
	h, prefix := p.Installer.Finder.Host, ""
	if env != nil {
		prefix = env.Prefix
	}
	return kernelspec.Dirs(h.Variable, h.Home, prefix)
}
