package pyenv

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDenied(t *testing.T) {
	environ := []string{"AWS_SECRET=1", "AWS_=2", "MY_AWS_KEY=3", "TOKEN=4", "token=5", "K1=6", "K2=7", "KX=8", "A/B=9", "=C:=C:\\", "noise", "EMPTY="}
	for setting, want := range map[string][]string{
		"":                                environ,
		" , ":                             environ,
		"AWS_*":                           {"MY_AWS_KEY=3", "TOKEN=4", "token=5", "K1=6", "K2=7", "KX=8", "A/B=9", "=C:=C:\\", "noise", "EMPTY="},
		"TOKEN,EMPTY":                     {"AWS_SECRET=1", "AWS_=2", "MY_AWS_KEY=3", "token=5", "K1=6", "K2=7", "KX=8", "A/B=9", "=C:=C:\\", "noise"},
		" *AWS*\tK[0-9] \n A?B, TOKEN ":   {"token=5", "KX=8", "=C:=C:\\", "noise", "EMPTY="},
		"*":                               {"noise"},
		"A/*":                             slices.DeleteFunc(slices.Clone(environ), func(e string) bool { return strings.HasPrefix(e, "A/") }),
		"[A-Z]*":                          {"token=5", "=C:=C:\\", "noise"},
		"Token,aws_*":                     environ, // names have case
		"TOKEN=4":                         environ,
		"K1;K2":                           environ,
		"[!A-Z]OKEN,[^a-z]OKEN,\\K\\1,x*": slices.DeleteFunc(slices.Clone(environ), func(e string) bool { return strings.HasPrefix(e, "TOKEN") || strings.HasPrefix(e, "K1") }),
	} {
		d, err := parseDenied(setting)
		if err != nil {
			t.Errorf("%q: %v", setting, err)
		}
		if got := d.filter(environ); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", setting, got, want)
		}
	}
}

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

func FuzzDenied(f *testing.F) {
	for _, seed := range []string{"", "A*", "[", "[]a]", "\\", "A,B C", "*?[a-z]"} {
		f.Add(seed, "NAME=value")
	}
	f.Fuzz(func(t *testing.T, setting, entry string) {
		d, err := parseDenied(setting)
		if err != nil {
			return
		}
		d.filter([]string{entry})
	})
}
