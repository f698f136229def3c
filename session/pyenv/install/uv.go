package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// uvTimeout bounds fetching uv, a wheel of 20 MB.
const uvTimeout = 5 * time.Minute

// UVPath finds the program uv, "" if there is none. GUI clients start servers
// with a bare PATH, so the usual places are looked at too. env may be nil.
func (f *Installer) UVPath(env *pyenv.Environment) string {
	places := f.Finder.Host.PathDirs()
	if env != nil {
		places = append(places, host.BinDir(env.Prefix))
	}
	places = append(places, filepath.Join(f.Finder.Host.Home, ".local", "bin"), filepath.Join(f.Finder.Host.Home, ".cargo", "bin"),
		f.Finder.Host.Sys("/opt/homebrew/bin"), f.Finder.Host.Sys("/usr/local/bin"))
	if f.Finder.Host.DataDir != "" {
		places = append(places, filepath.Join(f.UVDir(), "bin"))
	}
	if uv := f.Finder.Host.Variable("UV"); filepath.IsAbs(uv) && host.Executable(uv) {
		return uv // set by "uv run" for its children
	}
	return host.LookPath("uv", places)
}

// UVDir is where uv is put when it is fetched.
func (f *Installer) UVDir() string { return filepath.Join(f.Finder.Host.DataDir, "tools", "uv") }

// FindUV finds the program uv: $UV, PATH, its usual places, and what this program
// installed below dataDir.
func FindUV(getenv func(string) string, home, dataDir string) (path string, ok bool) {
	f := &Installer{Finder: pyenv.NewFinder(&host.Host{Getenv: getenv, Home: home, DataDir: dataDir})}
	path = f.UVPath(nil)
	return path, path != ""
}

// EnsureUV finds uv, or fetches it from the user's package index into the data
// directory: its wheel holds the program itself. UV_INSTALL=never forbids that.
func (f *Installer) EnsureUV(ctx context.Context, progress func(string)) (path string, err error) {
	if uv := f.UVPath(nil); uv != "" {
		return uv, nil
	}
	switch {
	case f.UVInstall == "never":
		return "", errors.New("there is no uv, and UV_INSTALL=never forbids fetching it; install it: https://docs.astral.sh/uv")
	case f.UVInstall != "" && f.UVInstall != "auto":
		return "", &host.ConfigError{Variable: "UV_INSTALL", Value: f.UVInstall, Reason: "is not known", Mend: "use auto or never"}
	case f.Finder.Host.DataDir == "":
		return "", errors.New("there is no uv; install it: https://docs.astral.sh/uv")
	}
	progress = host.OrSilent(progress)
	unlock, err := f.Finder.Host.Lock(ctx, "uv", host.WaitingFor(progress, "another server that fetches uv"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if uv := f.UVPath(nil); uv != "" {
		return uv, nil // fetched while we waited
	}
	progress("fetching uv from the package index")
	if err := f.fetchUV(ctx, progress); err != nil {
		return "", fmt.Errorf("fetching uv: %w", err)
	}
	return host.LookPath("uv", []string{filepath.Join(f.UVDir(), "bin")}), nil
}

// fetchUV puts uv's wheel into uvDir by the first Python whose pip works.
func (f *Installer) fetchUV(ctx context.Context, progress func(string)) error {
	if err := os.MkdirAll(filepath.Dir(f.UVDir()), 0o700); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(f.UVDir()), "uv-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	pip, err := f.anyPip(ctx, filepath.Join(work, "pip"), progress)
	if err != nil {
		return err
	}
	target := filepath.Join(work, "uv")
	argv := append(pip.argv, "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-color",
		"--only-binary", ":all:", "--no-deps", "--target", target, "--", "uv")
	if tail, err := f.Run(ctx, uvTimeout, pip.vars, progress, argv); err != nil {
		return fmt.Errorf("%w\n%s", err, host.Redact(host.LastLines(tail, 4)))
	}
	program := filepath.Join(target, "bin", "uv"+host.ExeSuffix)
	if out, stderr, err := f.Finder.Host.Output(ctx, pip.vars, program, "--version"); err != nil || !strings.HasPrefix(string(out), "uv ") {
		return fmt.Errorf("what was fetched does not work: %v %s", err, host.LastLines(stderr, 2))
	}
	if err := os.RemoveAll(f.UVDir()); err != nil {
		return err
	}
	return os.Rename(target, f.UVDir())
}

// pipCommand runs some Python's pip.
type pipCommand struct {
	argv []string // "PYTHON -m pip"
	vars []string
}

// anyPip finds a Python that has pip, or makes a venv with one in scratch.
func (f *Installer) anyPip(ctx context.Context, scratch string, progress func(string)) (pipCommand, error) {
	var ensure *pyenv.Environment
	for _, path := range f.Finder.BasePythons() {
		env, err := f.Finder.SystemPython(ctx, path)
		if ctx.Err() != nil {
			return pipCommand{}, context.Cause(ctx)
		}
		switch {
		case err != nil:
		case env.Info.HasPip:
			return pipCommand{[]string{env.Python, "-m", "pip"}, env.Vars}, nil
		case env.Info.HasEnsurepip && ensure == nil:
			ensure = env
		}
	}
	if ensure == nil {
		mend := "install one with pip, or uv itself: https://docs.astral.sh/uv"
		if runtime.GOOS == "linux" {
			mend += " (Debian: apt install python3-pip)"
		}
		return pipCommand{}, errors.New("no Python with pip was found: " + mend)
	}
	tail, err := f.Run(ctx, uvTimeout, ensure.Vars, progress, []string{ensure.Python, "-m", "venv", scratch})
	if err != nil {
		return pipCommand{}, fmt.Errorf("%w\n%s", err, host.LastLines(tail, 4))
	}
	return pipCommand{[]string{filepath.Join(host.BinDir(scratch), "python"+host.ExeSuffix), "-m", "pip"}, ensure.Vars}, nil
}
