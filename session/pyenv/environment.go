package pyenv

import (
	"path/filepath"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kernelspec"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// Environment is one Python environment, validated, activated and probed. It is
// not changed after it was returned, except by [Finder.EnsureKernel], which
// probes it again.
type Environment struct {
	Kind   kinds.Kind
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
	// Kernelspec is set where the kernel is one of a kernelspec that starts no
	// ipykernel, with Command to start it. There is no Python to ask then.
	Kernelspec *kernelspec.Spec
	Command    []string
	// Language is that of a kernel that is not Python's, as far as it is known.
	Language string
	// Made is a sentence about an environment that was just made, "" otherwise.
	Made string
}

// Label is a short name for status lines: "venv .venv", "conda ml", "managed".
func (e *Environment) Label() string {
	if e == nil {
		return "no environment"
	}
	if e.Kind == kinds.Managed {
		return string(kinds.Managed)
	}
	name := e.Name
	if name == "" {
		name = filepath.Base(e.Prefix)
	}
	return string(e.Kind) + " " + name
}

// Directories are those that a Python of the environment needs to read: its own, and
// those of the Python that it is made of.
func (e *Environment) Directories() []string {
	dirs := []string{e.Prefix, e.Info.Prefix, e.Info.BasePrefix, e.Root, e.Sidecar, filepath.Dir(filepath.Dir(e.Python))}
	if program, err := filepath.EvalSymlinks(e.Python); err == nil {
		dirs = append(dirs, filepath.Dir(filepath.Dir(program)))
	}
	return dirs
}

// Same says whether a Python started in other would be the same as in e. It does
// not compare what is installed, nor the variables.
func (e *Environment) Same(other *Environment) bool {
	return e != nil && other != nil && e.Prefix == other.Prefix && e.Python == other.Python &&
		e.Info.Version == other.Info.Version && e.Info.BasePrefix == other.Info.BasePrefix
}

// InterruptByMessage reports whether the kernel wants a message in place of a signal.
func (e *Environment) InterruptByMessage() bool {
	return e.Kernelspec != nil && e.Kernelspec.ByMessage
}

// OtherLanguage is the language of a kernel that is not Python's, else "".
func (e *Environment) OtherLanguage() string {
	if e == nil || e.Language == "python" {
		return ""
	}
	return e.Language
}

// PythonPath is PYTHONPATH as code sees it, "" if it is not set.
func (e *Environment) PythonPath() string {
	value, _ := host.VarsOf(e.Vars).Get("PYTHONPATH")
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

// minKernel is the oldest ipykernel that is used, and the oldest that is tested.
const minKernel = "6.17"

// HasKernel reports whether the environment has an ipykernel that can be started.
func (e *Environment) HasKernel() bool {
	version := e.Info.Dists["ipykernel"]
	return version != "" && packaging.CompareReleases(version, minKernel) >= 0
}
