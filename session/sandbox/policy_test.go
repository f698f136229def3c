package sandbox

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// files are the entries of a policy: PATH ACCESS or PATH ACCESS skip, where a path may be a
// special one, as in ":project_roots/.git".
func files(entries ...string) string {
	list := []any{}
	for _, e := range entries {
		path, access, _ := strings.Cut(e, " ")
		at := map[string]any{"type": "path", "path": path}
		if name, ok := strings.CutPrefix(path, ":"); ok {
			kind, subpath, below := strings.Cut(name, "/")
			value := map[string]any{"kind": kind}
			if below {
				value["subpath"] = subpath
			}
			at = map[string]any{"type": "special", "value": value}
		}
		e := map[string]any{"path": at}
		var skips bool
		if e["access"], skips = strings.CutSuffix(access, " skip"); skips {
			e["missing_path_behavior"] = "skip"
		}
		list = append(list, e)
	}
	text, _ := json.Marshal(list)
	return string(text)
}

// state is a policy of Codex for a project in cwd.
func state(cwd, network string, entries ...string) string {
	return `{"permissionProfile":{"type":"managed","file_system":{"type":"restricted","entries":` + files(entries...) + `},"network":"` + network + `"},
		"codexLinuxSandboxExe":null,"sandboxCwd":"` + cwd + `","useLegacyLandlock":false,"useMxc":false}`
}

// TestReadPolicy: what is not known, or cannot be kept, is refused and named.
func TestReadPolicy(t *testing.T) {
	profile := func(text string) string { return `{"sandboxCwd":"/w","permissionProfile":` + text + `}` }
	managed := func(entries string) string {
		return profile(`{"type":"managed","network":"restricted","file_system":{"type":"restricted","entries":[{"path":{"type":"special","value":{"kind":"root"}},"access":"read"},` + entries + `]}}`)
	}
	for text, want := range map[string]string{
		"":                "this call brought none",
		"{":               "is no JSON",
		"[]":              "is no object",
		`{}`:              "is missing",
		profile(`{}`):     "permissionProfile.type is missing",
		profile(`"full"`): "permissionProfile.type is missing",
		profile(`{"type":"disabled","network":"restricted"}`): "permissionProfile.network is not known",
		profile(`{"type":"new"}`):                             "permissionProfile.type is new",
		profile(`{"type":"external"}`):                        "permissionProfile.network is missing",
		profile(`{"type":"external","network":"some"}`):       "permissionProfile.network is some",
		profile(`{"type":"managed","network":"restricted"}`):  "permissionProfile.file_system is missing",
		profile(`{"type":"managed","network":{"proxy":1},"file_system":{"type":"restricted","entries":[]}}`):            "permissionProfile.network is map[",
		profile(`{"type":"managed","network":"enabled","file_system":{"type":"unrestricted"}}`):                         "permissionProfile.file_system.entries is missing",
		profile(`{"type":"managed","network":"enabled","file_system":{"type":"unrestricted","entries":[]}}`):            "permissionProfile.file_system.type is unrestricted",
		profile(`{"type":"managed","network":"restricted","file_system":{"type":"restricted","entries":[]}}`):           "do not let code read everywhere",
		profile(`{"type":"managed","network":"restricted","file_system":{"type":"restricted","entries":[],"deny":[]}}`): "permissionProfile.file_system.deny is not known",
		managed(`{"path":{"type":"special","value":{"kind":"root"}},"access":"write"}`):                                 "let code write everywhere",
		managed(`{"path":{"type":"path","path":"/w"},"access":"execute"}`):                                              "entries[1].access is execute",
		managed(`{"path":{"type":"path","path":"w"},"access":"write"}`):                                                 "entries[1].path.path is w, and no absolute path",
		managed(`{"path":{"type":"path","path":"file://host/w"},"access":"write"}`):                                     "which is no file of this machine",
		managed(`{"path":{"type":"path","path":"/w","recursive":false},"access":"write"}`):                              "entries[1].path.recursive is not known",
		managed(`{"path":{"type":"glob_pattern","pattern":"**/.env"},"access":"deny"}`):                                 "entries[1].path.type is glob_pattern",
		managed(`{"path":{"type":"special","value":{"kind":"unknown","path":":new"}},"access":"read"}`):                 "is not known",
		managed(`{"path":{"type":"special","value":{"kind":"home"}},"access":"read"}`):                                  "entries[1].path.value.kind is home",
		managed(`{"path":{"type":"special","value":{"kind":"project_roots","subpath":"../x"}},"access":"write"}`):       "entries[1].path.value.subpath is ../x",
		managed(`{"path":{"type":"special","value":{"kind":"tmpdir"}},"access":"none"}`):                                "entries[1].path.value.kind is tmpdir",
		`{"sandboxCwd":"/w","permissionProfile":{"type":"disabled"},"sandboxPolicy":{"type":"read-only"}}`:              "sandboxPolicy is not known",
		managed(`{"path":{"type":"path","path":"/w"},"access":"read","missing_path_behavior":"make"}`):                  "entries[1].missing_path_behavior is make",
		`{"sandboxCwd":"file://other/w","permissionProfile":{"type":"disabled"}}`:                                       "sandboxCwd is file://other/w",
	} {
		p, err := ReadPolicy(text)
		refused, _ := errors.AsType[*confine.Refused](err)
		if p != nil || refused == nil || !strings.Contains(refused.Reason, want) || refused.Next == "" {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestPolicyRules: what Codex's profiles mean here.
func TestPolicyRules(t *testing.T) {
	p := newPlace(t, "work/.git/config", "work/secret/key", "work/data/x", "other/x", "other/open/x", "code/x")
	in := func(name string) string { return filepath.Join(p.Home, name) }
	if err := os.Symlink(in("work"), in("link")); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text                                     string
		level                                    Level
		network                                  Network
		write, protect, deny, read, missing, not []string
	}{
		// As Codex 0.171 sends it.
		"Codex": {text: state("file://"+p.WorkDir, "restricted", ":root read", p.WorkDir+" write", ":slash_tmp write", ":tmpdir write", in("work/.git")+" read skip", in("work/.agents")+" read skip", in("work/.codex")+" read skip"),
			level: Workspace, write: []string{"work"}, protect: []string{"work/.git"}},
		"workspace-write": {text: state(p.WorkDir, "restricted", ":root read", ":project_roots write", ":slash_tmp write", ":tmpdir write", ":project_roots/.git read", ":project_roots/.codex read"),
			level: Workspace, write: []string{"work"}, protect: []string{"work/.git"}, missing: []string{"work/.codex"}},
		"read-only":         {text: state(p.WorkDir, "restricted", ":root read", ":minimal read"), level: ReadOnly},
		"network":           {text: state(p.WorkDir, "enabled", ":root read"), level: ReadOnly, network: NetworkOn},
		"an older word":     {text: state(p.WorkDir, "restricted", ":root read", ":current_working_directory write"), level: Workspace, write: []string{"work"}},
		"a URI, and a link": {text: state("file://"+in("link"), "restricted", ":root read", ":project_roots write", ":project_roots/.git read"), level: Workspace, write: []string{"work"}, protect: []string{"work/.git"}},
		"more directories":  {text: state(p.WorkDir, "restricted", ":root read", in("other")+" write", in("nowhere")+" write"), level: Workspace, write: []string{"other"}},
		"denied": {text: state(p.WorkDir, "restricted", ":root read", ":project_roots write", in("work/secret")+" none", in("work/.env")+" deny", in("other")+" deny", in("other/open")+" read"),
			level: Workspace, write: []string{"work"}, deny: []string{"other", "work/secret"}, read: []string{"other/open"}, missing: []string{"work/.env"}},
		"of one path, the one that denies": {text: state(p.WorkDir, "restricted", ":root read", ":project_roots none", ":project_roots write", in("other")+" write", in("other")+" read"),
			level: Workspace, write: []string{"other"}, deny: []string{"work"}},
		"external": {text: `{"sandboxCwd":"/w","permissionProfile":{"type":"external","network":"enabled"}}`, level: ReadOnly, network: NetworkOn},
	} {
		policy, err := ReadPolicy(test.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, missing := policy.rules(Rules{Level: Client, Deny: nil})
		if r.Level != test.level || r.Network != test.network || !r.Only {
			t.Errorf("%s: %+v", name, r)
		}
		for what, lists := range map[string][2][]string{"write": {r.Write, test.write}, "protect": {r.Protect, test.protect}, "deny": {unique(r.Deny), test.deny}, "read": {r.Read, test.read}, "missing": {missing, test.missing}} {
			if got := short(p.Home, lists[0]); !slices.Equal(got, lists[1]) {
				t.Errorf("%s: %s %v, want %v", name, what, got, lists[1])
			}
		}
	}
}

// TestPolicyPlan: the working directory and the storage are the client's to open, what it
// protects is protected, and Landlock, which could not, lets nothing be written there.
func TestPolicyPlan(t *testing.T) {
	p := newPlace(t, "work/notes/x", "other/x")
	policy, err := ReadPolicy(state(p.WorkDir, "restricted", ":root read", ":project_roots write", ":project_roots/notes read", ":project_roots/.codex read", filepath.Join(p.Home, "other")+" none"))
	if err != nil {
		t.Fatal(err)
	}
	b := &Box{Rules: Rules{Level: Client}, Place: p}
	c, err := b.Kernel(p.WorkDir, p.Storage, []string{"A_TOKEN=1"}, nil, policy)
	if err != nil {
		t.Fatal(err)
	}
	if got := short(p.Home, c.Plan.Write); !slices.Equal(got, []string{"work"}) {
		t.Errorf("writes in %v", got)
	}
	if hidden := short(p.Home, c.Plan.Hide); !slices.Equal(short(p.Home, c.Plan.Protect), []string{"work/notes"}) || !slices.Contains(hidden, "other") || !slices.Contains(hidden, ".ssh") {
		t.Errorf("protects %v, hides %v", c.Plan.Protect, c.Plan.Hide)
	}
	words := c.Words(b)
	for _, part := range []string{"sandbox by the client's policy (bubblewrap): code can write in " + p.WorkDir + " and a private /tmp;", "the network is off", "not there: " + filepath.Join(p.WorkDir, ".codex"), "1 of the server's variables"} {
		if !strings.Contains(words, part) {
			t.Errorf("%q is missing in: %s", part, words)
		}
	}
	env := filepath.Join(p.WorkDir, "deep", "env")
	if err := os.MkdirAll(filepath.Join(env, "conda-meta"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, pythons := range [][]string{{env}, nil} { // what one kernel runs in is protected from the next
		c, err := b.Kernel(p.WorkDir, p.Storage, nil, pythons, policy)
		if err != nil || !slices.Contains(short(p.Home, c.Plan.Protect), "work/deep/env") {
			t.Errorf("%v: protects %v", err, c.Plan)
		}
	}
	named := &Box{Rules: b.Rules, Place: p}
	named.Place.Known = []string{filepath.Join(env, "bin", "python")} // which need not be there
	if c, err := named.Kernel(p.WorkDir, p.Storage, nil, nil, policy); err != nil || !slices.Contains(short(p.Home, c.Plan.Protect), "work/deep/env") {
		t.Errorf("%v: protects %v", err, c.Plan)
	}
	if _, err := b.Kernel(p.WorkDir, p.Storage, nil, nil, nil); err == nil {
		t.Error("a kernel without a policy")
	}
	if got := short(p.Home, b.codes(p)); !slices.Contains(got, "work") {
		t.Errorf("not noted as written: %v", got)
	}

	p.Landlock, p.NoBubblewrap = 7, &confine.Refused{Reason: "bubblewrap is missing"}
	b = &Box{Rules: Rules{Level: Client, Partial: true}, Place: p}
	if _, err = b.Kernel(p.WorkDir, p.Storage, nil, nil, policy); err != nil {
		t.Fatal(err)
	}
	c, _ = b.Kernel(p.WorkDir, p.Storage, nil, nil, policy)
	if len(c.Plan.Write) > 0 || !strings.Contains(c.Words(b), "; not in "+p.WorkDir+", for what is in it") {
		t.Errorf("Landlock: writes in %v; %s", c.Plan.Write, c.Words(b))
	}
	open, err := ReadPolicy(`{"sandboxCwd":"/w","permissionProfile":{"type":"disabled"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = b.Kernel(p.WorkDir, p.Storage, []string{"A_TOKEN=1"}, nil, open); err != nil || c.Plan != nil || len(c.Env) != 1 || !strings.Contains(c.Words(b), "off, by the client's policy") {
		t.Errorf("full access: %+v %v", c, err)
	}
}

// TestPolicyBeyond: what a kernel may do that a later policy does not allow.
func TestPolicyBeyond(t *testing.T) {
	w := t.TempDir()
	at := func(name string) string { return filepath.Join(w, name) }
	write := state(w, "restricted", ":root read", ":project_roots write")
	full := `{"sandboxCwd":"/w","permissionProfile":{"type":"disabled"}}`
	for name, test := range map[string]struct{ kernel, call, want string }{
		"the same":             {write, write, ""},
		"full access":          {write, full, ""},
		"after full access":    {full, write, "everything"},
		"network on":           {write, state(w, "enabled", ":root read", ":project_roots write"), ""},
		"network off":          {state(w, "enabled", ":root read"), state(w, "restricted", ":root read"), "the network"},
		"read-only":            {write, state(w, "restricted", ":root read"), "writing in " + w},
		"another project":      {write, state(at("x"), "restricted", ":root read", ":project_roots write"), "writing in " + w},
		"a wider project":      {state(at("x"), "restricted", ":root read", ":project_roots write"), write, ""},
		"a part protected":     {write, state(w, "restricted", ":root read", ":project_roots write", at("x")+" read"), "writing in " + at("x")},
		"a part not protected": {state(w, "restricted", ":root read", ":project_roots write", at("x")+" read"), write, ""},
		"a file hidden":        {state(w, "restricted", ":root read"), state(w, "restricted", ":root read", at("x")+" deny"), "reading " + at("x")},
		"a file not hidden":    {state(w, "restricted", ":root read", at("x")+" deny"), state(w, "restricted", ":root read"), ""},
		"temporary files":      {state(w, "restricted", ":root read", ":slash_tmp write"), state(w, "restricted", ":root read"), ""},
	} {
		kernel, err1 := ReadPolicy(test.kernel)
		call, err2 := ReadPolicy(test.call)
		if err1 != nil || err2 != nil {
			t.Errorf("%s: %v, %v", name, err1, err2)
			continue
		}
		if got := (Confined{policy: kernel}).Beyond(call); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
