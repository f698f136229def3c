package server

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
)

// newBox is the sandbox that is set, nil for none.
func newBox(getenv func(string) string, s settings.Settings, p Places) *sandbox.Box {
	rules := s.Sandbox
	if !rules.Active() {
		return nil
	}
	h := &host.Host{Home: p.Home, Getenv: getenv}
	for _, list := range []*[]string{&rules.Write, &rules.Read, &rules.Deny} {
		expanded := make([]string, len(*list))
		for i, path := range *list {
			expanded[i] = h.ExpandHome(path)
		}
		*list = expanded
	}
	runtimeDir := provision.New(h).JupyterRuntimeDir()
	return &sandbox.Box{Rules: rules, Place: sandbox.Place{
		Home:      p.Home,
		WorkDir:   p.WorkDir.Path,
		Storage:   p.Storage,
		State:     p.State,
		Data:      p.Data,
		Sockets:   []string{getenv("XDG_RUNTIME_DIR")},
		Temporary: getenv("TMPDIR"),
		Path:      h.PathDirs(),
		Landlock:  confine.LandlockABI(),
		MacOS:     runtime.GOOS == "darwin",
		Bus:       getenv("DBUS_SESSION_BUS_ADDRESS"),
		Variable:  getenv,
		Known:     namedEnvironments(h, s),
		Secrets:   append(jupyterServers(s).WithFiles(s.Jupyter.Files, runtimeDir).Paths(), runtimeDir),
	}}
}

// namedEnvironments are the paths by which the settings name environments.
func namedEnvironments(h *host.Host, s settings.Settings) (paths []string) {
	for _, path := range []string{s.Environment.VenvPath, s.Environment.UVVenvPath, s.Environment.CondaName} {
		if path != "" {
			paths = append(paths, absolute(h.ExpandHome(path)))
		}
	}
	return paths
}

// boxOf is the sandbox in which a provisioner starts programs, nil for none. Kernels share
// it: what clients' policies have opened to their code is not trusted here.
func boxOf(p *provision.Provisioner) *sandbox.Box {
	if r, ok := p.Installer.Finder.Host.Runner.(confinedRunner); ok {
		return r.box
	}
	return nil
}

// confinedRunner starts helper programs in sandboxes.
type confinedRunner struct {
	reaper  *guard.Reaper
	scratch *rundir.Dir // of their private directories; swept where this server is killed
	box     *sandbox.Box
	confine func(sandbox.Helper) (sandbox.Confined, error)
}

// Run is that of [host.Runner].
func (r confinedRunner) Run(ctx context.Context, cmd *exec.Cmd) error {
	scratch, err := r.scratch.Get([]string{os.TempDir()})
	if err != nil {
		return err
	}
	private, err := os.MkdirTemp(scratch, "h")
	if err != nil {
		return err
	}
	defer os.RemoveAll(private)
	helper := sandbox.Helper{Argv: cmd.Args, Env: cmd.Environ(), Dir: cmd.Dir, Private: private}
	for {
		confined, err := r.confine(helper)
		if err != nil {
			return err
		}
		cmd.Env = confined.Env
		if err := r.reaper.RunConfined(ctx, cmd, confined.Plan); !r.box.Fallback(err) {
			return err
		}
	}
}

// confineHelpers has the programs that h starts run in sandboxes.
func confineHelpers(h *host.Host, box *sandbox.Box, runner host.Runner, s settings.Settings) {
	reaper, ok := runner.(*guard.Reaper)
	if box == nil || !ok {
		return // nothing is confined, or nothing is started
	}
	named := namedEnvironments(h, s)
	scratch := new(rundir.Dir)
	h.Looker = confinedRunner{reaper, scratch, box, looks(box)}
	h.Runner = confinedRunner{reaper, scratch, box, func(helper sandbox.Helper) (sandbox.Confined, error) { return box.Install(helper, h.DataDir, named) }}
}

// looks is [sandbox.Box.Look], with a word to those who compare variables of which the
// sandbox has changed.
func looks(box *sandbox.Box) func(sandbox.Helper) (sandbox.Confined, error) {
	return func(helper sandbox.Helper) (sandbox.Confined, error) {
		c, err := box.Look(helper)
		changed := ""
		for _, entry := range append(helper.Env, c.Env...) {
			if !slices.Contains(c.Env, entry) || !slices.Contains(helper.Env, entry) {
				name, _, _ := strings.Cut(entry, "=")
				changed += name + ","
			}
		}
		c.Env = append(c.Env, host.Changed+"="+changed)
		return c, err
	}
}

// Release removes what a provisioner of [NewProvisioner] keeps for the programs that it
// starts. It starts none afterwards.
func Release(p *provision.Provisioner) error {
	h := p.Installer.Finder.Host
	err := h.Close()
	if r, ok := h.Runner.(confinedRunner); ok {
		err = errors.Join(err, r.scratch.Remove())
	}
	return err
}
