package confine

import (
	"cmp"
	"fmt"
	"strings"
)

// Refused says that a sandbox cannot be made, or does not hold. Nothing was started in it.
type Refused struct {
	Reason string
	Next   string // what a person can do
	// Unavailable: bubblewrap does not work on this system, so another means may.
	Unavailable bool
}

func (e *Refused) Error() string {
	return fmt.Sprintf("the sandbox cannot be enforced: %s; %s", e.Reason, e.Next)
}

// NotStarted tells those who know no sandbox that nothing was started.
func (e *Refused) NotStarted() bool { return true }

// notStopped is in the words of an [Open].
const notStopped = "does not stop"

// reasons are what bubblewrap says where it cannot make a sandbox, and what helps.
func reasons() [][2]string {
	const weaker = ", or set SANDBOX_ALLOW_PARTIAL=on for a weaker sandbox made with Landlock (Linux 6.7)"
	const namespaces = "let this user make user namespaces: on Ubuntu 24.04 and later an AppArmor profile for bwrap (install the package apparmor-profiles, and enable bwrap-userns-restrict), on others sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces=10000" + weaker
	return [][2]string{
		{"uid map", namespaces},
		{"RTM_NEWADDR", namespaces},
		{"new namespace", namespaces},
		{"unprivileged user namespaces", namespaces},
		{"mount proc on", "the container this server runs in forbids a sandbox of its own: start it with --security-opt systempaths=unconfined, let the container be the sandbox (SANDBOX=off)" + weaker},
		{"--disable-userns", "install bubblewrap 0.8 or later" + weaker},
		{notStopped, "report this: nothing was run, and nothing will be with this setting"},
	}
}

// Explain is the error of a sandbox that did not start its program: words is what was
// said there, err what is known else.
func Explain(words string, err error) error {
	reason := strings.TrimPrefix(words, "bwrap: ")
	if reason == "" && err != nil {
		reason = err.Error()
	}
	for _, known := range reasons() {
		if strings.Contains(reason, known[0]) {
			return &Refused{Reason: reason, Next: known[1], Unavailable: known[0] != notStopped}
		}
	}
	return &Refused{Reason: cmp.Or(reason, "it ended without a word"), Next: "mcp-code-executor doctor shows more"}
}
