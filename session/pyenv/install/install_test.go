package install

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

func newInstaller(t testing.TB, environ ...string) *Installer {
	return newInstallerOn(pyenvtest.NewHost(t, environ...))
}

func newInstallerOn(h *host.Host) *Installer { return &Installer{Finder: pyenv.NewFinder(h)} }

// bareEnv is a real, empty environment without pip.
func bareEnv(t testing.TB, f *Installer) *pyenv.Environment {
	t.Helper()
	env, err := f.Finder.Resolve(context.Background(), pyenv.Config{VenvPath: pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "env"))})
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func requirements(t testing.TB, texts ...string) packaging.Wanted {
	t.Helper()
	wanted, err := packaging.Want(texts, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return wanted
}

// pipEnv and uvEnv are real environments that see the wheels alone.
func pipEnv(t testing.TB, environ ...string) (*Installer, *pyenv.Environment) {
	t.Helper()
	f := newInstaller(t, append([]string{"PIP_NO_INDEX=1", "PIP_FIND_LINKS=" + pyenvtest.Wheels(t)}, environ...)...)
	dir := filepath.Join(t.TempDir(), "pip")
	pyenvtest.Run(t, pyenvtest.BasePython(t), "-m", "venv", dir)
	env, err := f.Finder.Resolve(context.Background(), pyenv.Config{VenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	return f, env
}

func uvEnv(t testing.TB, environ ...string) (*Installer, *pyenv.Environment) {
	t.Helper()
	f := newInstaller(t, append([]string{"UV=" + pyenvtest.UV(t), "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/nowhere " + pyenvtest.Wheels(t)}, environ...)...)
	dir := filepath.Join(t.TempDir(), "uv")
	pyenvtest.Run(t, pyenvtest.UV(t), "venv", "-q", "--python", pyenvtest.BasePython(t), dir)
	env, err := f.Finder.Resolve(context.Background(), pyenv.Config{UVVenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	return f, env
}

// TestInstall installs by uv; by pip, which is slow, in TestMatrixInstall. TestInstallByEnsurepip
// has pip too.
func TestInstall(t *testing.T) {
	t.Parallel()
	testInstall(t, uvEnv, "uv")
}

func TestMatrixInstall(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	testInstall(t, pipEnv, "pip")
}

func testInstall(t *testing.T, make func(testing.TB, ...string) (*Installer, *pyenv.Environment), tool string) {
	t.Helper()
	// Each of these would send the installation elsewhere.
	f, env := make(t, "PIP_USER=1", "PIP_TARGET=/nowhere", "PIP_PREFIX=/nowhere", "PIP_REQUIRE_VIRTUALENV=1", "UV_PYTHON=/nowhere", "UV_SYSTEM_PYTHON=1")
	steps := []struct {
		ask       []string
		upgrade   bool
		changes   []Change
		unchanged []Distribution
		reason    Reason // of the failure, "" for none
	}{
		{ask: []string{"mcetoy==1.0"}, changes: []Change{{"mcetoy", "", "1.0", []string{"toymodule"}}}},
		{ask: []string{"MceToy"}, unchanged: []Distribution{{"mcetoy", "1.0"}}},
		{ask: []string{"mcetoy<2"}, upgrade: true, changes: []Change{{"mcetoy", "1.0", "1.1", []string{"toymodule"}}}},
		{ask: []string{"mcetoy[more]", "mceabsent; python_version < '3'"}, changes: []Change{{"mceleaf", "", "0.5", []string{"leaf"}}}, unchanged: []Distribution{{"mcetoy", "1.1"}}},
		{ask: []string{"mceneeds2"}, changes: []Change{{"mceneeds2", "", "1.0", []string{"needs2"}}, {"mcetoy", "1.1", "2.0", []string{"toymodule"}}}},
		{ask: []string{"mceneeds1", "mceneeds2"}, reason: ReasonConflict},
		{ask: []string{"mceabsent"}, reason: ReasonNotFound},
		{ask: []string{"mceleaf", "mcetoy==99"}, reason: ReasonNotFound},
		{ask: []string{"mcefuture"}, reason: ReasonPython},
		{ask: []string{"mcebad"}, reason: ReasonCorrupt},
		{ask: []string{"mcetoy==1.0"}, changes: []Change{{"mcetoy", "2.0", "1.0", []string{"toymodule"}}}}, // pip warns, and does it
	}
	for _, step := range steps {
		var lines []string
		got, err := f.Install(context.Background(), env, requirements(t, step.ask...),
			Options{Upgrade: step.upgrade, Progress: func(line string) { lines = append(lines, line) }})
		if step.reason != "" {
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Errorf("%q: %v; want an InstallError", step.ask, err)
				continue
			}
			if e.Reason != step.reason || e.Tool != tool || e.ExitCode < 1 || e.Tail == "" || len(e.Changes) > 0 || e.Unknown {
				t.Errorf("%q: reason %q, %+v", step.ask, e.Reason, e)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", step.ask, err)
			continue
		}
		want := Result{Tool: tool, Changes: step.changes, Unchanged: step.unchanged}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Result{}, "Command", "Output")); diff != "" {
			t.Errorf("%q (-want +got):\n%s\n%s", step.ask, diff, got.Output)
		}
		if len(lines) < 2 || got.Output == "" || !slices.Contains(got.Command, "--") {
			t.Errorf("%q: lines %q, command %q", step.ask, lines, got.Command)
		}
	}
	out := pyenvtest.Run(t, env.Python, "-c", "import toymodule; print(toymodule.version, toymodule.__file__)")
	if !strings.HasPrefix(out, "1.0 "+env.Prefix) {
		t.Errorf("the environment imports %s", out)
	}
}

func TestInstallByEnsurepip(t *testing.T) {
	t.Parallel()
	f := newInstaller(t, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+pyenvtest.Wheels(t))
	env := bareEnv(t, f)
	got, err := f.Install(context.Background(), env, requirements(t, "mceleaf"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Tool != "pip" || !slices.ContainsFunc(got.Changes, func(c Change) bool { return c.Name == "mceleaf" }) {
		t.Errorf("got %+v", got)
	}
}

func TestInstallWithoutInstaller(t *testing.T) {
	f := newInstaller(t)
	env := bareEnv(t, f)
	env.Info.HasEnsurepip = false
	_, err := f.Install(context.Background(), env, requirements(t, "six"), Options{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != ReasonNoInstaller || e.Tool != "" {
		t.Errorf("got %v", err)
	}
}

func TestInstallRefuses(t *testing.T) {
	f := newInstaller(t)
	f.Finder.Host.Runner = pyenvtest.RunnerFunc(func(context.Context, *exec.Cmd) error {
		t.Error("something was run")
		return nil
	})
	env := &pyenv.Environment{Kind: kinds.Venv, Prefix: "/x", Python: "/x/bin/python"}
	env.Info.Purelib = "/x/lib"
	reqs := requirements(t, "six")
	var e *Error
	if _, err := f.Install(context.Background(), env, reqs, Options{}); !errors.As(err, &e) || e.Reason != ReasonPermission || !strings.Contains(err.Error(), "/x/lib") {
		t.Errorf("not writable: %v", err)
	}
	env.Info.Writable, env.Info.ExternallyManaged = true, "/usr/lib/python3/EXTERNALLY-MANAGED"
	if _, err := f.Install(context.Background(), env, reqs, Options{}); !errors.As(err, &e) || e.Reason != ReasonManaged || !strings.Contains(err.Error(), "EXTERNALLY-MANAGED") {
		t.Errorf("managed: %v", err)
	}
	if _, err := f.Install(context.Background(), env, packaging.Wanted{}, Options{}); err == nil {
		t.Error("an empty list is taken")
	}
}

// An index that takes connections and never answers: the end of ctx ends the
// installer with its children, and the environment is as before.
func TestInstallCancelled(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	reached := make(chan struct{}, 100)
	go func() { // ends with the listener
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			reached <- struct{}{}
		}
	}()
	f, env := uvEnv(t, "PIP_NO_INDEX=0", "PIP_INDEX_URL=http://user:hunter2@"+listener.Addr().String()+"/simple")
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped := errors.New("stopped by the test")
	var began time.Time
	go func() {
		<-reached
		began = time.Now()
		cancel(stopped)
	}()
	_, err = f.Install(ctx, env, requirements(t, "mceleaf", "mceabsent"), Options{})
	e, ok := errors.AsType[*Error](err)
	if !ok || !errors.Is(err, stopped) || len(e.Changes) > 0 || e.Unknown || e.Tool != "uv" {
		t.Fatalf("got %v", err)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it ended %v after the cancel", d)
	}
	if strings.Contains(fmt.Sprintf("%+v", *e), "hunter2") {
		t.Error("the error holds the index's password")
	}
}

// Two installations into one environment, by two servers, come one after the other.
func TestInstallOneAtATime(t *testing.T) {
	t.Parallel()
	f, env := uvEnv(t)
	var running, most atomic.Int32
	counting := pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
		if filepath.Base(cmd.Path) == filepath.Base(pyenvtest.UV(t)) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
		}
		return host.DirectRunner{}.Run(ctx, cmd)
	})
	var wg sync.WaitGroup
	for i, name := range []string{"mceleaf", "mcetoy==1.0", "mceneeds1"} {
		server := newInstallerOn(&host.Host{Home: f.Finder.Host.Home, DataDir: f.Finder.Host.DataDir, Environ: f.Finder.Host.Environ, Sysroot: f.Finder.Host.Sysroot, Runner: counting})
		pyenvtest.CloseAtEnd(t, server.Finder.Host)
		wg.Go(func() {
			if _, err := server.Install(context.Background(), env, requirements(t, name), Options{}); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d ran at once", most.Load())
	}
	if all, err := f.Finder.Snapshot(context.Background(), env); err != nil || len(all) != 3 {
		t.Errorf("installed: %v, %v", all, err)
	}
}

// A conda program that lacks a package hands over to pip; options it does not
// know are left out; a conflict is the end.
func TestInstallByConda(t *testing.T) {
	said := func(text string, code int) string { return fmt.Sprintf("echo %q >&2; exit %d\n", text, code) }
	tests := []struct {
		name    string
		ask     []string
		upgrade bool
		script  string // answers a call, "$*" is its arguments
		want    []string
		reason  Reason
	}{
		{"plain", []string{"numpy>=1.2,<2", "scipy"}, false, "exit 0\n",
			[]string{"conda install -y -p PREFIX -q --freeze-installed -- numpy>=1.2,<2 scipy"}, ""},
		{"upgrade", []string{"numpy"}, true, "exit 0\n", []string{"conda install -y -p PREFIX -q -- numpy"}, ""},
		{"old program", []string{"numpy"}, false, `case "$*" in *--freeze*) ` + said("conda: error: unrecognized arguments: --freeze-installed", 2) + ";; esac\n",
			[]string{"conda install -y -p PREFIX -q --freeze-installed -- numpy", "conda install -y -p PREFIX -q -- numpy"}, ""},
		{"not in its channels", []string{"numpy"}, true, said("PackagesNotFoundError: The following packages are not available from current channels:", 1),
			[]string{"conda install -y -p PREFIX -q -- numpy", "pip numpy"}, ""},
		{"partly in its channels", []string{"numpy", "Mce_Absent>=1", "scipy"}, true, "case \"$*\" in *Absent*) " +
			said("PackagesNotFoundError: The following packages are not available from current channels:\n\n  - mce_absent[version='>=1']\n", 1) + ";; esac\n",
			[]string{"conda install -y -p PREFIX -q -- numpy Mce_Absent>=1 scipy", "conda install -y -p PREFIX -q -- numpy scipy", "pip Mce_Absent>=1"}, ""},
		{"in no index", []string{"absent"}, true, said("PackagesNotFoundError: conda lacks it", 1),
			[]string{"conda install -y -p PREFIX -q -- absent", "pip absent"}, ReasonNotFound},
		{"conflict", []string{"numpy"}, false, said("UnsatisfiableError: The following specifications were found to be incompatible", 1),
			[]string{"conda install -y -p PREFIX -q --freeze-installed -- numpy", "conda install -y -p PREFIX -q -- numpy"}, ReasonConflict},
		{"network", []string{"numpy"}, false, said("CondaHTTPError: HTTP 000 CONNECTION FAILED for url", 1),
			[]string{"conda install -y -p PREFIX -q --freeze-installed -- numpy"}, ReasonNetwork},
		{"extras are pip's", []string{"requests[socks]"}, false, "exit 0\n", []string{"pip requests[socks]"}, ""},
		{"markers are pip's", []string{"x; os_name=='nt'"}, false, "exit 0\n", []string{"pip x ; os_name=='nt'"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newInstaller(t)
			root := pyenvtest.CondaRoot(t, filepath.Join(f.Finder.Host.Home, "miniforge3"), "ml")
			pyenvtest.Write(t, map[string]string{filepath.Join(root, "bin", "conda"): "#!/bin/sh\n" + tt.script})
			env, err := f.Finder.Resolve(context.Background(), pyenv.Config{Type: "conda", CondaName: "ml"})
			if err != nil {
				t.Fatal(err)
			}
			env.Info.Writable, env.Info.ExternallyManaged = true, ""
			var calls []string
			f.Finder.Host.Runner = pyenvtest.RunnerFunc(func(ctx context.Context, cmd *exec.Cmd) error {
				switch args := cmd.Args[1:]; {
				case filepath.Base(cmd.Path) == "conda":
					calls = append(calls, "conda "+strings.ReplaceAll(strings.Join(args, " "), env.Prefix, "PREFIX"))
				case slices.Contains(args, "pip"):
					calls = append(calls, "pip "+strings.Join(args[slices.Index(args, "--")+1:], " "))
					if slices.Contains(args, "absent") {
						fmt.Fprintln(cmd.Stderr, "ERROR: No matching distribution found for absent")
						return host.DirectRunner{}.Run(ctx, exec.Command("/bin/sh", "-c", "exit 1"))
					}
					return nil
				case slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, "mce-packages:") }): // the python is the machine's
					fmt.Fprintf(cmd.Stdout, "\nmce-packages:{\"found\": [], \"dists\": {\"pip\": \"1\"}, \"conda\": {}}\n")
					return nil
				}
				return host.DirectRunner{}.Run(ctx, cmd)
			})
			_, err = f.Install(context.Background(), env, requirements(t, tt.ask...), Options{Upgrade: tt.upgrade})
			if diff := cmp.Diff(tt.want, calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			e, failed := errors.AsType[*Error](err)
			if failed != (tt.reason != "") || failed && e.Reason != tt.reason || err != nil && !failed {
				t.Errorf("error %v, want reason %q", err, tt.reason)
			}
			if tt.reason == ReasonNotFound && !strings.Contains(err.Error(), "conda lacks it") {
				t.Errorf("the error %q does not say what conda said", err)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	for output, want := range map[string]Reason{
		"ERROR: Could not find a version that satisfies the requirement sixx\nERROR: No matching distribution found for sixx":                             ReasonNotFound,
		"WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by 'NewConnectionError'\nERROR: No matching distribution found for six": ReasonNetwork,
		"error: Failed to fetch: https://h/simple/six/\n  cause: error sending request for url":                                                           ReasonNetwork,
		"error: Failed to fetch: https://h/x.whl\n  cause: HTTP status client error (404 Not Found)":                                                      ReasonNotFound,
		"Because there is no version of six==99 and you require six==99, we can conclude that your requirements are unsatisfiable.":                       ReasonNotFound,
		"Because sixx was not found in the package registry and you require sixx, we can conclude that your requirements are unsatisfiable.":              ReasonNotFound,
		"Because tomli was not found in the cache\nhint: Packages were unavailable because the network was disabled.":                                     ReasonNetwork,
		"Because a==1 depends on c<2 and b==1 depends on c>=2, we can conclude that a==1 and b==1 are incompatible.":                                      ReasonConflict,
		"ERROR: ResolutionImpossible: for help visit https://pip.pypa.io":                                                                                 ReasonConflict,
		"ERROR: Failed building wheel for x":                                                      ReasonBuild,
		"ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'": ReasonPermission,
		"OSError: [Errno 28] No space left on device":                                             ReasonDiskFull,
		"error: externally-managed-environment":                                                   ReasonManaged,
		"something else":                                                                          ReasonUnknown,
	} {
		if got := Classify(output); got != want {
			t.Errorf("%q is %q, want %q", output, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"Looking in indexes: https://user:pw@host/simple": "Looking in indexes: https://****@host/simple",
		"x @ git+https://token@github.com/a/b@v1":         "x @ git+https://****@github.com/a/b@v1",
		"mail a@b.c, see https://host/a@b":                "mail a@b.c, see https://host/a@b",
	} {
		if got := host.Redact(text); got != want {
			t.Errorf("redact(%q) = %q", text, got)
		}
	}
}

func TestFindUV(t *testing.T) {
	home := t.TempDir()
	getenv := func(string) string { return "" }
	uv := filepath.Join(home, ".local", "bin", "uv"+host.ExeSuffix)
	pyenvtest.Write(t, map[string]string{uv: "#!/bin/sh\n"})
	if path, ok := FindUV(getenv, home, t.TempDir()); !ok || path != uv {
		t.Errorf("FindUV = %q, %v", path, ok)
	}
}

// One package from the real index, by the machine's own settings.
func TestInstallFromPyPI(t *testing.T) {
	t.Parallel()
	f := newInstaller(t, append(os.Environ(), "UV="+pyenvtest.UV(t))...)
	dir := filepath.Join(t.TempDir(), "uv")
	pyenvtest.Run(t, pyenvtest.UV(t), "venv", "-q", "--python", pyenvtest.BasePython(t), dir)
	env, err := f.Finder.Resolve(context.Background(), pyenv.Config{UVVenvPath: dir})
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Install(context.Background(), env, requirements(t, "six==1.16.0"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Change{{"six", "", "1.16.0", []string{"six"}}}, got.Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = f.Install(context.Background(), env, requirements(t, "mce-no-such-package-at-all"), Options{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != ReasonNotFound {
		t.Errorf("an unknown package: %v", err)
	}
}
