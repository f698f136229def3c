package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const policyKey = "codex/sandbox-state-meta"

// policyIn is what Codex (0.171) sends with a call for a project in dir: entries are JSON,
// in which PATH is dir.
func policyIn(t *testing.T, dir, network string, entries ...string) map[string]any {
	t.Helper()
	text := `{"permissionProfile":{"type":"managed","network":"` + network + `","file_system":{"type":"restricted","entries":[` + strings.Join(entries, ",") + `]}},
		"codexLinuxSandboxExe":"/opt/codex/codex-linux-sandbox","sandboxCwd":"file://PATH","useLegacyLandlock":false,"useMxc":false}`
	return metaOf(t, strings.ReplaceAll(text, "PATH", dir))
}

// metaOf is the _meta of a call with this policy.
func metaOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var policy any
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		t.Fatal(err)
	}
	return map[string]any{policyKey: policy}
}

const (
	readsAll      = `{"path":{"type":"special","value":{"kind":"root"}},"access":"read"}`
	writesProject = `{"path":{"type":"path","path":"PATH"},"access":"write"}`
	readsAgents   = `{"path":{"type":"path","path":"PATH/.agents"},"access":"read","missing_path_behavior":"skip"}`
	readsCodex    = `{"path":{"type":"special","value":{"kind":"project_roots","subpath":".codex"}},"access":"read"}`
	writesTmp     = `{"path":{"type":"special","value":{"kind":"slash_tmp"}},"access":"write"}`
	fullAccess    = `{"permissionProfile":{"type":"disabled"},"codexLinuxSandboxExe":null,"sandboxCwd":"/","useLegacyLandlock":false}`
)

// policyMeans are the means by which a client's policy is kept.
func policyMeans() map[string]struct {
	needs  func(*testing.T)
	launch func(t *testing.T, settings ...string) *program
	name   string
} {
	return map[string]struct {
		needs  func(*testing.T)
		launch func(t *testing.T, settings ...string) *program
		name   string
	}{
		"bubblewrap": {needsBubblewrap, func(t *testing.T, settings ...string) *program { return launch(t, settings...) }, "by the client's policy (bubblewrap): "},
		"landlock": {needsLandlock, func(t *testing.T, settings ...string) *program {
			return launchMounted(t, withoutBubblewrap, append(settings, "SANDBOX_ALLOW_PARTIAL=on")...)
		}, "partial by the client's policy (Landlock): "},
	}
}

// TestClientPolicy: a kernel is confined by the policy of the call that starts it; a looser
// one changes nothing, under a tighter one no code reaches it, and it goes on.
func TestClientPolicy(t *testing.T) {
	t.Parallel()
	for name, means := range policyMeans() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			means.needs(t)
			home, work := t.TempDir(), t.TempDir()
			other := filepath.Join(home, "other")
			write(t, map[string]string{filepath.Join(other, "data"): "", filepath.Join(home, ".ssh/id_rsa"): "SECRET", filepath.Join(work, "data"): "d"})
			p := means.launch(t, append(inVenv(t), "SANDBOX=client", "HOME="+home, "WORK_DIR="+work)...)
			if experimental, _ := p.offered["experimental"].(map[string]any); experimental[policyKey] == nil {
				t.Errorf("the policy is not asked for: %v", p.offered)
			}
			project := policyIn(t, work, "restricted", readsAll, writesProject, writesTmp, readsAgents, readsCodex)
			p.meta = project
			r := p.call("execute_code", args{"code": "kept = 1\nimport os, tempfile, socket, pathlib\nopen('made', 'w').write('x')\ntempfile.mkstemp()"})
			has(t, r, "[ok | ", "[note: sandbox "+means.name+"code can write in "+work, "the network is off", "[files changed meanwhile: made", "not there: "+filepath.Join(work, ".codex"))
			outside := "open('" + filepath.Join(other, "made") + "', 'w')"
			for _, code := range []string{outside, "open(os.path.join('" + p.storage + "', 'x'), 'w')", "open(os.path.expanduser('~/.ssh/id_rsa')).read(1) or 1/0", "socket.create_connection(('127.0.0.1', 9))"} {
				has(t, p.call("execute_code", args{"code": code}), "[error ", "Error")
			}

			// A looser one.
			p.meta = policyIn(t, work, "enabled", readsAll, writesProject, strings.ReplaceAll(`{"path":{"type":"path","path":"OTHER"},"access":"write"}`, "OTHER", other))
			has(t, p.call("execute_code", args{"code": outside}), "[error ", "the client's policy decides what is allowed")
			has(t, p.call("execute_code", args{"code": "kept"}), ": 1")
			// A tighter one.
			p.meta = policyIn(t, work, "restricted", readsAll)
			refused(t, "a tighter policy", p.call("execute_code", args{"code": "open('made2', 'w')"}), "nothing was run", "does not allow writing in "+work, "stop_session")
			refused(t, "looking", p.call("inspect_variables", nil), "does not allow writing in "+work)
			p.meta = project
			has(t, p.call("execute_code", args{"code": "kept += len(input('? '))"}), "waiting for input")
			p.meta = policyIn(t, work, "restricted", readsAll)
			refused(t, "answering", p.call("send_input", args{"text": "too"}), "does not allow writing in "+work)
			p.meta = project
			has(t, p.call("send_input", args{"text": "too"}), "[ok | ")
			has(t, p.call("execute_code", args{"code": "kept, os.path.exists('made2')"}), ": (4, False)")
			has(t, p.call("list_sessions", nil), "[sandbox: client: ", "sandbox="+means.name+"code can write in "+work)
			has(t, p.call("get_environment_config", nil), `"sandbox":"`+means.name+"code can write in "+work)

			// A kernel of its own for the tighter one.
			p.meta = policyIn(t, work, "restricted", readsAll)
			has(t, p.call("stop_session", args{"restart": true}), "restarted")
			has(t, p.call("execute_code", args{"code": "open('data').read()"}), "[note: sandbox "+means.name+"code can write in a private", ": 'd'")
			has(t, p.call("execute_code", args{"code": "open('made3', 'w')"}), "[error ", "the client's policy decides")
			// None at all.
			p.meta = metaOf(t, fullAccess)
			has(t, p.call("execute_code", args{"code": outside + ".close()", "session": "open"}), "[note: sandbox off, by the client's policy: code has the user's rights]", "[ok | ")
			if _, err := os.Stat(filepath.Join(other, "made")); err != nil {
				t.Error(err)
			}
			p.meta = project
			refused(t, "a tighter policy", p.call("execute_code", args{"code": "1", "session": "open"}), "does not allow everything any more")
		})
	}
}

// TestClientPolicyRefused: without a policy that is known whole nothing runs, and the error
// names what is not; no other setting of the sandbox asks for one.
func TestClientPolicyRefused(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	work := t.TempDir()
	p := launch(t, append(inVenv(t), "SANDBOX=client", "WORK_DIR="+work)...)
	has(t, p.call("get_environment_config", nil), "without a policy nothing runs")
	ran := filepath.Join(work, "ran")
	for name, test := range map[string]struct {
		policy string // "" for none
		want   string
	}{
		"none":                    {"", "this call brought none (codex/sandbox-state-meta in _meta)"},
		"null":                    {"null", "this call brought none"},
		"no object":               {`"workspace-write"`, "is no object"},
		"a new field":             {`{"permissionProfile":{"type":"disabled"},"sandboxCwd":"/","fieldOfTomorrow":1}`, "fieldOfTomorrow is not known"},
		"a new kind":              {`{"permissionProfile":{"type":"guarded"},"sandboxCwd":"/"}`, "permissionProfile.type is guarded"},
		"an older shape":          {`{"sandboxPolicy":{"type":"workspace-write"},"sandboxCwd":"/"}`, "permissionProfile is missing"},
		"a pattern":               {`{"permissionProfile":{"type":"managed","network":"restricted","file_system":{"type":"restricted","entries":[{"path":{"type":"glob_pattern","pattern":"**/.env"},"access":"deny"}]}},"sandboxCwd":"/"}`, "permissionProfile.file_system.entries[0].path.type is glob_pattern"},
		"reading in a few places": {`{"permissionProfile":{"type":"managed","network":"restricted","file_system":{"type":"restricted","entries":[{"path":{"type":"special","value":{"kind":"minimal"}},"access":"read"}]}},"sandboxCwd":"/"}`, "do not let code read everywhere"},
		"the home directory":      {strings.ReplaceAll(`{"permissionProfile":{"type":"managed","network":"restricted","file_system":{"type":"restricted","entries":[`+readsAll+`,`+writesProject+`]}},"sandboxCwd":"PATH"}`, "PATH", p.home), "is the home directory or above it"},
	} {
		p.meta = nil
		if test.policy != "" {
			p.meta = metaOf(t, test.policy)
		}
		code := "open('" + ran + "', 'w')"
		refused(t, name, p.call("execute_code", args{"code": code, "filename": "stored.py"}), "nothing was run", test.want)
		if _, err := os.Stat(ran); err == nil {
			t.Fatalf("%s: the code ran", name)
		}
		if name != "the home directory" { // whose project only a kernel's start judges
			refused(t, name, p.call("install_dependencies", args{"packages": []string{"mcetoy"}}), "nothing was run", test.want)
		}
	}
	p = launch(t, append(inVenv(t), "SANDBOX=workspace", "WORK_DIR="+work)...)
	if p.offered["experimental"] != nil {
		t.Errorf("a policy is asked for, and not followed: %v", p.offered)
	}
	p.meta = metaOf(t, fullAccess) // nobody follows it
	has(t, p.call("execute_code", args{"code": "1"}), "[note: sandbox workspace (bubblewrap): ")
}

// TestClientPolicyInstall: a directory that a client's policy has opened to code is not
// trusted by installers either: a uv that code has put there is not run.
func TestClientPolicyInstall(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	home, work := t.TempDir(), t.TempDir()
	bin := filepath.Join(home, "other", "bin")
	write(t, map[string]string{filepath.Join(bin, "x"): ""})
	env, settings := makeEnv(t, "venv-uv")
	p := launch(t, append(append(settings, wheels(t)...), readsKernel(t), "SANDBOX=client", "HOME="+home, "WORK_DIR="+work, "PATH="+bin+":/usr/bin:/bin")...)
	p.meta = policyIn(t, work, "restricted", readsAll, writesProject, strings.ReplaceAll(`{"path":{"type":"path","path":"OTHER"},"access":"write"}`, "OTHER", filepath.Dir(bin)))
	p.run("import pathlib\np = pathlib.Path('" + bin + "/uv'); p.write_text('#!/bin/sh\\necho x > " + env + "/faked\\n'); p.chmod(0o755)")
	p.call("install_dependencies", args{"packages": []string{"mcetoy"}, "wait_seconds": 60})
	if there(filepath.Join(env, "faked")) {
		t.Error("a uv that code has made was run as an installer")
	}
}

// TestClientPolicyDoctor: the doctor has no client, and tries the sandbox with a policy of
// its own.
func TestClientPolicyDoctor(t *testing.T) {
	t.Parallel()
	needsBubblewrap(t)
	found, status := patient{settings: append(inVenv(t), "SANDBOX=client", "WORK_DIR="+t.TempDir())}.examine(t)
	if words := findingsOf(found, "sandbox", "ok"); status != 0 || !strings.Contains(words, "nothing runs without the client's policy") || !strings.Contains(words, "by the client's policy (bubblewrap)") {
		t.Errorf("status %d: %s", status, words)
	}
}
