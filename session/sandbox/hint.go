package sandbox

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// readOnly is in the words of an exception.
const readOnly = "Read-only file system"

// Hint says of an exception what it may owe to the sandbox, "" for nothing.
func (c Confined) Hint(ename, evalue string) string {
	if c.Plan == nil {
		return ""
	}
	what, allows := c.pathHint(ename, evalue)
	if what == "" {
		what, allows = c.rules.hint(ename, evalue)
	}
	switch {
	case what == "":
		return ""
	case c.rules.Only:
		return what + "; the client's policy decides what is allowed, and only the person can loosen it there"
	}
	return what + "; only the person who configures this server can allow it: " + allows
}

// pathHint is hint for an exception that names a path of a special kind.
func (c Confined) pathHint(ename, evalue string) (what, allows string) {
	refused := ename == "PermissionError" || strings.Contains(evalue, readOnly)
	for _, quoted := range regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(evalue, 2) {
		path := quoted[1]
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.place.WorkDir, path)
		}
		switch path = resolved(path); {
		case refused && below(path, c.Plan.Protect):
			return "the sandbox protects this, since programs outside run or believe it", "no setting does but SANDBOX=off"
		case ename == "FileNotFoundError" && c.Plan.Mounts() && below(path, slices.Concat(c.Plan.Temporary, c.Plan.Empty)) && !below(path, c.Plan.Read):
			return "the sandbox has a " + temporary + " of its own, without the files of yours there", "SANDBOX_READ names those that code is to see"
		}
	}
	return "", ""
}

// hint is what an exception may owe to the sandbox, and which setting would allow it.
func (r Rules) hint(ename, evalue string) (what, allows string) {
	const network = "SANDBOX_NETWORK=on"
	write, more := "SANDBOX_WRITE", "SANDBOX_WRITE names more directories"
	if r.Level == ReadOnly {
		write, more = "SANDBOX=workspace", "SANDBOX=workspace lets it write in the working directory"
	}
	switch {
	case strings.Contains(evalue, readOnly):
		return "the sandbox stops writing there", more
	case strings.Contains(evalue, "out of pty devices"): // IPython's !command
		return "the sandbox has no terminals: use subprocess", "SANDBOX_WRITE=" + terminals
	case ename == "PermissionError" && r.Network != NetworkOn && !strings.Contains(evalue, "'"): // no path: a socket, it may be
		return "the sandbox may have stopped this", "SANDBOX_READ, " + write + " or " + network
	case ename == "PermissionError":
		return "the sandbox may have stopped this", "SANDBOX_READ or " + write
	case r.Network == NetworkOn:
		return "", ""
	case strings.Contains(evalue, "onnection refused"): // also outside, if nothing listens
		return "nothing in the sandbox listens there; programs outside of it cannot be reached, for it has no network", network
	case ename == "gaierror", ename == "URLError", ename == "ConnectError", ename == "ConnectionError", ename == "ConnectTimeout",
		strings.Contains(evalue, "Network is unreachable"), strings.Contains(evalue, "Temporary failure in name resolution"), strings.Contains(evalue, "Name or service not known"):
		return "the sandbox has no network", network
	}
	return "", ""
}
