package pyenv

import (
	"context"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// Finder finds environments. Set the fields before first use; it is safe for
// concurrent use and must not be copied.
type Finder struct {
	Host  *host.Host
	Conda *conda.Finder
	// ProbeTimeout bounds one probe; 0 is 10 s.
	ProbeTimeout time.Duration
	// Near lists the directories the user works in, nearest first: environments
	// in and around them are listed first.
	Near []string

	// scriptTimeout bounds activation scripts; 0 is 10 s.
	scriptTimeout time.Duration

	probing flights[ProbeInfo]
	running flights[scriptAnswer]
	scans   scans

	mu      sync.Mutex              // protects the fields below
	probes  map[string]probeEntry   // by probeKey
	scripts map[string]scriptAnswer // by scriptKey
}

// NewFinder makes a Finder that looks on h.
func NewFinder(h *host.Host) *Finder {
	return &Finder{Host: h, Conda: &conda.Finder{Host: h}}
}

// Resolve finds the chosen environment, checks that it works, computes its
// activation and asks its Python about itself. What is asked is remembered and
// asked again when the environment has changed. Something has to be chosen.
// Errors are [*ConfigError], [*NotFoundError], [*AmbiguousError],
// [*BrokenError], or a context's.
func (f *Finder) Resolve(ctx context.Context, c Config) (*Environment, error) {
	typ, err := c.kind()
	if err != nil {
		return nil, err
	}
	if _, err := host.ParseDenied(f.Host.EnvDeny); err != nil {
		return nil, err
	}
	switch typ {
	case kinds.Managed:
		return nil, errNothingChosen
	case kinds.Conda:
		return f.resolveConda(ctx, c.CondaName)
	case kinds.UV:
		return f.resolveVenv(ctx, "UV_VENV_PATH", c.UVVenvPath)
	default:
		return f.resolveVenv(ctx, "VENV_PATH", c.VenvPath)
	}
}

// Complete makes an environment complete: its variables, then its probe.
func (f *Finder) Complete(ctx context.Context, env *Environment) (*Environment, error) {
	if err := f.activate(ctx, env); err != nil {
		return nil, err
	}
	if err := f.Probe(ctx, env); err != nil {
		return nil, err
	}
	f.warnOfMoved(env)
	return env, nil
}
