package confine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Versions of Landlock from which it stops something.
const (
	// OldestABI is the first that a sandbox can be made with (Linux 6.7): it stops
	// writing, truncating, and renaming between directories.
	OldestABI  = 4
	devicesABI = 5
	// scopeABI cuts off abstract unix sockets and signals (Linux 6.12).
	scopeABI = 6
	// WholeABI also cuts off unix sockets that have a path.
	WholeABI = 9
)

// Gaps are what a sandbox made with this version of Landlock does not stop, though one
// of bubblewrap does.
func Gaps(abi int) (gaps []string) {
	switch {
	case abi < scopeABI:
		gaps = []string{"connections to unix sockets (docker, the session bus)", "signals to your other processes"}
	case abi < WholeABI:
		gaps = []string{"connections to unix sockets with a path (docker, the session bus)"}
	}
	return append(gaps, "changing modes and times of your files", "listing your other processes")
}

// access is what a rule of Landlock allows.
type access int

const (
	reading access = iota // and executing
	writing
	device
)

// rule allows something in a directory with all that lies below, or for a file.
type rule struct {
	path   string
	access access
	// found: nobody named the path, so it may be gone again.
	found bool
}

// devices are those that programs need and that reach nothing, and what makes
// terminals where these are allowed.
func (p Plan) devices() []string {
	paths := []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
	if slices.Contains(p.Write, "/dev/pts") {
		paths = append(paths, "/dev/ptmx")
	}
	return paths
}

// rules are the plan as Landlock can keep it: it only allows, and nothing below a
// directory that is allowed can be taken out. So what lies beside something hidden is
// allowed piece by piece, and is not seen if it comes later. Directories for temporary
// files cannot be replaced: they are hidden.
func (p Plan) rules() ([]rule, error) {
	var rules []rule
	t := tree{split: p.Split, without: slices.Concat(p.Hide, p.Temporary, p.Empty, []string{"/dev"})}
	rules = t.rules(rules, "/", true)
	for _, path := range p.Read {
		inside := tree{split: p.Split, without: slices.DeleteFunc(slices.Clone(p.Hide), func(hidden string) bool { return !Within(hidden, path) })}
		rules = inside.rules(rules, path, false)
	}
	for _, path := range slices.Concat(p.Write, []string{p.Private}) {
		for _, hidden := range p.Hide {
			if Within(hidden, path) {
				return nil, fmt.Errorf("%s cannot be hidden in %s, where code is to write", hidden, path)
			}
		}
		rules = append(rules, rule{path, writing, false})
	}
	for _, path := range p.devices() {
		rules = append(rules, rule{path, device, true})
	}
	return rules, nil
}

// tree is what is allowed but for some of it.
type tree struct {
	split   []string // directories that are allowed piece by piece
	without []string
}

// rules appends those for the directory or file at path.
func (t tree) rules(rules []rule, path string, found bool) []rule {
	switch {
	case withinAny(path, t.without):
		return rules
	case !slices.ContainsFunc(slices.Concat(t.split, t.without), func(other string) bool { return Within(other, path) }):
		return append(rules, rule{path, reading, found})
	}
	entries, _ := os.ReadDir(path) // what cannot be listed is not allowed
	for _, entry := range entries {
		if entry.Type()&os.ModeSymlink == 0 { // where it leads to has a rule, or has none
			rules = t.rules(rules, filepath.Join(path, entry.Name()), true)
		}
	}
	return rules
}

// Environ are variables as a program gets them: without mounts its temporary files lie
// in the private directory itself, and not in the one that takes its place.
func (p Plan) Environ(env []string) []string {
	env = slices.Clone(env)
	for i, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if !slices.Contains(p.Moved, name) {
			continue
		}
		for _, dir := range p.Temporary {
			if p.Seatbelt {
				dir, value = onMacOS(dir), onMacOS(value)
			}
			if below, err := filepath.Rel(dir, value); err == nil && filepath.IsLocal(below) {
				env[i] = name + "=" + filepath.Join(p.Private, below)
				break
			}
		}
	}
	return env
}
