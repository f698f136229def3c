package session

import (
	"context"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
)

// shadowsTime bounds the look at an environment when a file is named.
const shadowsTime = 5 * time.Second

// Shadows tells of a module name whether an installed package of the default
// environment has it. An environment that is still to be made, or does not
// answer in time, has no packages.
func (m *Manager) Shadows(ctx context.Context, by *Conversation) codefile.Shadows {
	return func(module string) (string, bool) {
		config := m.DefaultFor(by)
		if !config.Configured() && !m.config.Provisioner.ManagedReady() {
			return "", false
		}
		ctx, cancel := context.WithTimeout(ctx, shadowsTime)
		defer cancel()
		env, err := m.environment(ctx, by, config, func(string) {})
		if err != nil {
			return "", false
		}
		statuses, err := m.provisioner(by).Installer.Finder.Check(ctx, env, []string{module})
		if err != nil || !statuses[0].Installed {
			return "", false
		}
		if s := statuses[0]; s.Via == pyenv.ViaDistribution || s.Via == pyenv.ViaImport || s.Via == pyenv.ViaPath {
			return installedModule(s), true
		}
		return "", false
	}
}

// installedModule names what has a module: a bare file on sys.path, such as
// Debian's sitecustomize, has no version.
func installedModule(s pyenv.PackageStatus) string {
	if s.Version == "" {
		return "the installed module " + s.Name
	}
	return "the package " + s.Name + " " + s.Version
}
