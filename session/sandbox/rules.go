package sandbox

import (
	"path"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// Level is how much code may do.
type Level string

// Levels.
const (
	Off       Level = ""
	Workspace Level = "workspace" // reads all but secrets, changes the working directory
	ReadOnly  Level = "read-only" // changes nothing
	// Client is what the client allows in each call: see [Policy].
	Client Level = "client"
)

// Network is what code may reach.
type Network string

// Networks.
const (
	NetworkOff      Network = ""
	NetworkOn       Network = "on"
	NetworkLoopback Network = "loopback" // of the sandbox's own
)

// Rules are what a person has set. The zero value is no sandbox.
type Rules struct {
	Level   Level
	Network Network
	// Write, Read and Deny are directories and files that may be changed, that may be
	// read although they are taken for secrets, and that may not be read.
	Write, Read, Deny []string
	// Only says that nothing but Write may be changed: not the working directory and the
	// code storage by themselves. Protect may not be changed in it. Both are a client's.
	Only    bool
	Protect []string
	// Env are names and patterns of variables that code gets although they are named
	// like credentials.
	Env []string
	// AnySource allows installing what comes from anywhere, and what must be built.
	AnySource bool
	// Partial allows a sandbox that does not stop all that it should.
	Partial bool
	// Wrong is a setting that cannot be understood: nothing runs. "" is none.
	Wrong string
}

// Active reports whether anything is confined. A wrong setting counts: it stops all.
func (r Rules) Active() bool { return r.Level != Off || r.Wrong != "" }

// err is an error when nothing may run.
func (r Rules) err() error {
	if r.Wrong != "" {
		return &confine.Refused{Reason: r.Wrong, Next: "correct the setting in the client's configuration of this server and restart it"}
	}
	return nil
}

// credentials are patterns of the names of variables that hold what code should not
// have: credentials, and the way to programs that have them.
func credentials() []string {
	return []string{"*TOKEN*", "*SECRET*", "*_KEY", "*APIKEY*", "*API_KEY*", "*PASSWORD*", "*PASSWD*", "*CREDENTIAL*", "*_PAT",
		"AWS_*", "AZURE_*", "GPG_*", "SSH_*", "DBUS_*", "DOCKER_*", "KUBECONFIG", "NETRC", "PGPASSFILE"}
}

// temporary is where temporary files lie inside of a sandbox.
const temporary = "/tmp"

// Variables are those of env that code gets, and how many it does not get because they
// are named like credentials. What writes below the home directory is sent elsewhere.
func (r Rules) Variables(env []string) (kept []string, left int) {
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case slices.Contains(moved(), name), slices.Contains(unreachable(), name):
		case r.credential(name, value):
			left++
		default:
			kept = append(kept, entry)
		}
	}
	for _, name := range moved() {
		kept = append(kept, name+"="+places()[name])
	}
	return kept, left
}

// credential reports whether a variable is one, by its name, or by a user and a password
// or a token in a URL.
func (r Rules) credential(name, value string) bool {
	_, rest, url := strings.Cut(value, "://")
	authority, _, _ := strings.Cut(rest, "/")
	in := url && (strings.Contains(authority, "@") || strings.Contains(rest, "token="))
	return (matches(name, credentials()) || in) && !matches(name, r.Env)
}

// places are where programs write that would write below the home directory.
func places() map[string]string {
	const cache = temporary + "/cache"
	return map[string]string{
		"TMPDIR": temporary, "XDG_CACHE_HOME": cache, "MPLCONFIGDIR": cache + "/matplotlib", "NUMBA_CACHE_DIR": cache + "/numba",
		"IPYTHONDIR": temporary + "/ipython", "JUPYTER_RUNTIME_DIR": temporary + "/jupyter",
	}
}

// unreachable are variables that name what is not there in a sandbox.
func unreachable() []string {
	return []string{"XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "TMUX", "STY", "VSCODE_IPC_HOOK_CLI"}
}

func moved() []string {
	return []string{"TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"}
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(strings.ToUpper(pattern), strings.ToUpper(name))
		return ok && err == nil
	})
}
