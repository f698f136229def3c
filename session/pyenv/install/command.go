package install

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// Run runs an installer for at most limit and returns the end of what it
// printed.
func (i *Installer) Run(ctx context.Context, limit time.Duration, environ []string, progress func(string), argv []string) (tail string, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	environ = InstallVars(environ)
	tail, err = i.Download(limited, environ, progress, argv...)
	if isUV(argv) && err != nil && limited.Err() == nil && Classify(tail) == ReasonNetwork {
		// What is in its cache may do.
		offline := slices.Insert(slices.Clone(argv), slices.Index(argv, "pip")+1, "--offline")
		if again, failed := i.Download(limited, environ, progress, offline...); failed == nil {
			return again, nil
		}
	}
	return tail, err
}

func isUV(argv []string) bool {
	return filepath.Base(argv[0]) == "uv"+host.ExeSuffix && slices.Contains(argv, "pip")
}

// Download runs a program that fetches something, as stream does. uv trusts a
// list of authorities of its own; behind a company's proxy the system's has to be
// used, as pip does, so it is tried again with that.
func (i *Installer) Download(ctx context.Context, environ []string, line func(string), argv ...string) (tail string, err error) {
	if at := slices.Index(argv, "install"); i.WheelsOnly && isUV(argv) && at > 0 {
		argv = slices.Insert(slices.Clone(argv), at+1, "--only-binary", ":all:") // uv pip has no variable for it
	}
	if at := slices.Index(argv, "pip"); i.WheelsOnly && at > 1 && argv[at-1] == "-m" {
		argv = slices.Replace(slices.Clone(argv), at-1, at+1, "-c", onlyWheels)
	}
	tail, err = i.Finder.Host.Stream(ctx, environ, line, argv...)
	if err != nil && strings.Contains(tail, "invalid peer certificate") && ctx.Err() == nil {
		environ = append(slices.Clone(environ), "UV_SYSTEM_CERTS=true", "UV_NATIVE_TLS=true") // the new and the old name
		tail, err = i.Finder.Host.Stream(ctx, environ, line, argv...)
	}
	return tail, err
}

// onlyWheels runs pip, which may start neither a Python nor a version control system.
// Else it builds what a package requires by its address ("x @ https://…"), whatever
// PIP_ONLY_BINARY says: that holds for what an index has.
const onlyWheels = `import os, re, runpy, subprocess
start = subprocess.Popen.__init__
def checked(self, args, *more, **options):
    program = os.path.basename(os.fsdecode(args if isinstance(args, (str, bytes, os.PathLike)) else args[0]))
    if re.match("(python|pypy|git|hg|svn|bzr)", program):
        from pip._internal.exceptions import InstallationError
        raise InstallationError("something is required by its address that is no wheel: it would have to be built")
    return start(self, args, *more, **options)
subprocess.Popen.__init__ = checked
runpy.run_module("pip", run_name="__main__", alter_sys=True)`

// PipCommand is pip's command line for packages.
func PipCommand(python string, packages ...string) []string {
	argv := []string{python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-color", "--"}
	return append(argv, packages...)
}

// UVCommand is uv's command line for packages. Indexes are not in it but in the
// variables, see [installVars].
func (i *Installer) UVCommand(uv, python string, packages ...string) []string {
	argv := []string{uv, "pip", "install", "--python", python, "--no-progress", "--color", "never"}
	if truth(i.Finder.Host.Variable("PIP_NO_INDEX")) {
		argv = append(argv, "--no-index") // uv has no variable for it
	}
	return append(append(argv, "--"), packages...)
}

// InstallVars is environ without what would send an installation elsewhere, and
// with the user's index in uv's words too.
func InstallVars(environ []string) []string {
	v := pipVars(environ)
	translateIndex(v)
	return v.Environ()
}

// pipVars is the environment's variables without what sends an installation
// elsewhere, or makes it ask. PIP_USER alone breaks every venv.
func pipVars(environ []string) *host.Vars {
	v := host.VarsOf(environ)
	for _, name := range []string{"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_DRY_RUN",
		"PIP_REQUIRE_VIRTUALENV", "PIP_REQUIREMENT", "PIP_EDITABLE", "PIP_UPGRADE", "PIP_QUIET", "PIP_VERBOSE", "PIP_REPORT",
		"UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "UV_BREAK_SYSTEM_PACKAGES", "UV_COMPILE_BYTECODE"} {
		v.Unset(name)
	}
	v.Set("PIP_ROOT_USER_ACTION", "ignore") // containers run as root
	v.Set("GIT_TERMINAL_PROMPT", "0")
	v.Set("PYTHONIOENCODING", "utf-8")
	return v
}

// translateIndex gives uv what pip's variables say: uv reads none of them, and an
// internal index would silently be passed by. By variables, since a command line
// is seen by everybody and an index's URL may hold a password.
func translateIndex(v *host.Vars) {
	for _, t := range []struct{ pip, uv, also, join string }{
		{"PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", ""},
		{"PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX", " "},
		{"PIP_FIND_LINKS", "UV_FIND_LINKS", "", ","},
		{"PIP_CONSTRAINT", "UV_CONSTRAINT", "", " "},
		{"PIP_TRUSTED_HOST", "UV_INSECURE_HOST", "", " "},
		{"PIP_CERT", "SSL_CERT_FILE", "", ""},
		{"PIP_DEFAULT_TIMEOUT", "UV_HTTP_TIMEOUT", "", ""},
	} {
		value, _ := v.Get(t.pip)
		_, have := v.Get(t.uv)
		_, haveAlso := v.Get(t.also)
		if value == "" || have || t.also != "" && haveAlso {
			continue
		}
		if t.join != "" {
			fields := strings.Fields(value)
			if t.pip == "PIP_FIND_LINKS" { // pip warns of one that is gone, uv gives up
				fields = slices.DeleteFunc(fields, func(p string) bool { return filepath.IsAbs(p) && !host.Exists(p) })
			}
			value = strings.Join(fields, t.join)
		}
		if value != "" {
			v.Set(t.uv, value)
		}
	}
}

// truth reads a boolean as pip does.
func truth(value string) bool {
	return slices.Contains([]string{"1", "y", "yes", "t", "true", "on"}, strings.ToLower(value))
}
