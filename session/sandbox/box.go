package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// Box is the sandbox of one server's programs: what a person has set, and where. A nil
// one is none. It is safe for concurrent use.
type Box struct {
	Rules Rules
	Place Place // without working directory, storage and environment

	broken atomic.Pointer[confine.Refused] // why bubblewrap does not work; nil while it may

	mu      sync.Mutex // protects the field below
	granted []string   // where clients' policies have let code write
	known   []string   // directories of the Pythons of kernels
}

// Confined is what is to be started in a sandbox.
type Confined struct {
	Plan *confine.Plan // nil for none: a client's policy can say so
	Env  []string
	Left int // how many variables code does not get

	rules   Rules   // of the plan
	policy  *Policy // of the client; nil for none
	place   Place
	missing []string // what a client protects or hides and is not there
	outside bool     // a kernel that this program does not start
}

// Follows reports whether kernels are confined by what the client allows.
func (b *Box) Follows() bool { return b != nil && b.Rules.Level == Client && b.Rules.Wrong == "" }

// Kernel is the sandbox of a kernel whose variables were to be env. pythons are the
// directories of its environment. With [Box.Follows] policy is the client's.
func (b *Box) Kernel(workDir, storage string, env, pythons []string, policy *Policy) (Confined, error) {
	c := Confined{Env: env}
	if b == nil {
		return c, nil
	}
	c.rules = b.Rules
	if b.Follows() {
		c.policy = policy
		if policy == nil {
			_, err := ReadPolicy("")
			return Confined{}, err
		}
		if policy.open {
			return c, nil
		}
		c.rules, c.missing = policy.rules(b.Rules)
		b.grant(c.rules.Write)
	}
	c.place = b.place()
	c.place.WorkDir, c.place.Storage = workDir, storage
	c.place.Pythons = append(pythons, pythonPath(env)...)
	c.place.Known = b.knows(pythons)
	plan, err := c.rules.Plan(c.place)
	if err != nil {
		return Confined{}, err
	}
	c.Plan = &plan
	c.Env, c.Left = c.rules.Variables(env)
	return c, nil
}

// Policy is the client's policy of a call, whose text is "" where it had none; nil where
// none is followed.
func (b *Box) Policy(text string) (*Policy, error) {
	if !b.Follows() {
		return nil, nil
	}
	return ReadPolicy(text)
}

// Beyond says what code may do in c that a client does not allow any more, "" for nothing.
func (c Confined) Beyond(policy *Policy) string {
	if c.policy == nil || policy == nil {
		return ""
	}
	return c.policy.beyond(policy)
}

// grant notes where a client lets code write: what lies there is not trusted any more.
func (b *Box) grant(dirs []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.granted = unique(append(b.granted, dirs...))
}

// knows notes the Pythons of a kernel, and returns all that are known.
func (b *Box) knows(pythons []string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = unique(append(b.known, pythons...))
	return slices.Concat(b.Place.Known, Helper{Argv: b.Place.Known}.environments(), b.known) // by a directory, or its python
}

// codes are directories that code can change, or could.
func (b *Box) codes(place Place) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Concat([]string{place.WorkDir, place.Storage}, b.Rules.Write, b.granted)
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

// Outside is what confines a kernel that this program does not start: nothing. It is an
// error unless the person's settings have named exactly that kernel.
func (b *Box) Outside(named bool) (Confined, error) {
	if b == nil {
		return Confined{}, nil
	}
	if err := b.Rules.err(); err != nil {
		return Confined{}, err
	}
	const reason = "a kernel that this server has not started itself is not in its sandbox"
	switch {
	case b.Follows():
		return Confined{}, &confine.Refused{Reason: reason + ", and does not follow the client's policy", Next: "choose an environment on this machine, or set SANDBOX=off"}
	case !named:
		return Confined{}, &confine.Refused{Reason: reason + ", and the settings do not name exactly this one", Next: "choose an environment on this machine, name the kernel in the client's configuration (CONNECTION_FILE, or JUPYTER_SERVER_URL and KERNEL_NAME), or set SANDBOX=off"}
	}
	return Confined{outside: true}, nil
}

// Outside reports whether it is of a kernel that this program does not start.
func (c Confined) Outside() bool { return c.outside }

// Words say what the sandbox stops, for the first answer.
func (c Confined) Words(b *Box) string {
	if b == nil {
		return ""
	}
	if c.outside {
		return "sandbox not used: this kernel is not confined by us: the settings name it, and this server has not started it. Code has whatever rights it has there"
	}
	if c.Plan == nil {
		return "sandbox off, by the client's policy: code has the user's rights"
	}
	words := "sandbox " + describe(c.rules, c.place, *c.Plan)
	if len(c.missing) > 0 {
		words += "; not protected, for it is not there: " + listed(c.missing)
	}
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
	if b.Follows() {
		return string(Client) + ": a kernel gets the sandbox that the client's policy asks for in the call that starts it; without a policy nothing runs"
	}
	return describe(b.Rules, place, plan)
}

// describe is Describe for a plan in a place.
func describe(r Rules, place Place, plan confine.Plan) string {
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
