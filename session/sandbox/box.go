package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// Box is the sandbox of one server's programs: what a person has set, and where. A nil
// one is none. It is safe for concurrent use.
type Box struct {
	Rules Rules
	Place Place // without working directory, storage and environment

	broken atomic.Pointer[confine.Refused] // why bubblewrap does not work; nil while it may
}

// Confined is what is to be started in a sandbox.
type Confined struct {
	Plan *confine.Plan
	Env  []string
	Left int // how many variables code does not get

	place Place
}

// Kernel is the sandbox of a kernel whose variables were to be env. pythons are the
// directories of its environment.
func (b *Box) Kernel(workDir, storage string, env, pythons []string) (Confined, error) {
	if b == nil {
		return Confined{Env: env}, nil
	}
	place := b.place()
	place.WorkDir, place.Storage = workDir, storage
	place.Pythons = append(pythons, pythonPath(env)...)
	plan, err := b.Rules.Plan(place)
	if err != nil {
		return Confined{}, err
	}
	kept, left := b.Rules.Variables(env)
	return Confined{&plan, kept, left, place}, nil
}

// pythonPath are the directories of PYTHONPATH. Those that are no environment are read
// only where they lie in sight.
func pythonPath(env []string) (dirs []string) {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "PYTHONPATH="); ok {
			dirs = append(dirs, strings.Split(value, ":")...)
		}
	}
	return dirs
}

// Elsewhere is an error when kernels that this program does not start cannot be used.
func (b *Box) Elsewhere() error {
	if b == nil {
		return nil
	}
	return &confine.Refused{Reason: "a kernel that this server has not started itself is not in its sandbox", Next: "choose an environment on this machine, or set SANDBOX=off"}
}

// Words say what the sandbox stops, for the first answer.
func (c Confined) Words(b *Box) string {
	if b == nil {
		return ""
	}
	words := "sandbox " + b.describe(c.place, *c.Plan)
	if c.Left > 0 {
		words += fmt.Sprintf("; %d of the server's variables, named like credentials, are not passed on (SANDBOX_ENV)", c.Left)
	}
	return words
}

// Describe says in one phrase what is in force.
func (b *Box) Describe() string {
	if b == nil {
		return "off"
	}
	if b.Rules.Wrong != "" {
		return "wrong setting: nothing runs"
	}
	place := b.place()
	plan, err := b.Rules.Plan(place)
	if refused, ok := errors.AsType[*confine.Refused](err); ok {
		return string(b.Rules.Level) + ": nothing runs: " + refused.Reason
	}
	return b.describe(place, plan)
}

// describe is Describe for a plan in a place.
func (b *Box) describe(place Place, plan confine.Plan) string {
	r := b.Rules
	name, gaps := r.describePlan(plan, place.NoBubblewrap)
	words := name + ": " + r.places(place, plan) + "; it cannot read keys, passwords, browsers' and clients' files"
	switch {
	case r.Network == NetworkOn && plan.Mounts() && confine.Abstract() != nil:
		words += "; the network is on, abstract unix sockets are not stopped (partial)"
	case r.Network == NetworkOn:
		words += "; the network is on"
	default:
		words += "; the network is off"
	}
	if gaps != "" {
		words += "; " + gaps
	}
	return words
}

// Hint says of an exception what it may owe to the sandbox, "" for nothing.
func (b *Box) Hint(ename, evalue string) string {
	if b == nil {
		return ""
	}
	const person = "only the person who configures this server can allow it: "
	switch {
	case strings.Contains(evalue, "Read-only file system"):
		return "the sandbox stops writing there; " + person + "SANDBOX_WRITE names more directories"
	case strings.Contains(evalue, "out of pty devices"): // IPython's !command
		return "the sandbox has no terminals; use subprocess, or " + person + "SANDBOX_WRITE=" + terminals
	case ename == "PermissionError" && b.Rules.Network != NetworkOn && !strings.Contains(evalue, "'"): // no path: a socket, it may be
		return "the sandbox may have stopped this; " + person + "SANDBOX_READ, SANDBOX_WRITE or SANDBOX_NETWORK=on"
	case ename == "PermissionError":
		return "the sandbox may have stopped this; " + person + "SANDBOX_READ or SANDBOX_WRITE"
	case b.Rules.Network == NetworkOn:
		return ""
	case strings.Contains(evalue, "onnection refused"): // also outside, if nothing listens
		return "nothing in the sandbox listens there; programs outside of it cannot be reached, for it has no network: " + person + "SANDBOX_NETWORK=on"
	case ename == "gaierror", ename == "URLError", ename == "ConnectError", ename == "ConnectionError", ename == "ConnectTimeout",
		strings.Contains(evalue, "Network is unreachable"), strings.Contains(evalue, "Temporary failure in name resolution"), strings.Contains(evalue, "Name or service not known"):
		return "the sandbox has no network; " + person + "SANDBOX_NETWORK=on"
	}
	return ""
}
