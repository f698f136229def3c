package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// clientPatience bounds one conversation: a kernel's start on a busy machine,
// and in the longest a run of 10 s.
const clientPatience = 2 * time.Minute

// required returns what make test has put into an environment variable.
func required(t testing.TB, name, what string) string {
	t.Helper()
	return testneeds.Variable(t, name, "a "+what)
}

// TestForeignClients: MCP clients that nobody here wrote, of both protocol eras,
// hold a conversation of three calls that share state; and one that gives up
// after 3 s finds the run of 10 s whole in the session's next answers. Those that add
// neither an SDK nor an era are in the matrices.
func TestForeignClients(t *testing.T) {
	t.Parallel()
	split(t, foreignClients(t), foreignLeft, false, converse)
}

func TestMatrixForeignClients(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	split(t, foreignClients(t), foreignLeft, true, converse)
}

var foreignLeft = []string{"python auto", "typescript v1", "typescript v2 legacy"}

// foreignClients are their commands, without the server's.
func foreignClients(t *testing.T) map[string][]string {
	t.Helper()
	python := required(t, "MCE_TEST_CLIENT", "Python with the mcp package")
	scripts := nodeScripts(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("Node 20 or newer is needed for the TypeScript clients: %v", err)
	}
	py := filepath.Join(sources(t), "py.py")
	return map[string][]string{
		"python legacy":           {python, py, "legacy"},
		"python auto":             {python, py, "auto"},
		"typescript v1":           {node, filepath.Join(scripts, "ts-v1.mjs")},
		"typescript v2 legacy":    {node, filepath.Join(scripts, "ts-v2.mjs"), "legacy"},
		"typescript v2 auto":      {node, filepath.Join(scripts, "ts-v2.mjs"), "auto"},
		"typescript limit of 3 s": {node, filepath.Join(scripts, "ts-timeout.mjs")},
	}
}

// sources is where the clients' scripts lie.
func sources(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../testdata/clients")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// nodeScripts returns a directory with the TypeScript clients' scripts beside
// the packages they import: Node looks for packages where a script lies.
func nodeScripts(t *testing.T) string {
	t.Helper()
	packages := filepath.Join(required(t, "MCE_TEST_NODE", "directory with the TypeScript clients"), "node_modules")
	if _, err := os.Stat(packages); err != nil {
		t.Fatalf("MCE_TEST_NODE: %v: run `make test`, which makes it", err)
	}
	scripts, err := filepath.Glob(filepath.Join(sources(t), "*.mjs"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in %s: %v", sources(t), err)
	}
	dir := t.TempDir()
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(script)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// converse runs a client, which starts this binary as its server, and shows
// what it said when it ends with another status than 0.
func converse(t *testing.T, _ string, command []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], exe)...)
	cmd.Env = append([]string{
		"MCE_TEST_SERVER=1",
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + t.TempDir(),
		"CODE_STORAGE_DIR=" + filepath.Join(t.TempDir(), "code"),
	}, inVenv(t)...)
	cmd.WaitDelay = 10 * time.Second // for the server's end, which holds stderr too
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v after %.1f s: %v\n%s", command, time.Since(begun).Seconds(), err, out)
	}
}
