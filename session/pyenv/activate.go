package pyenv

import (
	"context"
	"fmt"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// activate computes env.Vars: what activation scripts would have made of the
// server's variables, without a shell. "conda run" is never used: it orphans the
// kernel and swallows SIGINT.
func (f *Finder) activate(ctx context.Context, env *Environment) error {
	v := f.CleanVars()
	kind := kinds.Of(env.Kind)
	warnings := kind.Activate(kinds.Activation{Prefix: env.Prefix, Python: env.Python, Root: env.Root}, v)
	env.Warnings = append(env.Warnings, warnings...)
	env.Vars = v.Environ()
	if kind.Scripts == nil {
		return nil
	}
	return f.runScripts(ctx, env, kind.Scripts(env.Prefix))
}

func (e *Environment) warn(format string, args ...any) {
	e.Warnings = append(e.Warnings, fmt.Sprintf(format, args...))
}
