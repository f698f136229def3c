package guard

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// newSeatbelt is a plan whose sandbox-exec only writes its arguments to a file, and runs
// what it is given: macOS's own is not here.
func newSeatbelt(t *testing.T) (plan *confine.Plan, log string) {
	t.Helper()
	dir := t.TempDir()
	program, log := filepath.Join(dir, "sandbox-exec"), filepath.Join(dir, "log")
	text := `#!/bin/sh
while :; do case $1 in
-D) printf '%s\n' "$2" >> ` + log + `; shift 2;;
-p) printf '%s\n' profile >> ` + log + `; shift 2;;
*) break;;
esac; done
exec "$@"
`
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return &confine.Plan{Program: program, Seatbelt: true, Write: []string{dir}, Private: t.TempDir(), Moved: []string{"TMPDIR"}, Temporary: []string{"/tmp"}}, log
}

// TestSeatbeltKernel: the guard, which is outside, tries macOS's sandbox and starts the kernel
// in it; how that ends, and signals, are its own.
func TestSeatbeltKernel(t *testing.T) {
	for script, want := range map[string]string{
		"exit 3":          "exit code 3",
		"kill -SEGV $$":   "signal 11 (SIGSEGV)",
		"sleep 99 & true": "exit code 0",
		"test $GREETING = hello && test -z \"$MCE_GUARD\" && test $TMPDIR = $PRIVATE/below": "exit code 0",
	} {
		plan, log := newSeatbelt(t)
		env := append(os.Environ(), "GREETING=hello", "TMPDIR=/tmp/below", "PRIVATE="+plan.Private)
		p, err := Start(t.Context(), Spec{Argv: sh(script), Dir: plan.Write[0], Env: env, Plan: plan}, newTestReaper(t))
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		<-p.Done()
		if e := p.Exit(); e.String() != want {
			t.Errorf("%s: %v, want %s", script, e, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		said, _ := os.ReadFile(log)
		if strings.Count(string(said), "profile\n") != 2 || !strings.Contains(string(said), plan.Write[0]+"\n") {
			t.Errorf("tried and started with: %s", said)
		}
	}
}

// TestSeatbeltRefuses: where the sandbox does not stop what it should, or cannot be made,
// nothing is started.
func TestSeatbeltRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		set  func(*confine.Plan)
		want string
	}{
		"open":    {func(p *confine.Plan) { p.Check.Write = []string{dir} }, "the sandbox does not stop writing in " + dir},
		"missing": {func(p *confine.Plan) { p.Program = filepath.Join(dir, "none") }, "no such file"},
	} {
		plan, _ := newSeatbelt(t)
		test.set(plan)
		ran := filepath.Join(dir, "ran")
		_, err := Start(t.Context(), Spec{Argv: sh("echo > " + ran), Dir: "/", Env: os.Environ(), Plan: plan}, newTestReaper(t))
		if refused, _ := errors.AsType[*confine.Refused](err); refused == nil || !strings.Contains(refused.Reason, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(ran); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
}
