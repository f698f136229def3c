package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// checkEnvironment finds, activates and probes the environment; the managed one
// is made if it is not there. It returns nil when there is none.
func (d *doctor) checkEnvironment(ctx context.Context) *pyenv.Environment {
	d.progress.Say("looking at the environment")
	env, err := d.session.Environment(ctx, nil, d.progress.Say)
	if err != nil {
		d.report.fail("environment", err, advice{})
		return nil
	}
	if env.Kernelspec != nil {
		d.report.ok("environment", "%s: the kernelspec %s starts %s", env.Label(), env.Kernelspec.Dir, env.Command[0])
		return env
	}
	if env.Kind == kinds.Jupyter {
		d.report.ok("environment", "%s, which answers and lets us in", env.Label())
		return env
	}
	d.report.ok("environment", "%s: Python %s, %s", env.Label(), env.Info.Version, env.Python)
	for _, warning := range env.Warnings {
		d.report.warn("activation", warning, "fix or move away what is in "+env.Prefix+"/etc/conda/activate.d; `bash -x` on a script shows where it stops")
	}
	return env
}

// noKernel words a missing ipykernel. The doctor installs none without --fix;
// what the server would do is the error's reason.
func (d *doctor) noKernel(env *pyenv.Environment, e *provision.KernelMissingError) advice {
	if d.fix || d.settings.KernelInstall == "never" {
		return advice{}
	}
	left, _ := filepath.Glob(filepath.Join(env.Info.Purelib, "ipykernel-*.dist-info"))
	if len(left) > 0 && e.Installed == "" { // an installer believes it is there
		return advice{cause: fmt.Sprintf("ipykernel is half removed in %s: %s is there, and its code is not", env.Label(), left[0]), command: reinstall(env)}
	}
	return advice{command: "mcp-code-executor doctor --fix, or: " + e.Command}
}

// firstCallInstalls reports whether the server's first call sees to a missing
// ipykernel: then nothing is wrong, only not done yet.
func (d *doctor) firstCallInstalls(env *pyenv.Environment) bool {
	return !d.fix && d.parts.Provisioner.WillInstall(env)
}

// reinstall is the command that repairs an ipykernel of which parts are missing.
func reinstall(env *pyenv.Environment) string {
	switch {
	case env.Kind == kinds.Conda:
		return "conda install -p " + env.Prefix + " --force-reinstall ipykernel"
	case env.Info.HasPip:
		return env.Python + " -m pip install --force-reinstall ipykernel"
	}
	return "uv pip install --python " + env.Python + " --reinstall ipykernel"
}

// missingModule reads the module's name out of Python's last words, "" when they
// are of something else.
func missingModule(tail string) string {
	for _, phrase := range []string{"No module named ", "cannot import name "} {
		if _, rest, ok := strings.Cut(tail, phrase); ok {
			name, _, _ := strings.Cut(rest, "\n")
			name, _, _ = strings.Cut(name, " ")
			return strings.Trim(name, "'\".;")
		}
	}
	return ""
}
