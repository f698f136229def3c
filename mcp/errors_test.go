package mcp

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session"
)

// TestStartVariables: a kernel that did not start names the variable that its last
// words are about, and otherwise those that may be the cause.
func TestStartVariables(t *testing.T) {
	failed := func(tail string, variables ...string) error {
		exit := &session.Exit{}
		exit.Tail = []byte(tail)
		return &session.StartVariablesError{Variables: variables, Err: &session.StartError{Phase: "starting", Exit: exit, Err: errors.New("ended")}}
	}
	const check = "python -m ipykernel_launcher --version"
	for _, c := range []struct {
		err        error
		want, miss string
	}{
		{failed("mce-launch: start failed: FileNotFoundError: No such file: '/proc/x'", "IPYTHONDIR=/proc/x"), "The cause is IPYTHONDIR=/proc/x: correct it or take it out", check},
		{failed("cannot open '/y/conf'", "PYTHONPATH=/p", "JUPYTER_CONFIG_DIR=/y/conf"), "The cause is JUPYTER_CONFIG_DIR=/y/conf: ", "PYTHONPATH"},
		{failed("Killed", "PYTHONPATH=/p"), "try without them first: PYTHONPATH=/p", "The cause is"},
		{failed("line 1 of 1", "PYTHONUTF8=1"), "try without them first: PYTHONUTF8=1", "The cause is"}, // 1 is in many words
		{&session.StartError{Phase: "starting", Err: errors.New("silence")}, check, "variables"},
	} {
		if got := explain(c.err); !strings.Contains(got, c.want) || strings.Contains(got, c.miss) || !strings.Contains(got, "The code was not run") {
			t.Errorf("%q is missing, or %q is not, in\n%s", c.want, c.miss, got)
		}
	}
}

// TestNotReadyYet: an environment that takes long is told with the step in hand, where, for how
// long, and what to do; nothing else is called the environment.
func TestNotReadyYet(t *testing.T) {
	const step = "installing ipykernel for /home/you/.venv"
	for _, c := range []struct{ detail, want string }{
		{step, "not ready yet: " + step + ", for 45.0 s so far. It goes on by itself: call again in a minute"},
		{"Collecting pyzmq", "not ready yet: " + step + ", for 45.0 s so far (now: Collecting pyzmq). It goes on by itself: call again in a minute"},
	} {
		err := &session.NotReadyError{Step: step, Detail: c.detail, For: 45 * time.Second, Err: errEnvironmentNotReady}
		if got := explain(err); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
