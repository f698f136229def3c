package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// node runs a TypeScript client, which starts this binary as its server with
// that home, and returns what both of them wrote.
func node(t *testing.T, home string, settings []string, script string, arguments ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("Node 20 or newer is needed for the TypeScript clients: %v", err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append(append([]string{filepath.Join(nodeScripts(t), script)}, arguments...), exe)...)
	cmd.Env = append([]string{
		"MCE_TEST_SERVER=1",
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"CODE_STORAGE_DIR=" + filepath.Join(home, "code"),
	}, settings...)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%.20000s", script, arguments, err, out)
	}
	return out
}

// TestInput: input() is answered by TypeScript clients that can show a form and
// by those that cannot, in both eras; and a password given by send_input is found
// nowhere afterwards: in no answer, no log, no record, no file.
func TestInput(t *testing.T) {
	t.Parallel()
	split(t, inputClients, inputLeft, false, answersInput)
}

func TestMatrixInput(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	split(t, inputClients, inputLeft, true, answersInput)
}

// inputClients are the eras and kinds of the TypeScript clients.
var (
	inputClients = map[string][2]string{
		"v1 form": {"v1", "form"}, "legacy form": {"legacy", "form"}, "auto form": {"auto", "form"},
		"v1 none": {"v1", "none"}, "legacy none": {"legacy", "none"}, "auto none": {"auto", "none"},
	}
	inputLeft = []string{"legacy form", "auto form", "v1 none", "auto none"}
)

func answersInput(t *testing.T, _ string, client [2]string) {
	const secret = "correct-horse-battery-staple-7319"
	home := t.TempDir()
	out := node(t, home, append(inVenv(t), "LOG_LEVEL=debug"), "ts-elicit.mjs", client[0], client[1], secret)
	if bytes.Contains(out, []byte(secret)) {
		t.Errorf("the log holds the password")
	}
	if !bytes.Contains(out, []byte("level=DEBUG")) && !bytes.Contains(out, []byte("DEBUG")) {
		t.Errorf("nothing was logged at debug level, so the log proves nothing:\n%.2000s", out)
	}
	var read int
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		read++
		if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s holds the password, or cannot be read: %v", path, err)
		}
		return nil
	})
	if err != nil || read == 0 {
		t.Errorf("%d files looked at: %v", read, err)
	}
}

// TestKernelsInputKinds: every way code asks for a line is told as such and answered.
func TestKernelsInputKinds(t *testing.T) {
	t.Parallel()
	eachKernel(t, func(t *testing.T, p *program) {
		r := p.call("execute_code", args{"code": "print('a'); x = input('first? '); y = input(); print(x + '|' + y)"})
		if !strings.HasPrefix(r.text(), "[waiting for input | ") || !strings.Contains(r.text(), `waiting for input: "first? "`) || !strings.HasSuffix(r.text(), "\na") {
			t.Fatalf("%s", r.text())
		}
		if list := p.call("list_sessions", nil).text(); !strings.Contains(list, "default | waiting for input | ") {
			t.Errorf("list_sessions: %s", list)
		}
		if r := p.call("get_execution", nil); !strings.HasPrefix(r.text(), "[waiting for input | ") { // at once, not after 45 s
			t.Errorf("%s", r.text())
		}
		// Unicode, and what looks like other input.
		if r := p.call("send_input", args{"text": " ünï 😀 \x1b[31m"}); !strings.HasPrefix(r.text(), "[waiting for input | ") {
			t.Fatalf("%s", r.text())
		}
		if r := p.call("send_input", args{"text": ""}); !strings.HasPrefix(r.text(), "[ok | ") || !strings.Contains(r.text(), " ünï 😀 ") {
			t.Fatalf("%s", r.text())
		}
		if siteOf(t) == nil { // elsewhere ipykernel's debugger is asked first
			inputOfBreakpoint(t, p)
		}
		r = p.call("execute_code", args{"code": "1/0"})
		if r.field("id") == "" {
			t.Fatal(r.text())
		}
		r = p.call("execute_code", args{"code": "%debug"})
		if !strings.HasPrefix(r.text(), "[waiting for input | ") {
			t.Errorf("%%debug: %s", r.text())
		}
		if r := p.call("send_input", args{"text": "q"}); !strings.HasPrefix(r.text(), "[ok | ") {
			t.Errorf("q: %s", r.text())
			p.call("interrupt_execution", args{"force": true})
		}
	})
}

func inputOfBreakpoint(t *testing.T, p *program) {
	t.Helper()
	r := p.call("execute_code", args{"code": "z = 5\nbreakpoint()\nprint('z is', z)"})
	if !strings.HasPrefix(r.text(), "[waiting for input | ") || !strings.Contains(r.text(), "ipdb> ") && !strings.Contains(r.text(), "(Pdb)") {
		t.Fatalf("breakpoint(): %s", r.text())
	}
	if r := p.call("send_input", args{"text": "p z * 2"}); !strings.Contains(r.text(), "10") {
		t.Errorf("p z * 2: %s", r.text())
	}
	if r := p.call("send_input", args{"text": "c"}); !strings.HasPrefix(r.text(), "[ok | ") || !strings.Contains(r.text(), "z is 5") {
		t.Errorf("c: %s", r.text())
		p.call("interrupt_execution", args{"force": true})
	}
}

// TestProgress: reports reach TypeScript clients in every run.
func TestProgress(t *testing.T) {
	t.Parallel()
	progressReaches(t, "v1", "auto")
}

func TestMatrixProgress(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	progressReaches(t, "legacy")
}

func progressReaches(t *testing.T, eras ...string) {
	runs, length := "2", "3.3"
	if os.Getenv("MCE_TEST_REPEATS") != "" {
		runs = os.Getenv("MCE_TEST_REPEATS")
	}
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			out := node(t, t.TempDir(), inVenv(t), "ts-progress.mjs", era, runs, length)
			t.Logf("%s", out)
		})
	}
}
