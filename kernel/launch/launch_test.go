package launch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "launch")
	module := filepath.Join(dir, "mce_launch", "start.py")
	var before fs.FileInfo
	steps := []struct {
		name   string
		change func() error
	}{
		{"new", func() error { return nil }},
		{"in place", func() (err error) { before, err = os.Stat(module); return err }},
		{"a file removed", func() error { return os.Remove(filepath.Join(dir, Name)) }},
		{"a file cut", func() error { return os.Truncate(filepath.Join(dir, "mce_launch", "report.py"), 5) }},
		{"all removed", func() error { return os.RemoveAll(dir) }},
	}
	want := written(t)
	for i, step := range steps {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		path, err := Write(dir)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if want := filepath.Join(dir, Name); path != want {
			t.Errorf("%s: path = %q, want %q", step.name, path, want)
		}
		if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
			t.Errorf("%s: the directory (-want +got)\n%s", step.name, diff)
		}
		// Bytecode of a module that was written again would be made again.
		if after, err := os.Stat(module); err != nil || i > 0 && i < 4 && !after.ModTime().Equal(before.ModTime()) {
			t.Errorf("%s: what was in place was written again (%v)", step.name, err)
		}
	}
	if _, err := Write(filepath.Join(dir, "absent", "launch")); err == nil {
		t.Error("Write into a directory that does not exist: no error")
	}
}

// written is what [Write] makes: mode and text of each file, by its path.
func written(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	names, err := filepath.Glob("mce_launch/*.py")
	if err != nil || len(names) < 5 {
		t.Fatalf("modules %q (%v)", names, err)
	}
	for _, name := range append(names, Name) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = "-rw------- " + string(text)
	}
	return files
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
				t.Errorf("%s: mode %v", path, info.Mode())
			}
			return nil
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		mode := info.Mode()
		if runtime.GOOS == "windows" {
			mode = 0o600
		}
		files[filepath.ToSlash(name)] = mode.String() + " " + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestArgs(t *testing.T) {
	tests := []struct {
		options Options
		want    []string
	}{
		{Options{}, []string{"/env/bin/python", "/p/launch.py", "-f", "/p/c.json"}},
		{Options{NoPrelude: true}, []string{"/env/bin/python", "/p/launch.py", "--mce-no-prelude", "-f", "/p/c.json"}},
		{Options{Pipes: "3,4,5", Unsent: "/p/unsent"}, []string{"/env/bin/python", "/p/launch.py", "--mce-pipes=3,4,5", "--mce-unsent=/p/unsent", "-f", "/p/c.json"}},
		{Options{Sidecar: "/side car"}, []string{"/env/bin/python", "/p/launch.py", "--mce-sidecar=/side car", "-f", "/p/c.json"}},
	}
	for _, tt := range tests {
		got := Args("/env/bin/python", "/p/launch.py", "/p/c.json", tt.options)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Args(%+v): %s", tt.options, diff)
		}
	}
}

// TestConstants holds what the Python and this package must agree on.
func TestConstants(t *testing.T) {
	var all string
	for _, text := range written(t) {
		all += text
	}
	for _, want := range []string{
		`SIDECAR = "--mce-sidecar="`, `NO_PRELUDE = "--mce-no-prelude"`,
		`PIPES = "--mce-pipes="`, `UNSENT = "--mce-unsent="`, `TEXT = "mce_text"`, `MESSAGE = "` + MessageVariables + `"`,
		`FILENAME = "mce_filename"`, `REFRESH = "mce_refresh"`, `RELOAD = "mce_reload"`,
		"exit status 3", "exit status 4", "exit status 5",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no file holds %s", want)
		}
	}
}

type facts = map[string]any

type list = []any

// interrupted is what the case "interrupts" says of a cell: signals sent,
// status, exception, whether the cell's own handler ran, a variable afterwards.
func interrupted(signals int, status string, ename any, caught bool) list {
	return list{float64(signals), status, ename, caught, "42"}
}

var kernelCases = map[string]facts{
	"basics": {
		"count": 1.0, "whos": "Interactive namespace is empty.",
		"main": "(True, '__main__', False, None)",
		"argv": "('ipykernel_launcher.py', 1)", "debugpy": "False", "garbage": "(True, True)",
		"cwd_place": "(1, True, False)",
		"history":   list{"i = sys.path.index(''); import os;(sys.path.count(''), 'site-packages' in sys.path[i+1], any(os.path.exists(os.path.join(p, 'launch.py')) for p in sys.path))"},
		"in":        `"get_ipython().run_line_magic('whos', '')"`,
		"fd":        "child\nraw\n", "stdin": "''", "database": false,
		"exit": 0.0, "log": list{},
	},
	"surrogates": {
		"print": "before\n\ufffd|\ufffd|€\nafter\n", "result": "\ufffd",
		"error": list{"ValueError", "\ufffd"}, "reply": list{"ValueError", "\ufffd"},
		"nan":        facts{"application/json": facts{"a": "nan"}},
		"nan_stderr": "",
	},
	"pieces": {"equal": true, "stderr": true, "largest_ok": true, "many": true, "small": 1.0},
	"nodrop": {"complete": true, "idle": true},
	"interrupts": {
		"loop":             interrupted(1, "error", "KeyboardInterrupt", false),
		"sleep":            interrupted(1, "error", "KeyboardInterrupt", false),
		"await":            interrupted(1, "error", "CancelledError", false),
		"await_blocking":   interrupted(1, "error", "KeyboardInterrupt", false),
		"await_gather":     interrupted(1, "error", "CancelledError", false),
		"await_other_task": interrupted(2, "error", "CancelledError", false),
		"await_callback":   interrupted(2, "error", "CancelledError", false),
		"await_loop":       interrupted(1, "error", "either", false),
		"await_async_for":  interrupted(1, "error", "either", false),
		"subprocess":       interrupted(1, "error", "KeyboardInterrupt", false),
		"handled":          interrupted(1, "ok", nil, true),
		"handled_async":    interrupted(1, "ok", nil, true),
		"handled_blocking": interrupted(1, "ok", nil, true),
		"repr":             interrupted(1, "error", "KeyboardInterrupt", false),
		"nested":           interrupted(1, "error", "KeyboardInterrupt", false),
		"nested_await":     interrupted(1, "error", "KeyboardInterrupt", false),
		"idle":             "42", "getsignal": "True", "log": list{}, "exit": 0.0,
	},
	"swallowed":      {"signals": 2.0, "status": "ok", "after": "1"},
	"random_signals": {"missing": list{}, "some": true, "after": "42"},
	"signal_while_queueing": {
		"cell": list{true, true, "CancelledError"}, "after": "42",
	},
	"signal_around_a_cell": {
		"end": list{true, true, "ok"}, "begin": list{true, true, "KeyboardInterrupt"}, "ran": "False", "after": "42",
	},
	"elsewhere": {
		"await_other_task": interrupted(2, "error", "CancelledError", false),
		"await_callback":   interrupted(2, "error", "CancelledError", false),
		"nested":           interrupted(1, "error", "KeyboardInterrupt", false),
		"bytes":            "\ufffd bad\n", "big": float64(300000), "log": list{},
	},
	"signal_in_threading": {"ours": list{true, "answers"}, "elsewhere": list{true, "answers"}},
	"always_a_reply":      {"nul": list{true, "error", true, ""}, "count": true},
	"filenames": {
		"file": true, "lines": true, "later": true, "syntax": true, "magic": true,
		"await": true, "nested_not_named": true, "changed": true, "plain": true,
		"bad": "2", "absent": true, "source": "ok",
	},
	"hostile_cwd": {
		"mine": "7", "stdlib": "1", "traceback": true, "stderr": "", "complete": "ok",
		"inspect": true, "matplotlib_inline": "1", "user_wins": true, "log": list{},
	},
	"python_path": {"first": "True", "second": "True", "mine": "7", "log": list{}},
	"safe_path":   {"works": "2", "env": "'1'"},
	"bytecode": {
		"users": "(True, True)", "elsewhere": false, "all": true, "shared": true,
		"visible": list{"['mce_launch']", "[]"}, "log": list{},
	},
	"sidecar":       {"value": "3", "last": "True", "argv": "[]"},
	"users_startup": {"names": "(1, 2, 3, 7)", "count": 1.0, "log": list{}},
	"no_ipython_dir": {
		"temporary": "[]", "shell": "'ipython'", "profile": "'ipython/profile_default'", "still": "'tempfile'",
	},
	"plots": {"show": 1.0, "end": 1.0, "closed": 0.0, "backend": "True"},
	"prelude": {
		"imported": "[]", "whos": "Interactive namespace is empty.",
		"set": "(160, 120, 120, 200)", "off": "(80, 50, 75, 1000)", "users": "(99, 120, 120, 77)",
		"loader": "(False, 'SourceFileLoader')", "hook": "['AfterImport']", "hook_after": "[]",
		"figure": "(640, 480)", "open": "0\n", "quiet": true, "kept": "True", "changed": "70",
		"missing": "ModuleNotFoundError", "log": list{},
		"broken": "4", "broken_log": list{"mce-launch: step=import pandas"},
	},
	"processes": {
		"spawn": "[2.0]", "spawn_main": "True", "fork": "[3.0]",
		"pickle": "(True, '__main__')", "kernels": 1.0, "log": list{},
	},
	"ended_children":    {"exit": 0.0},
	"bytes_of_children": {"wide": true, "big": true, "status": "ok"},
	"children_in_time":  {"missing": 0.0, "forked": "child\n"},
	"variables": {
		"first": list{list{"touched list", "Meta type", "Hostile Meta", "value Hostile"}, 4.0, facts{}}, "touched": "[]",
		"same":    nil,
		"changed": list{list{"touched list", "Meta type", "Hostile Meta", "df float"}, 4.0, facts{}},
		"many":    list{200.0, "v4999 int", 2000.0}, "namespace": "[]", "log": list{},
	},
	"failures": {
		"step":       list{"2", " step=interrupt error=AttributeError"},
		"missing":    list{3.0, list{"mce-launch: ipykernel missing: ModuleNotFoundError: No module named 'ipykernel'"}},
		"broken":     list{4.0, list{"mce-launch: ipykernel broken: ImportError: no libzmq here"}},
		"dependency": list{4.0, list{"mce-launch: ipykernel broken: ModuleNotFoundError: No module named 'nosuch_zmq'"}},
		"not_python": list{4.0, list{"mce-launch: ipykernel broken: SyntaxError: invalid syntax (__init__.py, line 1)"}},
		"start":      list{5.0, true},
	},
}

// TestMain says at the end how many tests were left out.
func TestMain(m *testing.M) { os.Exit(testneeds.Run(m)) }

// pythons are the interpreters of real environments with ipykernel: the newest,
// or each in turn, see testneeds.Kernels.
func pythons(t testing.TB) []string {
	t.Helper()
	return testneeds.Kernels(t)
}

// drive runs testdata/driver.py and returns what it printed, a line each.
func drive(t testing.TB, python string, args ...string) [][]byte {
	t.Helper()
	script, err := Write(filepath.Join(t.TempDir(), "launch"))
	if err != nil {
		t.Fatal(err)
	}
	late, err := Late(true)
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(script), "late"), []byte(late), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, append([]string{filepath.Join("testdata", "driver.py"), script}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, stderr.Bytes())
	}
	var lines [][]byte
	scanner := bufio.NewScanner(&stdout)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	return lines
}

// matrixCases are left to TestMatrixKernels. Of windowless TestPyplotLive of cmd shows
// the same; it imports matplotlib in four kernels. The others each take seconds, and are
// shown, less closely, by tests of kernel and cmd.
var matrixCases = []string{
	"windowless", "bytecode", "bytes_and_encodings", "bytes_of_children", "children_in_time", "commands", "compact", "elsewhere", "ended_children",
	"filenames", "hostile_cwd", "loops", "nodrop", "own_errors", "pieces", "plots", "python_path", "raised", "random_signals", "safe_path",
	"script_names", "sidecar", "signal_around_a_cell", "signal_aside", "signal_in_threading", "signal_while_queueing", "surrogates", "swallowed", "tracebacks", "users_startup",
}

// allCases are the cases of both files of testdata, which do not share a name: one of the
// two would never run.
func allCases(t *testing.T) map[string]facts {
	t.Helper()
	cases := maps.Clone(kernelCases)
	for name, want := range scriptCases {
		if _, twice := cases[name]; twice {
			t.Fatalf("two cases are called %s", name)
		}
		cases[name] = want
	}
	return cases
}

func TestKernels(t *testing.T) { testKernels(t, false) }

// TestMatrixKernels runs what TestKernels leaves out.
func TestMatrixKernels(t *testing.T) {
	testneeds.All(t)
	testKernels(t, true)
}

func testKernels(t *testing.T, matrix bool) {
	cases := allCases(t)
	for _, python := range pythons(t) {
		for name, want := range cases {
			if slices.Contains(matrixCases, name) != matrix {
				continue
			}
			t.Run(environment(python)+"/"+name, func(t *testing.T) {
				t.Parallel()
				lines := drive(t, python, name)
				if len(lines) != 1 {
					t.Fatalf("the driver printed %d lines, want 1", len(lines))
				}
				var got facts
				if err := json.Unmarshal(lines[0], &got); err != nil {
					t.Fatal(err)
				}
				delete(got, "case")
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	}
}

// BenchmarkStart is what the launcher does to a kernel's start, from the process to
// the first reply: the ratio to plain ipykernel, of medians.
func BenchmarkStart(b *testing.B) {
	for _, python := range pythons(b) {
		b.Run(environment(python), func(b *testing.B) {
			var times struct{ Launch, Plain []float64 } // milliseconds, sorted
			for _, line := range drive(b, python, "time", strconv.Itoa(max(b.N, 5))) {
				if err := json.Unmarshal(line, &times); err != nil {
					b.Fatal(err)
				}
			}
			launch, plain := times.Launch[len(times.Launch)/2], times.Plain[len(times.Plain)/2]
			b.ReportMetric(launch, "ms/start")
			b.ReportMetric(launch/plain, "of-plain")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// environment is the name of the directory that holds bin/python.
func environment(python string) string {
	return filepath.Base(filepath.Dir(filepath.Dir(python)))
}
