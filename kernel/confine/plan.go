package confine

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// Plan is what a sandbox allows. Its paths are absolute, without symbolic links, and
// there. Everything that it does not name can be read and not changed. It is plain
// data; see [Plan.With] for a copy with more in it.
type Plan struct {
	// Program is bubblewrap, an absolute path, or with Seatbelt macOS's sandbox-exec.
	// Without it Landlock keeps the plan, as its version ABI can ([Gaps]).
	Program  string
	Seatbelt bool
	ABI      int
	// Write can be changed, with all that lies below.
	Write []string
	// Protect cannot be changed, though they lie in a directory of Write. Landlock cannot
	// do that: Protect is empty there, Locked are directories that for this reason are
	// not in Write, and Unprotected is what lies in directories of Write all the same.
	Protect, Locked, Unprotected []string
	// Read can be read, though they lie in a place that is hidden or empty.
	Read []string
	// Hide can neither be read nor changed. They win over all others, but for
	// directories of Write and Read that lie below them.
	Hide []string
	// Empty are directories that hold nothing but what Write and Read grant in them:
	// where programs keep their sockets. A read-only mount does not stop connect.
	Empty []string
	// Temporary are the directories for temporary files; all are Private.
	Temporary []string
	// Private is a directory for this sandbox alone. Its owner removes it.
	Private string
	// Sockets are directories of Write in which this sandbox has unix sockets; on macOS it
	// has none elsewhere.
	Sockets []string
	// Moved are variables that name places in the first of Temporary, for a sandbox
	// without mounts, and Split are directories of which new entries are to be hidden, for
	// Landlock.
	Moved, Split []string
	// Network is the person's network, abstract unix sockets excepted. Without it
	// there is only a loopback interface of the sandbox's own.
	Network bool
	// Check is what is tried before the program starts.
	Check Check
}

// With is a copy of p that also allows writing and reading other paths.
func (p Plan) With(write, read []string) Plan {
	p.Write = slices.Concat(p.Write, write)
	p.Read = slices.Concat(p.Read, read)
	return p
}

// Mounts reports whether the sandbox has file systems of its own, as bubblewrap makes
// them: a /tmp and a /dev in the place of the system's. Others make none.
func (p Plan) Mounts() bool { return p.Program != "" && !p.Seatbelt }

// Excepts reports whether something below a directory that is allowed can be protected
// or hidden. Landlock cannot do that.
func (p Plan) Excepts() bool { return p.Program != "" }

// CutsSockets reports whether unix sockets that have a path are cut off.
func (p Plan) CutsSockets() bool { return p.Program != "" || p.ABI >= WholeABI }

// CutsSignals reports whether processes outside are out of reach.
func (p Plan) CutsSignals() bool { return p.Program != "" || p.ABI >= scopeABI }

// mount is one of the sandbox's mounts.
type mount struct {
	path    string
	options []string
}

// Options are bubblewrap's options for the plan, with which it starts a program in
// dir with exactly the variables env.
func (p Plan) Options(dir string, env []string) []string {
	options := []string{
		"--unshare-user", "--disable-userns", "--cap-drop", "ALL",
		"--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
		"--ro-bind", "/", "/",
	}
	if !p.Network {
		options = append(options, "--unshare-net")
	}
	for _, m := range p.mounts() {
		options = append(options, m.options...)
	}
	options = append(options, "--chdir", dir, "--clearenv")
	for _, entry := range env {
		if name, value, ok := strings.Cut(entry, "="); ok && name != "" {
			options = append(options, "--setenv", name, value)
		}
	}
	return options
}

// mounts are in the order in which they are made: what lies deeper comes later and
// wins. What is protected or hidden comes last, so that a link that code has planted
// in a place where it may write cannot uncover it.
func (p Plan) mounts() []mount {
	all := []mount{{"/dev", []string{"--dev", "/dev"}}, {"/proc", []string{"--proc", "/proc"}}}
	for _, path := range []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi"} {
		// Root without capabilities may still write to the system's settings.
		all = append(all, mount{path, []string{"--ro-bind-try", path, path}})
	}
	for _, dir := range p.Temporary {
		all = append(all, mount{dir, []string{"--bind", p.Private, dir}})
	}
	for _, dir := range p.Empty {
		all = append(all, mount{dir, []string{"--tmpfs", dir}})
	}
	var last []mount
	for _, path := range p.Hide {
		switch {
		case p.grantsBelow(path):
			// One may pass through it, and not list it.
			all = append(all, mount{path, []string{"--perms", "0111", "--tmpfs", path}})
		case isDir(path):
			last = append(last, mount{path, []string{"--perms", "0000", "--tmpfs", path, "--remount-ro", path}})
		default:
			last = append(last, mount{path, []string{"--ro-bind", "/dev/null", path}})
		}
	}
	for _, path := range p.Read {
		all = append(all, mount{path, []string{"--ro-bind", path, path}})
	}
	for _, path := range p.Write {
		all = append(all, mount{path, []string{"--bind", path, path}})
	}
	slices.SortStableFunc(all, func(a, b mount) int { return cmp.Compare(a.path, b.path) })
	for _, path := range p.Protect {
		all = append(all, mount{path, []string{"--ro-bind", path, path}})
	}
	return append(all, last...)
}

// grantsBelow reports whether something below the path is allowed.
func (p Plan) grantsBelow(path string) bool {
	for _, granted := range slices.Concat(p.Write, p.Read) {
		if Within(granted, path) {
			return true
		}
	}
	return false
}

// Within reports whether path is dir or lies below it. Both are clean and absolute.
func Within(path, dir string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(relative)
}
