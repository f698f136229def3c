package spare

import (
	_ "embed"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// cells are separated by lines of "#".
//
//go:embed testdata/cells.py
var cells string

// TestMatrixImportedAhead: what most kernels have imported is imported in a spare, and cell by
// cell a session sees what it sees in a kernel that was started for it. Of the examined
// libraries it tries those that the environment has.
func TestMatrixImportedAhead(t *testing.T) {
	testneeds.All(t)
	f := newFixture(t, t.TempDir())
	const imports = "import matplotlib.pyplot, importlib.util\n" +
		"there = [n for n in 'numpy pandas polars scipy sklearn seaborn PIL requests'.split() if importlib.util.find_spec(n)]\n" +
		"for name in there: exec('import ' + name)\n" +
		"print(':', *there, 'matplotlib.pyplot')"
	_, there, _ := strings.Cut(run(t, f.start(nil), imports), ":") // after what libraries print
	libraries := strings.Fields(there)
	slices.Sort(libraries)
	pid := f.spare()
	if got := f.current().imports; !slices.Equal(got, libraries) || !slices.Contains(got, "numpy") {
		t.Fatalf("imported ahead: %q, want %q", got, libraries)
	}
	f.code = "import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport numpy"
	cold := f.start(nil)
	if cold.Info().PID == pid || f.PID() != pid {
		t.Error("the spare was given to code that sets a variable first")
	}
	f.code = imports
	warm := f.start(nil)
	if warm.Info().PID != pid {
		t.Fatalf("process %d, the spare was %d", warm.Info().PID, pid)
	}
	address := regexp.MustCompile(`0x[0-9a-f]+|ipykernel_\d+`)
	all := strings.Split(cells, "\n#\n")
	if len(all) < 60 {
		t.Errorf("%d cells", len(all))
	}
	for _, cell := range all {
		want, got := address.ReplaceAllString(run(t, cold, cell), "0x"), address.ReplaceAllString(run(t, warm, cell), "0x")
		if got != want || want == "" && slices.Contains(libraries, "pandas") {
			t.Errorf("%s\n%s\ncold:\n%s", cell, without(got, want), without(want, got))
		}
	}
}

// TestChangedSince: a session that changes what a library reads when it is loaded, in
// another run than its first, is told.
func TestChangedSince(t *testing.T) {
	f := newFixture(t, t.TempDir())
	run(t, f.start(nil), "import numpy")
	pid := f.spare()
	k := f.start(nil)
	if k.Info().PID != pid {
		t.Fatalf("process %d, the spare was %d", k.Info().PID, pid)
	}
	// An installation asks so what is loaded (session/stale.go).
	if got := run(t, k, "import sys; print(['numpy' in f.modules for f in sys.meta_path if type(f).__name__ == 'Stash'])"); got != "[True]" {
		t.Errorf("what is loaded ahead: %s", got)
	}
	run(t, k, "import os; os.environ['OMP_NUM_THREADS'] = '1'")
	if got := run(t, k, "import numpy"); got != "loaded-ahead" {
		t.Errorf("a variable has changed: %q", got)
	}
	if got := run(t, k, "import numpy.linalg, numpy"); got != "" {
		t.Errorf("told again: %q", got)
	}
}

// without are the lines of text that other has not.
func without(text, other string) string {
	lines := strings.Split(other, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return slices.Contains(lines, line) }), "\n")
}

// TestRefused: where a library cannot be imported unnoticed the spare is without.
func TestRefused(t *testing.T) {
	f := newFixture(t, t.TempDir())
	ran := filepath.Join(t.TempDir(), "ran")
	if err := os.WriteFile(filepath.Join(f.spec.Dir, "numpy.py"), []byte("open("+`"`+ran+`", "w")`), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, f.start(nil), "import sys, types; sys.modules['numpy'] = types.ModuleType('numpy')")
	pid := f.spare()
	if f.current().imports != nil {
		t.Errorf("imported ahead: %q", f.current().imports)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a module of the user's has run")
	}
	if k := f.start(nil); k.Info().PID != pid {
		t.Error("the plain one was not handed over")
	}
}

func TestCouldTell(t *testing.T) {
	for code, want := range map[string]bool{
		"import pandas as pd\npd.DataFrame({'a': [1]}).describe()": false,
		"import os\nprint(os.listdir())":                           false,
		"import sys; print(sys.version)":                           false,
		"%matplotlib inline\nimport matplotlib.pyplot as plt":      false,
		"import os; os.environ['OMP_NUM_THREADS'] = '1'":           true,
		"os.putenv('A', 'b')":                                      true,
		"%env MPLBACKEND=agg":                                      true,
		"%set_env A b":                                             true,
		"from dotenv import load_dotenv":                           true,
		"import sys; sys.path.insert(0, 'lib')":                    true,
		"from sys import modules":                                  true,
		"'pandas' in sys.modules":                                  true,
		"resource.setrlimit(resource.RLIMIT_AS, (1, 1))":           true,
		"os.fork()":                                          true,
		"os.sched_setaffinity(0, {0})":                       true,
		"logging.config.dictConfig(c)":                       true,
		"!pip install -q seaborn":                            true,
		"import warnings; warnings.filterwarnings('ignore')": false,
		"import warnings; warnings.simplefilter(\"error\")":  true,
		"logging.basicConfig(level=logging.INFO)":            false,
		"logging.basicConfig(level=logging.DEBUG)":           true,
		"os.chdir('/')":                                      true,
	} {
		if got := couldTell(code); got != want {
			t.Errorf("%q: %t", code, got)
		}
	}
}

func TestUsage(t *testing.T) {
	u := usage{dir: filepath.Join(t.TempDir(), "imports")}
	python, pandas := "/env/bin/python", []string{"numpy", "pandas"}
	if got := u.kernels(python); got != nil {
		t.Errorf("before: %q", got)
	}
	for _, kernels := range [][][]string{{pandas}, {nil, pandas}} {
		if err := u.add(python, kernels); err != nil {
			t.Fatal(err)
		}
	}
	if got := u.kernels(python); !reflect.DeepEqual(got, [][]string{pandas, nil, pandas}) {
		t.Errorf("kept: %q", got)
	}
	if got := u.kernels("/other/bin/python"); got != nil {
		t.Errorf("of another environment: %q", got)
	}
	for range 3 {
		if err := u.add(python, [][]string{nil, nil, nil}); err != nil {
			t.Fatal(err)
		}
	}
	if got := u.kernels(python); len(got) != keptKernels || usual(got) != nil {
		t.Errorf("%d kernels, usual %q", len(got), usual(got))
	}
	info, err := os.Stat(u.path(python))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its file: %v %v", info, err)
	}
	for n := range keptFiles + 3 {
		if err := u.add("/env/"+string(rune('a'+n)), [][]string{pandas}); err != nil {
			t.Fatal(err)
		}
	}
	if all, _ := os.ReadDir(u.dir); len(all) > keptFiles {
		t.Errorf("%d files", len(all))
	}
}

func TestUsual(t *testing.T) {
	for _, test := range []struct {
		kernels [][]string
		want    []string
	}{
		{nil, nil},
		{[][]string{{"pandas", "numpy"}}, []string{"numpy", "pandas"}},
		{[][]string{{"pandas"}, {}}, nil},
		{[][]string{{"pandas"}, {"polars"}, {"pandas", "polars"}}, []string{"pandas", "polars"}},
	} {
		if got := usual(test.kernels); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.kernels, got, test.want)
		}
	}
}

// FuzzUsage: whatever is in the file, little is believed of it.
func FuzzUsage(f *testing.F) {
	f.Add([]byte(`{"python":"/p","kernels":[["numpy","pandas"],[]]}`))
	f.Add([]byte(`{"python":"/p","kernels":[["numpy,os","--x","a b","` + strings.Repeat("x", 99) + `"],null]}`))
	f.Add([]byte(`{"python":"/q","kernels":[["numpy"]]}`))
	f.Add([]byte("\x00"))
	name := regexp.MustCompile(`^[A-Za-z0-9._]{1,40}$`)
	f.Fuzz(func(t *testing.T, text []byte) {
		kernels := parseUsage(text, "/p")
		if len(kernels) > keptKernels {
			t.Errorf("%d kernels", len(kernels))
		}
		for _, names := range append(kernels, usual(kernels)) {
			if len(names) > 12 || slices.ContainsFunc(names, func(n string) bool { return !name.MatchString(n) }) {
				t.Errorf("%q", names)
			}
		}
	})
}
