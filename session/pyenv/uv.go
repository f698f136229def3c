package pyenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// uvTimeout bounds fetching uv, a wheel of 20 MB.
const uvTimeout = 5 * time.Minute

// uvPath finds the program uv, "" if there is none. GUI clients start servers
// with a bare PATH, so the usual places are looked at too. env may be nil.
func (f *Installer) uvPath(env *Environment) string {
	places := f.pathDirs()
	if env != nil {
		places = append(places, binDir(env.Prefix))
	}
	places = append(places, filepath.Join(f.Home, ".local", "bin"), filepath.Join(f.Home, ".cargo", "bin"),
		f.sys("/opt/homebrew/bin"), f.sys("/usr/local/bin"))
	if f.DataDir != "" {
		places = append(places, filepath.Join(f.uvDir(), "bin"))
	}
	if uv := f.getenv("UV"); filepath.IsAbs(uv) && executable(uv) {
		return uv // set by "uv run" for its children
	}
	return lookup("uv", places)
}

// uvDir is where uv is put when it is fetched.
func (f *Installer) uvDir() string { return filepath.Join(f.DataDir, "tools", "uv") }

// FindUV finds the program uv: $UV, PATH, its usual places, and what this program
// installed below dataDir.
func FindUV(getenv func(string) string, home, dataDir string) (path string, ok bool) {
	f := &Installer{Finder: NewFinder(&Host{Getenv: getenv, Home: home, DataDir: dataDir})}
	path = f.uvPath(nil)
	return path, path != ""
}

// ensureUV finds uv, or fetches it from the user's package index into the data
// directory: its wheel holds the program itself. UV_INSTALL=never forbids that.
func (f *Installer) ensureUV(ctx context.Context, progress func(string)) (path string, err error) {
	if uv := f.uvPath(nil); uv != "" {
		return uv, nil
	}
	switch {
	case f.UVInstall == "never":
		return "", errors.New("there is no uv, and UV_INSTALL=never forbids fetching it; install it: https://docs.astral.sh/uv")
	case f.UVInstall != "" && f.UVInstall != "auto":
		return "", &ConfigError{Variable: "UV_INSTALL", Value: f.UVInstall, Reason: "is not known", Mend: "use auto or never"}
	case f.DataDir == "":
		return "", errors.New("there is no uv; install it: https://docs.astral.sh/uv")
	}
	progress = orSilent(progress)
	unlock, err := f.lock(ctx, "uv", waitingFor(progress, "another server that fetches uv"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if uv := f.uvPath(nil); uv != "" {
		return uv, nil // fetched while we waited
	}
	progress("fetching uv from the package index")
	if err := f.fetchUV(ctx, progress); err != nil {
		return "", fmt.Errorf("fetching uv: %w", err)
	}
	return lookup("uv", []string{filepath.Join(f.uvDir(), "bin")}), nil
}

// fetchUV puts uv's wheel into uvDir by the first Python whose pip works.
func (f *Installer) fetchUV(ctx context.Context, progress func(string)) error {
	if err := os.MkdirAll(filepath.Dir(f.uvDir()), 0o700); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(f.uvDir()), "uv-")
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
	if tail, err := f.runInstaller(ctx, uvTimeout, pip.vars, progress, argv); err != nil {
		return fmt.Errorf("%w\n%s", err, redact(lastLines(tail, 4)))
	}
	program := filepath.Join(target, "bin", "uv"+exeSuffix)
	if out, stderr, err := f.output(ctx, pip.vars, program, "--version"); err != nil || !strings.HasPrefix(string(out), "uv ") {
		return fmt.Errorf("what was fetched does not work: %v %s", err, lastLines(stderr, 2))
	}
	if err := os.RemoveAll(f.uvDir()); err != nil {
		return err
	}
	return os.Rename(target, f.uvDir())
}

// pipCommand runs some Python's pip.
type pipCommand struct {
	argv []string // "PYTHON -m pip"
	vars []string
}

// anyPip finds a Python that has pip, or makes a venv with one in scratch.
func (f *Installer) anyPip(ctx context.Context, scratch string, progress func(string)) (pipCommand, error) {
	var ensure *Environment
	for _, path := range f.basePythons() {
		env, err := f.systemPython(ctx, path)
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
	tail, err := f.runInstaller(ctx, uvTimeout, ensure.Vars, progress, []string{ensure.Python, "-m", "venv", scratch})
	if err != nil {
		return pipCommand{}, fmt.Errorf("%w\n%s", err, lastLines(tail, 4))
	}
	return pipCommand{[]string{filepath.Join(binDir(scratch), "python"+exeSuffix), "-m", "pip"}, ensure.Vars}, nil
}
