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
func (i *Installer) UVPath(env *pyenv.Environment) string {
	places := i.Finder.Host.PathDirs()
	if env != nil {
		places = append(places, host.BinDir(env.Prefix))
	}
	places = append(places, filepath.Join(i.Finder.Host.Home, ".local", "bin"), filepath.Join(i.Finder.Host.Home, ".cargo", "bin"),
		i.Finder.Host.Sys("/opt/homebrew/bin"), i.Finder.Host.Sys("/usr/local/bin"))
	if i.Finder.Host.DataDir != "" {
		places = append(places, filepath.Join(i.UVDir(), "bin"))
	}
	if uv := i.Finder.Host.Variable("UV"); filepath.IsAbs(uv) && host.Executable(uv) {
		return uv // set by "uv run" for its children
	}
	return host.LookPath("uv", places)
}

// UVDir is where uv is put when it is fetched.
func (i *Installer) UVDir() string { return filepath.Join(i.Finder.Host.DataDir, "tools", "uv") }

// FindUV finds the program uv: $UV, PATH, its usual places, and what this program
// installed below dataDir.
func FindUV(getenv func(string) string, home, dataDir string) (path string, ok bool) {
	f := &Installer{Finder: pyenv.NewFinder(&host.Host{Getenv: getenv, Home: home, DataDir: dataDir})}
	path = f.UVPath(nil)
	return path, path != ""
}

// EnsureUV finds uv, or fetches it from the user's package index into the data
// directory: its wheel holds the program itself. UV_INSTALL=never forbids that.
func (i *Installer) EnsureUV(ctx context.Context, progress func(string)) (path string, err error) {
	if uv := i.UVPath(nil); uv != "" {
		return uv, nil
	}
	if err := i.Forbids("fetching uv, and there is none"); err != nil {
		return "", err
	}
	switch {
	case i.UVInstall == "never":
		return "", errors.New("there is no uv, and UV_INSTALL=never forbids fetching it; install it: https://docs.astral.sh/uv")
	case i.Finder.Host.DataDir == "":
		return "", errors.New("there is no uv; install it: https://docs.astral.sh/uv")
	}
	progress = host.OrSilent(progress)
	unlock, err := i.Finder.Host.Lock(ctx, "uv", host.WaitingFor(progress, "another server that fetches uv"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if uv := i.UVPath(nil); uv != "" {
		return uv, nil // fetched while we waited
	}
	progress("fetching uv from the package index")
	if err := i.fetchUV(ctx, progress); err != nil {
		return "", fmt.Errorf("fetching uv: %w", err)
	}
	return host.LookPath("uv", []string{filepath.Join(i.UVDir(), "bin")}), nil
}

// fetchUV puts uv's wheel into uvDir by the first Python whose pip works.
func (i *Installer) fetchUV(ctx context.Context, progress func(string)) error {
	if err := os.MkdirAll(filepath.Dir(i.UVDir()), 0o700); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(i.UVDir()), "uv-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	pip, err := i.anyPip(ctx, filepath.Join(work, "pip"), progress)
	if err != nil {
		return err
	}
	target := filepath.Join(work, "uv")
	argv := append(pip.argv, "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-color",
		"--only-binary", ":all:", "--no-deps", "--target", target, "--", "uv")
	if tail, err := i.Run(ctx, uvTimeout, pip.vars, progress, argv); err != nil {
		return fmt.Errorf("%w\n%s", err, host.Redact(LastWords(tail, 4)))
	}
	program := filepath.Join(target, "bin", "uv"+host.ExeSuffix)
	if out, stderr, err := i.Finder.Host.Output(ctx, pip.vars, program, "--version"); err != nil || !strings.HasPrefix(string(out), "uv ") {
		return fmt.Errorf("what was fetched does not work: %v %s", err, host.LastLines(stderr, 2))
	}
	if err := os.RemoveAll(i.UVDir()); err != nil {
		return err
	}
	return os.Rename(target, i.UVDir())
}

// pipCommand runs some Python's pip.
type pipCommand struct {
	argv []string // "PYTHON -m pip"
	vars []string
}

// anyPip finds a Python that has pip, or makes a venv with one in scratch.
func (i *Installer) anyPip(ctx context.Context, scratch string, progress func(string)) (pipCommand, error) {
	var ensure *pyenv.Environment
	for _, path := range i.Finder.BasePythons() {
		env, err := i.Finder.SystemPython(ctx, path)
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
		fix := "install one with pip, or uv itself: https://docs.astral.sh/uv"
		if runtime.GOOS == "linux" {
			fix += " (Debian: apt install python3-pip)"
		}
		return pipCommand{}, errors.New("no Python with pip was found: " + fix)
	}
	tail, err := i.Run(ctx, uvTimeout, ensure.Vars, progress, []string{ensure.Python, "-m", "venv", scratch})
	if err != nil {
		return pipCommand{}, fmt.Errorf("%w\n%s", err, host.LastLines(tail, 4))
	}
	return pipCommand{[]string{filepath.Join(host.BinDir(scratch), "python"+host.ExeSuffix), "-m", "pip"}, ensure.Vars}, nil
}
