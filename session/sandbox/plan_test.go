package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// newPlace is a home with a project, as in a system whose bubblewrap is dir/bin/bwrap.
func newPlace(t *testing.T, names ...string) Place {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	p := Place{Home: home, WorkDir: filepath.Join(home, "work"), Storage: filepath.Join(home, "code"), State: filepath.Join(home, "state"), Path: []string{bin}}
	for _, dir := range []string{p.WorkDir, p.Storage, p.State} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(names, ".ssh/id", ".netrc") {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(bin, "bwrap"), []byte("#!/bin/true\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

// short are paths below home, relative to it.
func short(home string, paths []string) []string {
	var all []string
	for _, path := range paths {
		if relative, err := filepath.Rel(home, path); err == nil && filepath.IsLocal(relative) {
			all = append(all, relative)
		}
	}
	return all
}

// TestPlan: what is written, protected, readable and hidden.
func TestPlan(t *testing.T) {
	files := []string{"work/.git/config", "work/.mcp.json", "work/.venv/pyvenv.cfg", "work/src/.git/x", "work/deep/env/pyvenv.cfg", "work/deep/plain/x", "other/.git/config", ".codex/worktrees/x/shop/a", "denied/x"}
	in := func(home, name string) string { return filepath.Join(home, name) }
	for name, test := range map[string]struct {
		set                      func(home string, r *Rules, p *Place)
		write, protect, has, not []string // has and not: of what is hidden
	}{
		"workspace": {func(string, *Rules, *Place) {}, []string{"code", "work"}, []string{"work/.git", "work/.mcp.json", "work/.venv"}, []string{".ssh", ".netrc", "state", ".codex"}, []string{"work", "other"}},
		"read-only": {func(_ string, r *Rules, _ *Place) { r.Level = ReadOnly }, nil, nil, []string{".ssh", ".netrc", "state"}, nil},
		"SANDBOX_WRITE": {func(home string, r *Rules, _ *Place) { r.Write = []string{in(home, "other")} }, []string{"code", "other", "work"},
			[]string{"other/.git", "work/.git", "work/.mcp.json", "work/.venv"}, nil, nil},
		"SANDBOX_DENY":                      {func(home string, r *Rules, _ *Place) { r.Deny = []string{in(home, "denied"), in(home, "absent")} }, []string{"code", "work"}, []string{"work/.git", "work/.mcp.json", "work/.venv"}, []string{"denied"}, []string{"absent"}},
		"SANDBOX_READ":                      {func(home string, r *Rules, _ *Place) { r.Read = []string{in(home, ".netrc")} }, []string{"code", "work"}, []string{"work/.git", "work/.mcp.json", "work/.venv"}, []string{".ssh"}, []string{".netrc"}},
		"a project in a client's directory": {func(home string, _ *Rules, p *Place) { p.WorkDir = in(home, ".codex/worktrees/x/shop") }, []string{".codex/worktrees/x/shop", "code"}, nil, []string{".codex"}, nil},
		"a link to the project": {func(home string, _ *Rules, p *Place) {
			p.WorkDir = in(home, "link")
			if err := os.Symlink(in(home, "work"), p.WorkDir); err != nil {
				t.Error(err)
			}
		}, []string{"code", "work"}, []string{"work/.git", "work/.mcp.json", "work/.venv"}, nil, nil},
		"a link in the project": {func(home string, _ *Rules, _ *Place) {
			if err := os.Symlink(in(home, ".ssh"), in(home, "work/.vscode")); err != nil {
				t.Error(err)
			}
		}, []string{"code", "work"}, []string{"work/.git", "work/.mcp.json", "work/.venv"}, []string{".ssh"}, nil},
		"one that is known, and what is none": {func(home string, _ *Rules, p *Place) {
			p.Known = []string{in(home, "work/deep/env"), in(home, "work/deep/plain"), in(home, "absent"), ""}
		}, []string{"code", "work"}, []string{"work/.git", "work/.mcp.json", "work/.venv", "work/deep/env"}, nil, nil},
		"the kernel's environment": {func(home string, _ *Rules, p *Place) { p.Pythons = []string{in(home, "work/.venv")} }, []string{"code", "work"}, []string{"work/.git", "work/.mcp.json", "work/.venv"}, nil, nil},
	} {
		p := newPlace(t, files...)
		r := Rules{Level: Workspace}
		test.set(p.Home, &r, &p)
		plan, err := r.Plan(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := short(p.Home, plan.Write); !slices.Equal(got, test.write) {
			t.Errorf("%s: writes in %v, want %v", name, got, test.write)
		}
		if got := short(p.Home, plan.Protect); !slices.Equal(got, test.protect) {
			t.Errorf("%s: protects %v, want %v", name, got, test.protect)
		}
		hidden := short(p.Home, plan.Hide)
		for _, path := range test.has {
			if !slices.Contains(hidden, path) {
				t.Errorf("%s: does not hide %s: %v", name, path, hidden)
			}
		}
		for _, path := range test.not {
			if slices.Contains(hidden, path) {
				t.Errorf("%s: hides %s", name, path)
			}
		}
		if plan.Network || len(plan.Check.Read) < 3 || len(plan.Check.Write) == 0 {
			t.Errorf("%s: %+v", name, plan)
		}
	}
}

// TestRefusedPlans: a place in which writing is a way out, and rules that cannot be kept.
func TestRefusedPlans(t *testing.T) {
	in := func(home, name string) string { return filepath.Join(home, name) }
	for name, test := range map[string]struct {
		set  func(home string, r *Rules, p *Place)
		want string
	}{
		"the home directory": {func(home string, _ *Rules, p *Place) { p.WorkDir = home }, "home directory or above"},
		"above it":           {func(home string, _ *Rules, p *Place) { p.WorkDir = filepath.Dir(home) }, "home directory or above"},
		"a link to it": {func(home string, r *Rules, _ *Place) {
			os.Symlink(home, in(home, "l"))
			r.Write = []string{in(home, "l")}
		}, "home directory or above"},
		"the records":         {func(home string, r *Rules, _ *Place) { r.Write = []string{in(home, "state")} }, "records"},
		"the system":          {func(_ string, r *Rules, _ *Place) { r.Write = []string{"/etc"} }, "the system's"},
		"in SANDBOX_DENY":     {func(home string, r *Rules, _ *Place) { r.Deny = []string{in(home, "work")} }, "SANDBOX_DENY"},
		"an absent directory": {func(home string, r *Rules, _ *Place) { r.Write = []string{in(home, "absent")} }, "absent"},
		"in the environment": {func(home string, _ *Rules, p *Place) {
			p.Pythons = []string{in(home, "env")}
			p.WorkDir = in(home, "env/src")
		}, "in the Python environment"},
		"a wrong setting":        {func(_ string, r *Rules, _ *Place) { r.Wrong = "SANDBOX=x is wrong" }, "SANDBOX=x is wrong"},
		"bubblewrap of the code": {func(home string, _ *Rules, p *Place) { p.Path = []string{in(home, "work")} }, "not installed"},
	} {
		if _, err := os.Stat("/usr/bin/bwrap"); err == nil && strings.HasPrefix(name, "bubblewrap") {
			continue
		}
		p := newPlace(t, "env/pyvenv.cfg", "env/src/x", "work/bwrap")
		r := Rules{Level: Workspace}
		test.set(p.Home, &r, &p)
		_, err := r.Plan(p)
		refused, _ := errors.AsType[*confine.Refused](err)
		if refused == nil || !strings.Contains(refused.Reason, test.want) || refused.Next == "" {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestVariables: what is named like a credential is left out and counted.
func TestVariables(t *testing.T) {
	env := []string{"PATH=/bin", "GITHUB_TOKEN=1", "MY_SECRET_X=1", "OPENAI_API_KEY=1", "aws_profile=1", "DB_PASSWORD=1", "KEYBOARD=us", "TOKENIZERS_PARALLELISM=0",
		"PIP_INDEX_URL=https://u:p@index/simple", "UV_INDEX_URL=https://index/simple", "JUPYTER_SERVERS=lab=http://localhost:8888/?token=1", "SSH_AUTH_SOCK=/x", "DISPLAY=:0", "XDG_RUNTIME_DIR=/run/user/1", "TMPDIR=/scratch", "HOME=/h"}
	kept, left := Rules{Env: []string{"GITHUB_*", "TOKENIZERS_*"}}.Variables(env)
	names := map[string]string{}
	for _, entry := range kept {
		name, value, _ := strings.Cut(entry, "=")
		names[name] = value
	}
	if left != 7 || names["TMPDIR"] != "/tmp" || names["PATH"] == "" || names["GITHUB_TOKEN"] == "" || names["TOKENIZERS_PARALLELISM"] == "" || names["KEYBOARD"] == "" || names["UV_INDEX_URL"] == "" {
		t.Errorf("left out %d of %v", left, kept)
	}
	for _, name := range []string{"OPENAI_API_KEY", "aws_profile", "PIP_INDEX_URL", "JUPYTER_SERVERS", "DISPLAY", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK"} {
		if names[name] != "" {
			t.Errorf("%s=%s", name, names[name])
		}
	}
}

// TestHint: a failure that the sandbox may have caused names the setting.
func TestHint(t *testing.T) {
	for _, test := range []struct{ ename, evalue, want string }{
		{"OSError", "[Errno 30] Read-only file system: '/x'", "SANDBOX_WRITE"},
		{"PermissionError", "[Errno 13] Permission denied: '/x'", "SANDBOX_READ"},
		{"PermissionError", "[Errno 13] Permission denied", "SANDBOX_NETWORK=on"},
		{"OSError", "out of pty devices", "SANDBOX_WRITE=/dev/pts"},
		{"gaierror", "[Errno -3] Temporary failure in name resolution", "SANDBOX_NETWORK=on"},
		{"ConnectionError", "Network is unreachable", "SANDBOX_NETWORK=on"},
		{"URLError", "<urlopen error [Errno 111] Connection refused>", "nothing in the sandbox listens there"},
		{"ConnectionRefusedError", "[Errno 111] Connection refused", "nothing in the sandbox listens there"},
		{"ValueError", "x", ""},
		{"", "", ""},
	} {
		if got := (Confined{Plan: new(confine.Plan), rules: Rules{Level: Workspace}}).Hint(test.ename, test.evalue); got != "" != (test.want != "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.evalue, got, test.want)
		}
	}
	if got := (Confined{Plan: new(confine.Plan), rules: Rules{Only: true}}).Hint("PermissionError", "x"); !strings.Contains(got, "client") || strings.Contains(got, "SANDBOX_") {
		t.Errorf("under a client's policy: %q", got)
	}
	p := newPlace(t, "work/.git/x")
	plan, err := Rules{Level: Workspace}.Plan(p)
	if err != nil {
		t.Fatal(err)
	}
	c := Confined{Plan: &plan, rules: Rules{Level: Workspace}, place: p}
	for _, test := range []struct{ ename, evalue, want string }{
		{"OSError", "[Errno 30] Read-only file system: '.git/y'", "no setting does but SANDBOX=off"},
		{"OSError", "[Errno 30] Read-only file system: 'a' -> '" + p.WorkDir + "/.git/y'", "no setting does but SANDBOX=off"},
		{"OSError", "[Errno 30] Read-only file system: '/usr/y'", "SANDBOX_WRITE names more"},
		{"FileNotFoundError", "[Errno 2] No such file or directory: '/tmp/data.csv'", "SANDBOX_READ names those"},
		{"FileNotFoundError", "[Errno 2] No such file or directory: 'data.csv'", ""},
	} {
		if got := c.Hint(test.ename, test.evalue); got != "" != (test.want != "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.evalue, got, test.want)
		}
	}
	if got := (Confined{Plan: new(confine.Plan), rules: Rules{Level: ReadOnly}}).Hint("OSError", "[Errno 30] Read-only file system: '/x'"); !strings.Contains(got, "SANDBOX=workspace") || strings.Contains(got, "SANDBOX_WRITE") {
		t.Errorf("read-only: %q", got)
	}
	var none *Box
	if (Confined{}).Hint("PermissionError", "x") != "" || none.Describe() != "off" {
		t.Error("no sandbox stops something")
	}
}

// TestInstallerVariables: an installer has its index and no key of others, and builds
// nothing.
func TestInstallerVariables(t *testing.T) {
	got := installerVariables(Rules{}, []string{"PIP_INDEX_URL=https://u:p@index/simple", "HTTPS_PROXY=http://u:p@proxy", "AWS_SECRET=1", "UV_NO_BUILD=0", "PATH=/bin"})
	want := []string{"PIP_INDEX_URL=https://u:p@index/simple", "HTTPS_PROXY=http://u:p@proxy", "PATH=/bin", "TMPDIR=/tmp", "PIP_ONLY_BINARY=:all:", "UV_NO_BUILD=1"}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	got = installerVariables(Rules{AnySource: true}, []string{"UV_NO_BUILD=1", "AWS_SECRET=1", "PATH=/bin"})
	if want := []string{"UV_NO_BUILD=1", "PATH=/bin", "TMPDIR=/tmp"}; !slices.Equal(got, want) {
		t.Errorf("with any source: %v", got)
	}
}
