package pyenv

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// A pattern that cannot be read is told, and nothing gets through meanwhile.
func TestDeniedWrong(t *testing.T) {
	f := newFinder(t, "SECRET=1", "PATH=/usr/bin:/bin")
	f.Host.EnvDeny = "SECRET, [A-"
	for _, c := range []Config{{VenvPath: "/x"}, {CondaName: "x"}, {}} {
		_, err := f.Resolve(t.Context(), c)
		var config *host.ConfigError
		if !errors.As(err, &config) || config.Variable != "ENV_DENY" || !strings.Contains(err.Error(), "[A-") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if got := f.Host.Variables(); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// What is denied reaches neither an activation script nor the probe nor code.
func TestDeniedEverywhere(t *testing.T) {
	f := newFinder(t, "PATH=/usr/bin:/bin", "API_SECRET=hunter2", "API_KEY=kept", "CONDA_ENVS_PATH=/denied/too")
	f.Host.EnvDeny = "*SECRET CONDA_ENVS_*"
	prefix := pyenvtest.CondaRoot(t, filepath.Join(f.Host.Home, "miniforge3"), "ml") + "/envs/ml"
	pyenvtest.Write(t, map[string]string{prefix + "/etc/conda/activate.d/x.sh": "export SEEN=\"secret:$API_SECRET key:$API_KEY\""})
	env, err := f.Resolve(t.Context(), Config{CondaName: "ml"})
	if err != nil {
		t.Fatal(err)
	}
	v := host.VarsOf(env.Vars)
	if seen, _ := v.Get("SEEN"); seen != "secret: key:kept" {
		t.Errorf("the script saw %q", seen)
	}
	if strings.Contains(strings.Join(env.Vars, "\n"), "hunter2") || f.Host.Variable("API_SECRET") != "" || f.Host.Variable("CONDA_ENVS_PATH") != "" {
		t.Errorf("got %q", env.Vars)
	}
	if kept, _ := v.Get("API_KEY"); kept != "kept" {
		t.Errorf("API_KEY is %q", kept)
	}
}
