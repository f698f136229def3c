package kinds

import (
	"path/filepath"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// pixiEntry: it keeps conda environments in a project's ".pixi/envs".
func pixiEntry() Entry {
	return Entry{
		Project: func(_ *host.Host, dir string) []string { return PixiEnvs(dir) },
		Name: func(prefix string) string {
			dir := filepath.Dir(filepath.Dir(prefix))
			if filepath.Base(filepath.Dir(prefix)) != "envs" || filepath.Base(dir) != ".pixi" {
				return ""
			}
			return filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(prefix)
		},
		Refuses: func(prefix string) string {
			if !conda.IsPixi(prefix) {
				return ""
			}
			return "pixi owns this environment and removes what its manifest does not name"
		},
	}
}

// PixiEnvs lists the environments of the pixi project that dir belongs to: it is
// the project, its ".pixi" or ".pixi/envs".
func PixiEnvs(dir string) []string {
	envs := filepath.Join(dir, ".pixi", "envs")
	switch {
	case filepath.Base(dir) == ".pixi":
		envs = filepath.Join(dir, "envs")
	case filepath.Base(dir) == "envs" && filepath.Base(filepath.Dir(dir)) == ".pixi":
		envs = dir
	}
	return conda.EnvsIn(envs)
}
