//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// basePath is a PATH with a Python that an environment can be made with: the
// system's where it has one.
func basePath(t testing.TB) string {
	const system = "/usr/bin:/bin"
	if exec.Command("/usr/bin/python3", "-c", "import ensurepip, sys; assert (3, 10) <= sys.version_info < (3, 15)").Run() == nil {
		return system
	}
	return system + ":" + filepath.Dir(base(t))
}

// firstCall lets a client nobody here wrote, with its default limit of 60 s,
// make the first call in a home.
func firstCall(t *testing.T, settings ...string) {
	t.Helper()
	modules := required(t, "MCE_TEST_NODE", "directory with the TypeScript clients")
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	scripts := t.TempDir()
	execute(t, "cp", "../../testdata/clients/conversation.mjs", "../../testdata/clients/ts-fresh.mjs", scripts)
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(scripts, "node_modules")); err != nil {
		t.Fatal(err)
	}
	client := exec.Command(node, filepath.Join(scripts, "ts-fresh.mjs"), filepath.Join(t.TempDir(), "proof"), exe)
	client.Env = append([]string{"MCE_TEST_SERVER=1", "PATH=" + basePath(t)}, append(network(), settings...)...)
	out, err := client.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// TestNothingConfigured: a fresh home and nothing but HOME and PATH. Afterwards no
// start installs anything.
func TestNothingConfigured(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	firstCall(t, "HOME="+home)
	settings, calls := loggedUV(t, "0")
	made := sitePackages(t, managedEnv(t, home))
	p := launch(t, append(settings, "HOME="+home)...)
	p.run("import numpy")
	if after := sitePackages(t, managedEnv(t, home)); calls("begin pip") > 0 || calls("begin venv") > 0 || !slices.Equal(made, after) {
		t.Errorf("the second start installs: before %v, after %v", made, after)
	}
	managedRemoved(t, home, p)
}

// TestMatrixNothingConfigured: that takes longer than a call may last; a package that was
// deleted is put back; and the base Python is gone later.
func TestMatrixNothingConfigured(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	home := t.TempDir()
	settings, _ := loggedUV(t, "46")
	firstCall(t, append(settings, "HOME="+home)...)
	deleted := managedRepaired(t, home, "numpy deleted")
	deleted.stdin.Close()
	deleted.wait(10 * time.Second)
	managedRemoved(t, home, managedRepaired(t, home, "base Python gone"))
}

// managedEnv is the one managed environment in a home.
func managedEnv(t *testing.T, home string) string {
	t.Helper()
	envs, err := filepath.Glob(filepath.Join(home, ".local", "share", "mcp-code-executor", "envs", "default-py3*"))
	if err != nil || len(envs) != 1 {
		t.Fatalf("managed environments: %v, %v", envs, err)
	}
	return envs[0]
}

// managedRepaired deletes a package of the managed environment in home, or its base
// Python: the next call, of the program that is returned, repairs that.
func managedRepaired(t *testing.T, home, what string) *program {
	t.Helper()
	dir := managedEnv(t, home)
	if what == "numpy deleted" {
		for _, path := range sitePackages(t, dir) {
			if filepath.Base(path) == "numpy" {
				execute(t, "rm", "-r", path)
			}
		}
	} else {
		for _, name := range []string{"python", "python3"} {
			execute(t, "ln", "-sfn", "/gone/python3", filepath.Join(dir, "bin", name))
		}
	}
	p := launchRaced(t, append(network(), "HOME="+home, "PATH="+basePath(t))...)
	r := p.call("execute_code", args{"code": "import numpy, sys; print(numpy.arange(3).sum(), sys.prefix)", "wait_seconds": 110})
	if !strings.HasPrefix(r.text(), "[ok") || lastLine(r.rest()) != "3 "+dir {
		t.Errorf("%s: %s", what, r.text())
	}
	return p
}

// managedRemoved removes the managed environment in home: not while p uses it.
func managedRemoved(t *testing.T, home string, p *program) {
	t.Helper()
	dir := managedEnv(t, home)
	remove := func(status int, parts ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		got := run(t.Context(), []string{"environment", "remove"}, func(name string) string { return map[string]string{"HOME": home}[name] }, nil, &out, &errs)
		for _, part := range append(parts, dir, "numpy") {
			if !strings.Contains(out.String(), part) || got != status {
				t.Errorf("environment remove: status %d, %q is missing in:\n%s%s", got, part, out.String(), errs.String())
			}
		}
	}
	remove(1, "in use", "not removed")
	p.stdin.Close()
	p.wait(10 * time.Second)
	remove(0, "removed", "freed")
	if _, err := os.Stat(dir); err == nil {
		t.Error("the managed environment was not removed")
	}
}

// TestFreed: removing an environment frees what no other file has; what uv's cache has
// as well, by hard links, is named with the command that frees it.
func TestFreed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		linked int // bytes that the cache has too
		want   []string
	}{
		"some in uv's cache": {2_000_000, []string{"managed environment (3.5 MB, 2.0 MB of it shared with uv's cache", "\nfreed 1.5 MB\n2.0 MB more are in uv's cache as well: `uv cache clean` frees them, or deleting /"}},
		"none":               {0, []string{"managed environment (1.5 MB)", "\nfreed 1.5 MB\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			dir := filepath.Join(home, ".local", "share", "mcp-code-executor", "envs", "default-py311")
			write(t, map[string]string{filepath.Join(dir, ".mce-ready.json"): "{}", filepath.Join(dir, "own.so"): strings.Repeat("x", 1_500_000)})
			if c.linked > 0 {
				cached := filepath.Join(home, "cached.so")
				write(t, map[string]string{cached: strings.Repeat("x", c.linked)})
				if err := os.Link(cached, filepath.Join(dir, "cached.so")); err != nil {
					t.Fatal(err)
				}
			}
			var out, errs bytes.Buffer
			status := run(t.Context(), []string{"environment", "remove"}, func(name string) string { return map[string]string{"HOME": home}[name] }, nil, &out, &errs)
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) || status != 0 {
					t.Errorf("status %d, %q is missing in\n%s%s", status, want, out.String(), errs.String())
				}
			}
			said := out.String()
			out.Reset()
			if run(t.Context(), []string{"environment"}, func(name string) string { return map[string]string{"HOME": home}[name] }, nil, &out, &errs); !strings.HasPrefix(out.String(), "nothing that this program has made is in "+home) {
				t.Errorf("afterwards: %s", out.String())
			}
			if c.linked == 0 && strings.Contains(said, "cache") {
				t.Errorf("%s", said)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("it was not removed")
			}
		})
	}
}

// lastLine is what the code printed, below notes of ours.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// loggedUV is uv, some seconds slower when it makes an environment, that notes
// what it begins ("begin pip") and what it has done ("done pip").
func loggedUV(t testing.TB, seconds string) (settings []string, calls func(line string) int) {
	t.Helper()
	log, uv := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "uv")
	write(t, map[string]string{uv: fmt.Sprintf("#!/bin/sh\necho begin $1 >>%[1]s\n[ $1 != venv ] || sleep %[3]s\n%[2]s \"$@\" && echo done $1 >>%[1]s\n", log, testUV(t), seconds)})
	if err := os.Chmod(uv, 0o755); err != nil {
		t.Fatal(err)
	}
	settings = append(network(), "UV="+uv, "UV_CACHE_DIR="+execute(t, testUV(t), "cache", "dir"), "PATH="+basePath(t))
	return settings, func(line string) int {
		b, _ := os.ReadFile(log)
		return strings.Count(string(b), line+"\n")
	}
}

// TestMatrixMadeOnce: three servers that start together make one environment, and the
// code each was given runs once, though no call waited for it.
func TestMatrixMadeOnce(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	settings, calls := loggedUV(t, "6")
	home := "HOME=" + t.TempDir()
	proof := filepath.Join(t.TempDir(), "proof")
	code := fmt.Sprintf("import sys, numpy\nwith open(%q, 'a') as f: f.write('ran\\n')\nprint(sys.prefix)", proof)
	var servers []*program
	var answers []chan reply
	for range 3 {
		p := launchRaced(t, append(settings, home)...)
		_, answer := p.begin("execute_code", args{"code": code, "wait_seconds": 2})
		servers, answers = append(servers, p), append(answers, answer)
	}
	ids := make([]string, len(servers))
	for i, answer := range answers {
		r := servers[i].await(answer, "the first call").Result
		if r.IsError || !strings.HasPrefix(r.text(), "[preparing | ") || !strings.Contains(r.text(), "default Python environment") || !strings.Contains(r.text(), "do not send the code again") {
			t.Fatalf("server %d: %s", i, r.text())
		}
		ids[i] = r.field("id")
	}
	if r := servers[0].call("get_environment_config", nil); r.IsError || !strings.Contains(r.text(), "not made yet") {
		t.Errorf("while it is made: %s", r.text())
	}
	prefixes := map[string]bool{}
	for i, id := range ids {
		r := servers[i].call("get_execution", args{"id": id, "wait_seconds": 110})
		if r.IsError || !strings.HasPrefix(r.text(), "[ok | ") {
			t.Fatalf("server %d: %s", i, r.text())
		}
		prefixes[lastLine(r.rest())] = true
	}
	if len(prefixes) != 1 || calls("done venv") != 1 || calls("done pip") != 1 {
		t.Errorf("%d environments, made %d times, filled %d times", len(prefixes), calls("done venv"), calls("done pip"))
	}
	if b, err := os.ReadFile(proof); err != nil || string(b) != "ran\nran\nran\n" {
		t.Errorf("ran: %q, %v", b, err)
	}
}

// TestMatrixMakingInterrupted: a server that is killed while it makes the environment
// leaves no process behind, and the next one makes it anew. In make test the tests of
// session/pyenv/provision interrupt it.
func TestMatrixMakingInterrupted(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	settings, calls := loggedUV(t, "0")
	settings = append(settings, "HOME="+t.TempDir())
	value := strconv.Itoa(os.Getpid()) + "-" + t.Name()
	p := launchRaced(t, append(settings, mark+value)...)
	p.begin("execute_code", args{"code": "1"})
	for begun := time.Now(); calls("begin pip") == 0; time.Sleep(time.Millisecond) { // polling a file, not ordering
		if time.Since(begun) > time.Minute {
			t.Fatal("nothing is installed after a minute")
		}
	}
	p.cmd.Process.Kill()
	nothingLeft(t, value)
	p.wait(time.Second)
	p = launchRaced(t, settings...)
	o := p.done("get_environment_config", nil)
	if e := o["environment"].(map[string]any); e["works"] != false {
		t.Errorf("half made, and works: %v", e)
	}
	r := p.call("execute_code", args{"code": "import numpy, pandas, matplotlib; print('ran')", "wait_seconds": 110})
	if !strings.HasPrefix(r.text(), "[ok | ") || !strings.Contains(r.text(), "\nran") {
		t.Errorf("%s", r.text())
	}
	if n := calls("begin venv"); n != 2 {
		t.Errorf("made %d times", n)
	}
}
