// Package pyenv finds, activates, probes and mends Python environments. It knows
// nothing of kernels or MCP: it answers which python to start and with which
// variables, and it installs into it. Helper programs run through a [Runner], in
// an empty private directory: a file "imp.py" of the user's working directory
// would otherwise shadow the standard library of every helper.
package pyenv

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Kind says how an environment was made, which decides how it is activated and
// which program installs into it.
type Kind string

// Kinds of environment.
const (
	KindVenv    Kind = "venv"    // pyvenv.cfg, made by venv or virtualenv
	KindUV      Kind = "venv-uv" // pyvenv.cfg with the key "uv"
	KindConda   Kind = "conda"   // has conda-meta; micromamba, mamba and pixi too
	KindSystem  Kind = "system"  // a Python that is in no environment
	KindManaged Kind = "managed" // the default environment this program made
)

// Config is what the user chose. The zero value means "nothing": the managed
// environment.
type Config struct {
	Type       string // ENV_TYPE: "conda", "venv", "venv-uv"; "" infers it
	CondaName  string // CONDA_ENV_NAME: a name, "base" or a path
	VenvPath   string // VENV_PATH: the directory, its bin, or the python
	UVVenvPath string // UV_VENV_PATH: the same
}

// ConfigFromEnv reads ENV_TYPE, CONDA_ENV_NAME, VENV_PATH and UV_VENV_PATH. It
// judges nothing; [Finder.Resolve] does.
func ConfigFromEnv(getenv func(string) string) Config {
	get := func(name string) string { return strings.TrimSpace(getenv(name)) }
	return Config{
		Type:       get("ENV_TYPE"),
		CondaName:  get("CONDA_ENV_NAME"),
		VenvPath:   get("VENV_PATH"),
		UVVenvPath: get("UV_VENV_PATH"),
	}
}

// Environment is one Python environment, validated, activated and probed. It is
// not changed after it was returned, except by [Finder.EnsureKernel], which
// probes it again.
type Environment struct {
	Kind   Kind
	Name   string // what a person calls it: conda's name, a venv's directory name
	Prefix string // absolute directory of the environment
	Python string // absolute; symbolic links in bin/python are kept, they make it a venv
	Root   string // conda root that owns it, "" if unknown or not conda

	Info ProbeInfo
	// Sidecar is a directory with a kernel for an environment that has none,
	// appended to the kernel's sys.path; "" for none. EnsureKernel sets it.
	Sidecar string
	// Vars is the complete environment (KEY=VALUE) for the kernel and for
	// helpers: activation is computed into it.
	Vars []string
	// Warnings are sentences about what did not work but did not stop us.
	Warnings []string
}

// Label is a short name for status lines: "venv .venv", "conda ml", "managed".
func (e *Environment) Label() string {
	if e == nil {
		return "no environment"
	}
	if e.Kind == KindManaged {
		return string(KindManaged)
	}
	name := e.Name
	if name == "" {
		name = filepath.Base(e.Prefix)
	}
	return string(e.Kind) + " " + name
}

// Same says whether a Python started in other would be the same as in e. It does
// not compare what is installed, nor the variables.
func (e *Environment) Same(other *Environment) bool {
	return e != nil && other != nil && e.Prefix == other.Prefix && e.Python == other.Python &&
		e.Info.Version == other.Info.Version && e.Info.BasePrefix == other.Info.BasePrefix
}

// PythonPath is PYTHONPATH as code sees it, "" if it is not set.
func (e *Environment) PythonPath() string {
	value, _ := varsOf(e.Vars).get("PYTHONPATH")
	return value
}

// ProbeInfo is what a Python says about itself, started with the kernel's own
// variables.
type ProbeInfo struct {
	Version        string `json:"version"`        // "3.11.7"
	Implementation string `json:"implementation"` // "cpython"
	Executable     string `json:"executable"`     // sys.executable
	Prefix         string `json:"prefix"`         // sys.prefix
	BasePrefix     string `json:"base_prefix"`    // sys.base_prefix
	Machine        string `json:"machine"`        // "x86_64"
	Platform       string `json:"platform"`       // sys.platform, "linux"
	Purelib        string `json:"purelib"`        // site-packages
	Writable       bool   `json:"writable"`       // purelib can be written to
	// ExternallyManaged is the path of the file that says so (PEP 668, or conda's
	// "frozen", CEP 22), "" if installing is allowed.
	ExternallyManaged string `json:"externally_managed"`
	HasPip            bool   `json:"has_pip"`
	HasEnsurepip      bool   `json:"has_ensurepip"` // can make itself a pip, offline
	// Dists holds the versions of the distributions that are installed, by name in
	// lower case with "_": "jupyter_client". An absent one is absent.
	Dists map[string]string `json:"dists"`
	ABI   string            `json:"abi"` // of compiled modules, "cpython-311-x86_64-linux-gnu"
	// Depends lists the files and directories this answer was made of.
	Depends []string `json:"depends"`
}

// Runner runs a helper program to its end, as exec.Cmd.Run does, and ends it
// with its children when ctx is done. The server has one, so that it owns each
// process it starts.
type Runner interface {
	Run(ctx context.Context, cmd *exec.Cmd) error
}

// Finder finds environments. Set the fields before first use; it is safe for
// concurrent use and must not be copied.
type Finder struct {
	// Getenv and Environ are the server's own variables; a nil Getenv looks in
	// Environ.
	Getenv  func(string) string
	Environ func() []string
	Home    string // the user's home directory
	Runner  Runner // nil: programs are started directly
	// ProbeTimeout bounds one probe; 0 is 10 s.
	ProbeTimeout time.Duration
	DataDir      string // this program's data directory, per user; made when needed
	Logger       *slog.Logger
	// KernelInstall is KERNEL_INSTALL: what is done where ipykernel is missing,
	// "auto" (or ""), "env", "sidecar" or "never".
	KernelInstall string
	// UVInstall is UV_INSTALL: "never" forbids fetching uv.
	UVInstall string
	// NoKernelInstall leaves a missing ipykernel missing: what would be done about
	// it is the error's reason.
	NoKernelInstall bool
	// EnvDeny is ENV_DENY: names and patterns of variables that no program we
	// start gets to see.
	EnvDeny string
	// Near lists the directories the user works in, nearest first: environments
	// in and around them are listed first.
	Near []string

	// packages replaces the managed environment's packages in tests.
	packages []managedPackage
	// sysroot stands for "/" in the paths of the operating system in tests.
	sysroot string
	// scriptTimeout bounds activation scripts; 0 is 10 s.
	scriptTimeout time.Duration
	// lockPatience and tryLock replace the constant and the function in tests.
	lockPatience time.Duration
	tryLock      func(*os.File) (bool, error)

	probing flights[ProbeInfo]
	running flights[scriptAnswer]
	scans   scans

	mu      sync.Mutex              // protects the fields below
	probes  map[string]probeEntry   // by probeKey
	scripts map[string]scriptAnswer // by scriptKey
	work    string                  // empty directory helpers run in
	conda   condaAnswer             // the last answer of the conda program
	used    map[string]*os.File     // locks on directories of ours in use; see use
}

// Resolve finds the chosen environment, checks that it works, computes its
// activation and asks its Python about itself. What is asked is remembered and
// asked again when the environment has changed. Nothing chosen is the managed
// environment, made if need be. Errors are [*ConfigError], [*NotFoundError],
// [*AmbiguousError], [*BrokenError], or a context's.
func (f *Finder) Resolve(ctx context.Context, c Config) (*Environment, error) {
	typ, err := c.kind()
	if err != nil {
		return nil, err
	}
	if _, err := parseDenied(f.EnvDeny); err != nil {
		return nil, err
	}
	switch typ {
	case KindManaged:
		return f.Managed(ctx, nil)
	case KindConda:
		return f.resolveConda(ctx, c.CondaName)
	case KindUV:
		return f.resolveVenv(ctx, "UV_VENV_PATH", c.UVVenvPath)
	default:
		return f.resolveVenv(ctx, "VENV_PATH", c.VenvPath)
	}
}

// Configured reports whether the user chose anything; without a choice Resolve
// gives the managed environment, which can take minutes to make the first time.
func (c Config) Configured() bool { return c != Config{} }

// kind judges the combination of settings and infers the type.
func (c Config) kind() (Kind, error) {
	settings := []struct {
		kind            Kind
		variable, value string
	}{
		{KindConda, "CONDA_ENV_NAME", c.CondaName},
		{KindVenv, "VENV_PATH", c.VenvPath},
		{KindUV, "UV_VENV_PATH", c.UVVenvPath},
	}
	if c.Type != "" {
		for _, s := range settings {
			if string(s.kind) != c.Type {
				continue
			}
			if s.value == "" {
				return "", &ConfigError{Variable: s.variable, Reason: "is not set, and ENV_TYPE is " + c.Type,
					Mend: "set " + s.variable + ", or unset ENV_TYPE to use the managed environment"}
			}
			return s.kind, nil
		}
		return "", &ConfigError{Variable: "ENV_TYPE", Value: c.Type, Reason: "is not a known type",
			Mend: "use conda, venv or venv-uv, or unset it to use the managed environment"}
	}
	kind, set := KindManaged, []string(nil)
	for _, s := range settings {
		if s.value != "" {
			kind, set = s.kind, append(set, s.variable)
		}
	}
	if len(set) > 1 {
		return "", &ConfigError{Variable: "ENV_TYPE", Reason: "is not set, and " + strings.Join(set, " and ") + " are",
			Mend: "set ENV_TYPE to conda, venv or venv-uv to say which one counts"}
	}
	return kind, nil
}

// finish makes an environment complete: its variables, then its probe.
func (f *Finder) finish(ctx context.Context, env *Environment) (*Environment, error) {
	if err := f.activate(ctx, env); err != nil {
		return nil, err
	}
	if err := f.probe(ctx, env); err != nil {
		return nil, err
	}
	f.warnOfMoved(env)
	return env, nil
}
