package session

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
)

// ErrClosed says that the server is ending.
var ErrClosed = errors.New("the server is ending")

// UnknownSessionError says that there is no such session.
type UnknownSessionError struct {
	Name  string
	Known []string
}

func (e *UnknownSessionError) Error() string {
	return fmt.Sprintf("there is no session %q", e.Name)
}

// UnknownExecutionError says that there is no such execution.
type UnknownExecutionError struct {
	ID     string
	Latest string // the newest known id, "" if there is none
	// Elsewhere says that the id is of another server, an earlier one as a rule.
	Elsewhere bool
}

func (e *UnknownExecutionError) Error() string {
	return fmt.Sprintf("there is no execution %q", e.ID)
}

// NotReadyError says that an environment is still being prepared when nobody waits for it
// any more. It goes on by itself, and whoever asks again waits for the same.
type NotReadyError struct {
	Step   string        // what is done, and with which environment
	Detail string        // the newest of what the programs at work say, may be Step
	For    time.Duration // since it began
	Err    error         // why the waiting ended
}

func (e *NotReadyError) Error() string { return "not ready yet: " + e.Step }
func (e *NotReadyError) Unwrap() error { return e.Err }

// NameError says that a session cannot have this name.
type NameError struct{ Name, Reason string }

func (e *NameError) Error() string { return fmt.Sprintf("session name %q: %s", e.Name, e.Reason) }

// TooManySessionsError says that no further session can be opened.
type TooManySessionsError struct {
	Limit int
	Idle  []string
}

func (e *TooManySessionsError) Error() string {
	return fmt.Sprintf("there are %d sessions already", e.Limit)
}

// GenerationError says that the kernel the code counts on is not the session's.
type GenerationError struct {
	Session          string
	Expected, Actual int
	Alive            bool // the session has a kernel, of Actual
}

func (e *GenerationError) Error() string {
	return fmt.Sprintf("session %q is at generation %d, not %d", e.Session, e.Actual, e.Expected)
}

// RestartsError says that the session's kernels die one after the other.
type RestartsError struct {
	Session string
	Deaths  int
}

func (e *RestartsError) Error() string {
	return fmt.Sprintf("the kernel of session %q died %d times without a finished run", e.Session, e.Deaths)
}

// SettingError is a setting with which no kernel is started: the wrong value of one
// that bounds what code may do must not mean that nothing bounds it.
type SettingError struct {
	Name, Value string
	Reason      string // completes "NAME=VALUE …"
	Fix         string // what to set
}

func (e *SettingError) Error() string { return fmt.Sprintf("%s=%q %s", e.Name, e.Value, e.Reason) }

// QueueFullError says that a session's queue is full.
type QueueFullError struct {
	Session string
	Limit   int
	Running string // id of what runs
	Line    string // first line of its code
	Since   time.Duration
}

func (e *QueueFullError) Error() string {
	return fmt.Sprintf("session %q is busy: %d calls wait already", e.Session, e.Limit)
}

// StartError says why a kernel did not start.
type StartError = kernel.StartError

// PolicyKey is the field of a call's _meta in which a client says what it allows.
const PolicyKey = sandbox.PolicyKey

// SandboxError says why nothing was started in the sandbox that is set.
type SandboxError = confine.Refused

// TighterError says that a client allows less than when the session's kernel was started,
// and that code was not given to it therefore.
type TighterError struct{ Session, What string }

func (e *TighterError) Error() string {
	return fmt.Sprintf("the client's policy does not allow %s any more, and the kernel of session %q was started when it did", e.What, e.Session)
}

// StartVariablesError is a kernel that did not start while variables are set that
// change how Python starts: the cause may lie in them.
type StartVariablesError struct {
	Variables []string // NAME=VALUE
	Err       error
}

func (e *StartVariablesError) Error() string { return e.Err.Error() }

// Named are those whose value the kernel's last words mention: the cause is there.
func (e *StartVariablesError) Named() (named []string) {
	start, ok := errors.AsType[*StartError](e.Err)
	if !ok || start.Exit == nil {
		return nil
	}
	for _, variable := range e.Variables {
		if _, value, _ := strings.Cut(variable, "="); len(value) > 3 && strings.Contains(string(start.Exit.Tail), value) {
			named = append(named, variable)
		}
	}
	return named
}

// Unwrap gives what happened.
func (e *StartVariablesError) Unwrap() error { return e.Err }

// CommandError is the failed start of a kernel by the command of its kernelspec.
type CommandError struct {
	Command []string
	Err     error
}

func (e *CommandError) Error() string { return e.Err.Error() }
func (e *CommandError) Unwrap() error { return e.Err }

// LanguageError refuses what is Python's own in a session whose kernel speaks another
// language.
type LanguageError struct{ Session, Language string }

func (e *LanguageError) Error() string {
	return fmt.Sprintf("this is for Python, and the kernel of session %q is one for %s: use execute_code with code in that language", e.Session, e.Language)
}
