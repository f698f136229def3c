package provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// A sidecar is a directory with ipykernel and what it needs, for environments
// that have none and get none. It is appended to the kernel's sys.path, so that
// what the environment has is what code gets: the sidecar is resolved with the
// environment's own versions as constraints, and is made anew when those change.
// PYTHONPATH would come first instead, and reach every child process.

// sidecarRequirement reaches further back than [kernelRequirement]: what the
// environment has must stay, and may be old.
const sidecarRequirement = "ipykernel>=6.17,!=7.0.0,!=7.0.1"

// sidecarMark is written last into a sidecar: one without is half made.
const sidecarMark = ".mce-sidecar.json"

// sidecarKept is how long a sidecar that nobody starts is kept.
const sidecarKept = 90 * 24 * time.Hour

// sidecarInfo is the content of the mark.
type sidecarInfo struct {
	ABI    string `json:"abi"`
	Kernel string `json:"kernel"` // version of ipykernel in it
	// Pins are the versions the environment had of what is in the sidecar, "" for
	// what it had not. It fits environments that have the same.
	Pins map[string]string `json:"pins"`
	// Prefixes are the environments it was made for.
	Prefixes []string  `json:"prefixes"`
	Made     time.Time `json:"made"`

	dir string
}

func (p *Provisioner) sidecarsDir() string {
	return filepath.Join(p.Installer.Finder.Host.DataDir, "kernels")
}

// sidecars reads the marks of those there are, the newest kernel first.
func (p *Provisioner) sidecars() []sidecarInfo {
	if p.Installer.Finder.Host.DataDir == "" {
		return nil
	}
	marks, _ := filepath.Glob(filepath.Join(host.GlobEscape(p.sidecarsDir()), "*", sidecarMark))
	var found []sidecarInfo
	for _, mark := range marks {
		info := sidecarInfo{dir: filepath.Dir(mark)}
		if err := host.ReadJSON(mark, &info); err == nil && !strings.HasPrefix(filepath.Base(info.dir), ".") {
			found = append(found, info)
		}
	}
	slices.SortStableFunc(found, func(a, b sidecarInfo) int { return packaging.CompareReleases(b.Kernel, a.Kernel) })
	return found
}

// fits reports whether the sidecar can be used beside env as env is now.
func (s sidecarInfo) fits(env *pyenv.Environment) bool {
	if s.ABI != env.Info.ABI {
		return false
	}
	for name, version := range s.Pins {
		if env.Info.Dists[name] != version {
			return false
		}
	}
	return host.IsFile(filepath.Join(s.dir, "ipykernel", "__init__.py"))
}

// findSidecar returns a sidecar that fits env: one made for it, or with shared
// any other.
func (p *Provisioner) findSidecar(env *pyenv.Environment, shared bool) (found sidecarInfo, ok bool) {
	for _, s := range p.sidecars() {
		own := slices.Contains(s.Prefixes, env.Prefix)
		if (own || shared) && s.fits(env) {
			return s, true
		}
	}
	return found, false
}

// takeSidecar makes env use s, and notes that it does.
func (p *Provisioner) takeSidecar(env *pyenv.Environment, s sidecarInfo) {
	env.Sidecar = s.dir
	p.Installer.Finder.Host.Use(s.dir)
	mark := filepath.Join(s.dir, sidecarMark)
	if !slices.Contains(s.Prefixes, env.Prefix) {
		s.Prefixes = append(s.Prefixes, env.Prefix)
		if err := host.WriteJSON(mark, s); err != nil {
			p.Installer.Finder.Host.Log().Warn("noting the use of a sidecar", "error", err)
		}
		return
	}
	now := time.Now()
	_ = os.Chtimes(mark, now, now) // or it is made again in some months
}

// makeSidecar makes a sidecar for env.
func (p *Provisioner) makeSidecar(ctx context.Context, env *pyenv.Environment, progress func(string)) (made sidecarInfo, err error) {
	if p.Installer.Finder.Host.DataDir == "" {
		return made, errors.New("there is no data directory to put it into")
	}
	unlock, err := p.Installer.Finder.Host.Lock(ctx, "sidecars", host.WaitingFor(progress, "another server that makes a kernel"))
	if err != nil {
		return made, err
	}
	defer unlock()
	if s, ok := p.findSidecar(env, true); ok {
		return s, nil // made while we waited
	}
	p.removeOldSidecars()
	if err := os.MkdirAll(p.sidecarsDir(), 0o700); err != nil {
		return made, err
	}
	work, err := os.MkdirTemp(p.sidecarsDir(), ".new-")
	if err != nil {
		return made, err
	}
	defer os.RemoveAll(work)
	target, pins := filepath.Join(work, "kernel"), filepath.Join(work, "pins.txt")
	if err := os.WriteFile(pins, []byte(pinsOf(env)), 0o600); err != nil {
		return made, err
	}
	progress("installing ipykernel beside " + env.Prefix)
	if err := p.fillSidecar(ctx, env, target, pins, progress); err != nil {
		return made, err
	}
	made = sidecarInfo{ABI: env.Info.ABI, Pins: map[string]string{}, Prefixes: []string{env.Prefix}, Made: time.Now().UTC().Truncate(time.Second)}
	for name, version := range distsIn(target) {
		made.Pins[name] = env.Info.Dists[name]
		if name == "ipykernel" {
			made.Kernel = version
		}
	}
	if err := p.trySidecar(ctx, env, target); err != nil {
		return made, err
	}
	return made, made.moveTo(p.sidecarsDir(), target)
}

// moveTo puts a finished sidecar into its place, named by what it is made of.
func (s *sidecarInfo) moveTo(dir, made string) error {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.Pins)) {
		fmt.Fprintf(sum, "%s=%s\n", name, s.Pins[name])
	}
	s.dir = filepath.Join(dir, s.ABI+"-"+s.Kernel+"-"+hex.EncodeToString(sum.Sum(nil)[:6]))
	if err := host.WriteJSON(filepath.Join(made, sidecarMark), s); err != nil {
		return err
	}
	if err := os.RemoveAll(s.dir); err != nil { // a damaged one: it did not fit
		return err
	}
	return os.Rename(made, s.dir)
}

// fillSidecar installs into target by uv, the environment's own pip, or a uv that
// is fetched for it.
func (p *Provisioner) fillSidecar(ctx context.Context, env *pyenv.Environment, target, pins string, progress func(string)) error {
	uv := p.Installer.UVPath(env)
	if uv == "" && !env.Info.HasPip {
		var err error
		if uv, err = p.Installer.EnsureUV(ctx, progress); err != nil {
			return err
		}
	}
	var argv []string
	if uv != "" {
		argv = p.Installer.UVCommand(uv, env.Python, sidecarRequirement)
	} else {
		argv = install.PipCommand(env.Python, sidecarRequirement)
	}
	i := slices.Index(argv, "--")
	argv = slices.Insert(argv, i, "--target", target, "--constraint", pins)
	tail, err := p.Installer.Run(ctx, kernelTimeout, withoutUserConstraint(env.Vars), progress, argv)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if held := misfits(env, tail); held != "" {
		return fmt.Errorf("no ipykernel fits what the environment has: %s\n%s", held, host.Redact(install.LastWords(tail, 3)))
	}
	return fmt.Errorf("%w\n%s", err, host.Redact(install.LastWords(tail, 6)))
}

// misfits names the environment's packages that a resolver gives as its reasons:
// it explains over dozens of lines.
func misfits(env *pyenv.Environment, output string) string {
	var held []string
	for pin := range strings.Lines(pinsOf(env)) {
		if pin = strings.TrimSpace(pin); strings.Contains(output, pin) {
			held = append(held, strings.Replace(pin, "==", " ", 1))
		}
	}
	return strings.Join(held, ", ")
}

// withoutUserConstraint leaves the environment's versions as the only ones that
// count: a user's constraints may contradict them.
func withoutUserConstraint(environ []string) []string {
	v := host.VarsOf(environ)
	for _, name := range []string{"PIP_CONSTRAINT", "UV_CONSTRAINT", "UV_OVERRIDE"} {
		v.Unset(name)
	}
	return v.Environ()
}

// pinVersion is a version every installer can read in a constraint; Debian has
// others.
var pinVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?(\+[a-z0-9.]+)?$`)
})

// pinsOf lists what env has as constraints. An ipykernel it has is one that is
// too old or half removed: that one does not count.
func pinsOf(env *pyenv.Environment) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env.Info.Dists)) {
		if version := env.Info.Dists[name]; name != "ipykernel" && pinVersion().MatchString(version) && packaging.IsName(name) {
			fmt.Fprintf(&b, "%s==%s\n", strings.ReplaceAll(name, "_", "-"), version)
		}
	}
	return b.String()
}

// distsIn lists the distributions in a directory, as [ProbeInfo.Dists] does.
func distsIn(dir string) map[string]string {
	found := map[string]string{}
	for _, name := range host.DirNames(dir) {
		stem, ok := strings.CutSuffix(name, ".dist-info")
		if !ok {
			continue
		}
		if name, version, ok := strings.Cut(stem, "-"); ok {
			found[strings.ReplaceAll(strings.ToLower(name), ".", "_")] = version
		}
	}
	return found
}

// tryScript imports the kernel as launch.py does, which also compiles it.
const tryScript = `import sys
del sys.path[0]
sys.path.append(sys.argv[1])
from importlib.machinery import PathFinder
class First:
    def find_spec(name, path=None, target=None):
        if path is None and name == "ipykernel":
            return PathFinder.find_spec(name, [sys.argv[1]])
sys.meta_path.insert(0, First)
import ipykernel.kernelapp`

// trySidecar proves that the kernel can be imported beside what env has.
func (p *Provisioner) trySidecar(ctx context.Context, env *pyenv.Environment, dir string) error {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, stderr, err := p.Installer.Finder.Host.Output(limited, env.Vars, env.Python, "-c", tryScript, dir)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("it cannot be imported with what the environment has: %s", host.LastLines(stderr, 2))
	}
	return nil
}

// removeOldSidecars removes what nobody has started for a long time, and what
// was left half made.
func (p *Provisioner) removeOldSidecars() {
	for _, name := range host.DirNames(p.sidecarsDir()) {
		dir := filepath.Join(p.sidecarsDir(), name)
		info, err := os.Stat(filepath.Join(dir, sidecarMark))
		old := err == nil && time.Since(info.ModTime()) > sidecarKept && !p.Installer.Finder.Host.InUse(dir)
		if old || strings.HasPrefix(name, ".new-") { // under the lock nobody else makes one
			if err := os.RemoveAll(dir); err != nil {
				p.Installer.Finder.Host.Log().Warn("removing an old sidecar", "dir", dir, "error", err)
			}
		}
	}
}
