package pyenv

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// inspect tells what files and directory names say of the environment in prefix.
func (f *Finder) inspect(prefix string) Found {
	kind, _ := kinds.At(prefix)
	x := Found{Kind: kind.Kind, Name: kinds.Name(prefix), Path: prefix, real: host.RealPath(prefix)}
	if kind.Facts != nil {
		x.Version, x.Kernel = kind.Facts(prefix)
	}
	if x.Kernel == "" {
		x.Kernel = kernelIn(prefix, x.Version)
	}
	config := kinds.Pyvenv(prefix)
	if x.Kernel == "" && strings.EqualFold(config["include-system-site-packages"], "true") {
		x.Kernel = f.kernelOf(filepath.Dir(config["home"]), x.Version)
	}
	if _, err := Interpreter(prefix); err != nil {
		x.setBroken(err)
	}
	return x
}

func (x *Found) setBroken(err error) {
	x.Broken = err.Error()
	var broken *BrokenError
	if errors.As(err, &broken) {
		x.Broken, x.Fix = broken.Reason, broken.Fix
	}
}

// inspectPython tells the same of a Python that was installed into prefix by
// pyenv or uv, whose names hold the version: "3.11.7", "cpython-3.12.1-linux-…".
func (f *Finder) inspectPython(prefix, name string) Found {
	x := Found{Kind: kinds.System, Name: name, Path: prefix, real: host.RealPath(prefix)}
	version := name
	if _, rest, ok := strings.Cut(name, "-"); ok {
		version, _, _ = strings.Cut(rest, "-")
	}
	if len(packaging.ReleaseNumbers(version)) > 1 {
		x.Version = version
	}
	python, err := Interpreter(prefix)
	if err != nil {
		x.setBroken(err)
		return x
	}
	x.Path, x.real = python, host.RealPath(python)
	if x.Version == "" {
		x.Version = versionOfProgram(python)
	}
	x.Kernel = f.kernelOf(prefix, x.Version)
	return x
}

// inspectProgram tells the same of a python on PATH.
func (f *Finder) inspectProgram(path string) Found {
	x := Found{Kind: kinds.System, Name: filepath.Base(path), Path: path, real: host.RealPath(path), Version: versionOfProgram(path)}
	x.Kernel = f.kernelOf(filepath.Dir(filepath.Dir(x.real)), x.Version)
	return x
}

// versionOfProgram is the version in the name of what a python is a link to:
// "3.11" of python3 -> python3.11.
func versionOfProgram(path string) string {
	_, version, _ := strings.Cut(filepath.Base(host.RealPath(path)), "python")
	version = strings.TrimSuffix(version, host.ExeSuffix)
	if len(packaging.ReleaseNumbers(version)) < 2 {
		return ""
	}
	return version
}

// kernelIn finds the version of ipykernel in an environment's site-packages, ""
// if it is not there.
func kernelIn(prefix, version string) string {
	if runtime.GOOS == "windows" {
		return kernelAt(filepath.Join(prefix, "Lib", "site-packages"))
	}
	return kernelAt(filepath.Join(prefix, "lib", "python"+packaging.MinorVersion(version), "site-packages"))
}

// kernelOf does so for a Python that is in no environment: Debian and the user
// have directories of their own.
func (f *Finder) kernelOf(prefix, version string) string {
	if found := kernelIn(prefix, version); found != "" || runtime.GOOS == "windows" {
		return found
	}
	python := "python" + packaging.MinorVersion(version)
	dirs := []string{
		filepath.Join(prefix, "local", "lib", python, "dist-packages"),
		filepath.Join(prefix, "lib", "python3", "dist-packages"),
	}
	if f.Host.Home != "" {
		dirs = append(dirs, filepath.Join(f.Host.Home, ".local", "lib", python, "site-packages"))
	}
	for _, dir := range dirs {
		if found := kernelAt(dir); found != "" {
			return found
		}
	}
	return ""
}

// kernelAt looks for the module first: listing a large directory takes long.
func kernelAt(dir string) string {
	if !host.IsFile(filepath.Join(dir, "ipykernel", "__init__.py")) {
		return ""
	}
	for _, name := range host.DirNames(dir) {
		if rest, ok := strings.CutPrefix(name, "ipykernel-"); ok {
			if version, _, found := strings.Cut(strings.TrimSuffix(rest, ".egg-info"), ".dist-info"); found || version != rest {
				return version
			}
		}
	}
	return "unknown"
}
