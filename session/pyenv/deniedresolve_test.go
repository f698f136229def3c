package pyenv

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// A pattern that cannot be read is told, and nothing gets through meanwhile.
func TestDeniedWrong(t *testing.T) {
	f := newFinder(t, "SECRET=1", "PATH=/usr/bin:/bin")
	f.EnvDeny = "SECRET, [A-"
	for _, c := range []Config{{VenvPath: "/x"}, {CondaName: "x"}, {}} {
		_, err := f.Resolve(t.Context(), c)
		var config *ConfigError
		if !errors.As(err, &config) || config.Variable != "ENV_DENY" || !strings.Contains(err.Error(), "[A-") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if got := f.environ(); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// What is denied reaches neither an activation script nor the probe nor code.
func TestDeniedEverywhere(t *testing.T) {
	f := newFinder(t, "PATH=/usr/bin:/bin", "API_SECRET=hunter2", "API_KEY=kept", "CONDA_ENVS_PATH=/denied/too")
	f.EnvDeny = "*SECRET CONDA_ENVS_*"
	prefix := condaRoot(t, filepath.Join(f.Home, "miniforge3"), "ml") + "/envs/ml"
	write(t, map[string]string{prefix + "/etc/conda/activate.d/x.sh": "export SEEN=\"secret:$API_SECRET key:$API_KEY\""})
	env, err := f.Resolve(t.Context(), Config{CondaName: "ml"})
	if err != nil {
		t.Fatal(err)
	}
	v := varsOf(env.Vars)
	if seen, _ := v.get("SEEN"); seen != "secret: key:kept" {
		t.Errorf("the script saw %q", seen)
	}
	if strings.Contains(strings.Join(env.Vars, "\n"), "hunter2") || f.getenv("API_SECRET") != "" || f.getenv("CONDA_ENVS_PATH") != "" {
		t.Errorf("got %q", env.Vars)
	}
	if kept, _ := v.get("API_KEY"); kept != "kept" {
		t.Errorf("API_KEY is %q", kept)
	}
}
