package pyenv

import (
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// Config is what the user chose. The zero value means "nothing": the managed
// environment.
type Config struct {
	Type       string // ENV_TYPE: "conda", "venv", "venv-uv"; "" infers it
	CondaName  string // CONDA_ENV_NAME: a name, "base" or a path
	VenvPath   string // VENV_PATH: the directory, its bin, or the python
	UVVenvPath string // UV_VENV_PATH: the same

	// Server is the name of a Jupyter server, whose kernels take the place of an
	// environment; Kernelspec what to start there, "" its default; KernelID a kernel
	// that runs there already. Without a Server the Kernelspec is one of this machine.
	// Without one the KernelID is that of a kernel that runs on this machine.
	Server, Kernelspec, KernelID string
}

// Elsewhere reports whether the kernel is a Jupyter server's, or one that runs already:
// there is no environment to resolve.
func (c Config) Elsewhere() bool { return c.Server+c.KernelID != "" }

// Local reports whether a kernelspec of this machine is chosen.
func (c Config) Local() bool { return !c.Elsewhere() && c.Kernelspec != "" }

// Configured reports whether the user chose anything; without a choice Resolve
// gives the managed environment, which can take minutes to make the first time.
func (c Config) Configured() bool { return c != Config{} }

// Check judges the combination of settings as [Finder.Resolve] does, before any
// Python is needed: nil or a [*host.ConfigError].
func (c Config) Check() error {
	_, err := c.kind()
	return err
}

// kind judges the combination of settings and infers the type.
func (c Config) kind() (kinds.Kind, error) {
	settings := []struct {
		kind            kinds.Kind
		variable, value string
	}{
		{kinds.Conda, "CONDA_ENV_NAME", c.CondaName},
		{kinds.Venv, "VENV_PATH", c.VenvPath},
		{kinds.UV, "UV_VENV_PATH", c.UVVenvPath},
		{kinds.Jupyter, "JUPYTER_SERVER_URL", c.Server},
	}
	if c.Server == "" && c.KernelID != "" {
		settings[3].variable, settings[3].value = "CONNECTION_FILE", c.KernelID
	}
	if (c.Type == "" || c.Type == string(kinds.Jupyter)) && c.Local() && c.CondaName+c.VenvPath+c.UVVenvPath == "" {
		return kinds.Jupyter, nil
	}
	if c.Type != "" {
		for _, s := range settings {
			if string(s.kind) != c.Type {
				continue
			}
			if s.value == "" {
				fix := "set " + s.variable
				if s.kind == kinds.Jupyter {
					fix += ", or KERNEL_NAME for a kernelspec of this machine, or CONNECTION_FILE for a kernel that runs here"
				}
				return "", &host.ConfigError{Variable: s.variable, Reason: "is not set, and ENV_TYPE is " + c.Type,
					Fix: fix + ", or unset ENV_TYPE to use the managed environment"}
			}
			return s.kind, nil
		}
		return "", &host.ConfigError{Variable: "ENV_TYPE", Value: c.Type, Reason: "is not a known type",
			Fix: "use conda, venv, venv-uv or jupyter, or unset it to use the managed environment"}
	}
	kind, set := kinds.Managed, []string(nil)
	for _, s := range settings {
		if s.value != "" {
			kind, set = s.kind, append(set, s.variable)
		}
	}
	if len(set) > 1 {
		return "", &host.ConfigError{Variable: "ENV_TYPE", Reason: "is not set, and " + strings.Join(set, " and ") + " are",
			Fix: "set ENV_TYPE to conda, venv, venv-uv or jupyter to say which one counts"}
	}
	return kind, nil
}
