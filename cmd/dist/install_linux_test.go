package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

func TestMain(m *testing.M) { os.Exit(testneeds.Run(m)) }

// here is the platform the tests run on.
var here = target{runtime.GOOS, runtime.GOARCH}

// packedHere packs the program that make test has built, for this platform, with
// files that are none for the others, into out.
func packedHere(t *testing.T, out string) string {
	t.Helper()
	r, binaries := sample(t, out)
	binaries[here] = testneeds.Variable(t, "MCE_TEST_PROGRAM", "a built program")
	if err := r.pack(binaries, map[string][]byte{}); err != nil {
		t.Fatal(err)
	}
	return out
}

// only is the one file that matches a pattern.
func only(t *testing.T, pattern ...string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q: %q, %v", pattern, found, err)
	}
	return found[0]
}

// bare is an environment without Go, with an empty home and a Python to run code in.
func bare(t *testing.T, more ...string) []string {
	t.Helper()
	python := testneeds.List(t, "MCE_TEST_PYTHONS", "Pythons with ipykernel")[0]
	return append([]string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "VENV_PATH=" + filepath.Dir(filepath.Dir(python))}, more...)
}

// server is a running server, asked over its stdin and stdout.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	next   int
}

// begin starts a server and shakes hands.
func begin(t *testing.T, env []string, argv ...string) *server {
	t.Helper()
	s := &server{t: t, cmd: exec.Command(argv[0], argv[1:]...)}
	s.cmd.Env, s.cmd.Stderr, s.cmd.Dir = env, os.Stderr, t.TempDir()
	var err error
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdout = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stdin.Close()
		hung := time.AfterFunc(30*time.Second, func() { s.cmd.Process.Kill() })
		defer hung.Stop()
		_ = s.cmd.Wait() // some tests kill it
	})
	s.ask("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "dist", "version": "1"}})
	fmt.Fprintln(s.stdin, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return s
}

// ask sends a request and returns the result as text.
func (s *server) ask(method string, params any) string {
	s.t.Helper()
	s.next++
	line, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": s.next, "method": method, "params": params})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.stdin.Write(append(line, '\n')); err != nil {
		s.t.Fatal(err)
	}
	for {
		line, err := s.stdout.ReadBytes('\n')
		if err != nil {
			s.t.Fatalf("%s: %v after %q", method, err, line)
		}
		var answer struct {
			ID     int
			Result struct{ Content []struct{ Text string } }
			Error  json.RawMessage
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			s.t.Fatalf("not JSON: %s", line)
		}
		if answer.ID != s.next {
			continue
		}
		if answer.Error != nil {
			s.t.Fatalf("%s: %s", method, answer.Error)
		}
		var text strings.Builder
		for _, c := range answer.Result.Content {
			text.WriteString(c.Text)
		}
		return text.String()
	}
}

func (s *server) run(code string) string {
	s.t.Helper()
	return s.ask("tools/call", map[string]any{"name": "execute_code", "arguments": map[string]any{"code": code}})
}

// converse holds a conversation that needs a state.
func converse(t *testing.T, env []string, argv ...string) {
	t.Helper()
	s := begin(t, env, argv...)
	s.run("x = 41")
	if answer := s.run("x + 1"); !strings.Contains(answer, "Out[2]: 42") {
		t.Errorf("%q: %s", argv, answer)
	}
}

// unpack writes files out, as tar, npm or a client does.
func unpack(t *testing.T, files map[string]file, dir string) {
	t.Helper()
	for name, f := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.content, os.FileMode(f.mode())); err != nil {
			t.Fatal(err)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// installed is the npm package as npm installs it, with that of this platform. It
// returns the launcher.
func installed(t *testing.T, out string) string {
	t.Helper()
	modules := filepath.Join(t.TempDir(), "node_modules")
	platform := npmNames[here.os] + "-" + npmNames[here.arch]
	for tarball, name := range map[string]string{
		only(t, out, "npm", program+"-1.*.tgz"):              program,
		only(t, out, "npm", program+"-"+platform+"-1.*.tgz"): npmScope + "/" + platform,
	} {
		unpacked := t.TempDir()
		unpack(t, untar(t, readFile(t, tarball)), unpacked)
		dir := filepath.Join(modules, name)
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(unpacked, "package"), dir); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(modules, program, "bin", program+".js")
}

// TestInstalled: what a person installs answers, from the packages alone: by uvx,
// by the npm package's launcher, from the archive and from the MCPB bundle.
func TestInstalled(t *testing.T) {
	t.Parallel()
	out := packedHere(t, t.TempDir())
	t.Run("uvx", func(t *testing.T) {
		t.Parallel()
		uv := testneeds.Variable(t, "MCE_TEST_UV", "uv")
		env := bare(t, "UV_OFFLINE=1", "UV_PYTHON="+testneeds.List(t, "MCE_TEST_PYTHONS", "Pythons with ipykernel")[0])
		converse(t, env, uv, "tool", "run", "--from", only(t, out, "pypi", "*"+wheelTags[here][0]+"*.whl"), program)
	})
	t.Run("npm", func(t *testing.T) {
		t.Parallel()
		converse(t, bare(t), node(t), installed(t, out))
	})
	t.Run("npm, killed", func(t *testing.T) {
		t.Parallel()
		testLauncherKilled(t, installed(t, out))
	})
	t.Run("npm, ended", func(t *testing.T) {
		t.Parallel()
		testLauncher(t, installed(t, out))
	})
	t.Run("archive", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		unpack(t, untar(t, readFile(t, only(t, out, "release", "*_"+here.os+"_"+here.arch+".tar.gz"))), dir)
		converse(t, bare(t), filepath.Join(dir, program))
	})
	t.Run("MCPB", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		content, modes := unzip(t, readFile(t, only(t, out, "release", "*_"+here.os+"_"+here.arch+".mcpb")))
		files := map[string]file{}
		for name, b := range content {
			files[name] = file{name, b, modes[name]&0o111 != 0}
		}
		unpack(t, files, dir)
		converseBundle(t, dir)
	})
}

func node(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("Node 20 or newer is needed for the npm package: %v", err)
	}
	return path
}

// converseBundle starts the server of an unpacked bundle as its manifest says, once
// with nothing and once with everything filled in.
func converseBundle(t *testing.T, dir string) {
	t.Helper()
	var manifest struct {
		Server struct {
			Config struct {
				Command string
				Args    []string
				Env     map[string]string
			} `json:"mcp_config"`
		}
		UserConfig map[string]struct{ Default *string } `json:"user_config"`
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(dir, "manifest.json")), &manifest); err != nil {
		t.Fatal(err)
	}
	config := manifest.Server.Config
	fill := func(text string, values map[string]string) string {
		text = strings.ReplaceAll(text, "${__dirname}", dir)
		for name, field := range manifest.UserConfig {
			value := *field.Default
			if chosen := values[name]; chosen != "" {
				value = chosen
			}
			text = strings.ReplaceAll(text, "${user_config."+name+"}", value)
		}
		return text
	}
	storage := t.TempDir()
	venv := strings.TrimPrefix(bare(t)[2], "VENV_PATH=")
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir()}
	for name, value := range config.Env {
		env = append(env, name+"="+fill(value, map[string]string{"environment": venv, "storage": storage}))
	}
	s := begin(t, env, append([]string{fill(config.Command, nil)}, config.Args...)...)
	if answer := s.run("import os, sys; print(sys.prefix, os.getcwd())"); !strings.Contains(answer, venv+" "+storage) {
		t.Errorf("what the person chose is not in force: %s", answer)
	}
	empty := bare(t)[:2]
	for name, value := range config.Env {
		empty = append(empty, name+"="+fill(value, nil))
	}
	if answer := begin(t, empty, fill(config.Command, nil)).ask("tools/call", map[string]any{"name": "get_environment_config", "arguments": map[string]any{}}); !strings.Contains(answer, "managed") || strings.Contains(answer, "wrong setting") {
		t.Errorf("with nothing chosen: %s", answer)
	}
}
