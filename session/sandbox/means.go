package sandbox

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// means is a plan with nothing but what enforces it: bubblewrap, or else Landlock; on macOS
// sandbox-exec.
func (r Rules) means(p Place) (confine.Plan, error) {
	if p.MacOS {
		return r.seatbelt()
	}
	missing := p.NoBubblewrap
	if missing == nil {
		program, err := confine.Find(p.Path, append([]string{p.WorkDir, p.Storage}, r.Write...))
		if err == nil {
			return confine.Plan{Program: program}, nil
		}
		if refused, _ := errors.AsType[*confine.Refused](err); refused != nil {
			missing = refused
		}
	}
	plan := confine.Plan{ABI: p.Landlock}
	switch {
	case p.Landlock < confine.OldestABI:
		return plan, &confine.Refused{Reason: missing.Reason + ", and this system has no Landlock of Linux 6.7 or later", Next: missing.Next}
	case r.Network == NetworkLoopback:
		return plan, &confine.Refused{Reason: missing.Reason + ", and without it there is no loopback interface of the sandbox's own", Next: missing.Next + ", or set SANDBOX_NETWORK=off"}
	case !plan.CutsSockets() && !r.Partial:
		return plan, &confine.Refused{Reason: missing.Reason + ", and Landlock, which could take its place, does not stop " + listed(confine.Gaps(p.Landlock)),
			Next: missing.Next + ", or set SANDBOX_ALLOW_PARTIAL=on to go without that"}
	}
	return plan, nil
}

func (r Rules) seatbelt() (confine.Plan, error) {
	program, err := confine.FindSeatbelt()
	if err == nil && r.Network == NetworkLoopback {
		err = &confine.Refused{Reason: "on macOS there is no loopback interface of the sandbox's own", Next: "set SANDBOX_NETWORK=off"}
	}
	return confine.Plan{Program: program, Seatbelt: true}, err
}

// lock takes the directories out of what code can write to that hold something which must
// not be changed: Landlock cannot except it. One that SANDBOX_WRITE names stays, with
// all that it holds.
func (r Rules) lock(plan *confine.Plan) error {
	named := existing(r.Write...)
	if r.Only {
		named = nil // a client names what it also protects in part
	}
	var write []string
	for _, dir := range plan.Write {
		inside := slices.DeleteFunc(slices.Clone(plan.Protect), func(path string) bool { return !confine.Within(path, dir) })
		hidden := slices.IndexFunc(plan.Hide, func(path string) bool { return confine.Within(path, dir) })
		switch {
		case hidden >= 0:
			return refused("without bubblewrap %s cannot be hidden in %s, where code is to write", plan.Hide[hidden], dir)
		case len(inside) > 0 && !slices.Contains(named, dir):
			plan.Locked = append(plan.Locked, dir)
			continue
		}
		plan.Unprotected = append(plan.Unprotected, inside...)
		write = append(write, dir)
	}
	plan.Unprotected = unique(plan.Unprotected)
	plan.Check.Write = append(plan.Check.Write, slices.DeleteFunc(slices.Clone(plan.Locked), func(dir string) bool {
		return slices.ContainsFunc(write, func(other string) bool { return confine.Within(dir, other) })
	})...)
	plan.Write, plan.Protect = write, nil
	return nil
}

// besideSecrets are the directories in which secrets lie, or could: what appears there
// while code runs is not for it.
func besideSecrets(home string) []string {
	dirs := []string{home}
	for _, name := range Secrets() {
		dirs = append(dirs, filepath.Dir(filepath.Join(home, filepath.FromSlash(name))))
	}
	return existing(dirs...)
}

// place is the box's, with what is known of bubblewrap here.
func (b *Box) place() Place {
	p := b.Place
	if broken := b.broken.Load(); broken != nil {
		p.NoBubblewrap = broken
	}
	return p
}

// Fallback reports whether err says that bubblewrap does not work on this system, and
// Landlock takes its place from now on: what failed may be tried again.
func (b *Box) Fallback(err error) bool {
	refused, _ := errors.AsType[*confine.Refused](err)
	if b == nil || refused == nil || !refused.Unavailable || b.broken.Load() != nil {
		return false
	}
	p := b.Place
	p.NoBubblewrap = refused
	if _, err := b.Rules.means(p); err != nil {
		return false
	}
	b.broken.Store(refused)
	return true
}

// describePlan says which means keeps the plan, and how much of it.
func (r Rules) describePlan(plan confine.Plan, missing *confine.Refused) (name, gaps string) {
	level := string(r.Level)
	if r.Only {
		level = "by the client's policy"
	}
	switch {
	case plan.Mounts():
		return level + " (bubblewrap)", ""
	case plan.Seatbelt:
		return level + " (sandbox-exec)", ""
	case plan.CutsSockets():
		name = level + " (Landlock)"
	default:
		name = "partial " + level + " (Landlock)"
	}
	gaps = "not stopped: " + listed(confine.Gaps(plan.ABI))
	if missing != nil {
		gaps += "; bubblewrap, which stops that, cannot be used here: " + missing.Reason
	} else {
		gaps += "; bubblewrap, which stops that, is not installed"
	}
	return name, gaps
}

// places says where code can write.
func (r Rules) places(p Place, plan confine.Plan) string {
	temporaryFiles := "a private directory for temporary files"
	if plan.Mounts() {
		temporaryFiles = "a private " + temporary
	}
	if r.Level != Workspace {
		return "code can write in " + temporaryFiles + " only"
	}
	if r.Only {
		return r.clientsPlaces(plan, temporaryFiles)
	}
	var write, locked []string
	for _, place := range [][2]string{{p.WorkDir, "the working directory"}, {p.Storage, "the code storage"}} {
		switch dir := real(place[0]); {
		case place[0] == "":
		case slices.Contains(plan.Locked, dir):
			word := place[1]
			if names := bases(protectedIn(dir)); len(names) > 0 {
				word += " (" + listed(names) + ")"
			}
			locked = append(locked, word)
		default:
			write = append(write, place[1])
		}
	}
	words := "code can write in " + listed(append(write, temporaryFiles))
	if len(r.Write) > 0 {
		words += ", and in " + strings.Join(r.Write, ", ")
	}
	if len(locked) > 0 {
		words += "; not in " + listed(locked) + ", for what is in it and must not be changed, unless SANDBOX_WRITE names it"
	}
	if len(plan.Unprotected) > 0 {
		words += "; not protected: " + strings.Join(bases(plan.Unprotected), ", ")
	}
	return words
}

// clientsPlaces is places for a client's policy.
func (r Rules) clientsPlaces(plan confine.Plan, temporaryFiles string) string {
	words := "code can write in " + listed(append(slices.Clone(plan.Write), temporaryFiles))
	if len(plan.Locked) > 0 {
		words += "; not in " + listed(plan.Locked) + ", for what is in it and must not be changed"
	}
	return words
}

func bases(paths []string) []string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	return unique(names)
}

// listed joins words as "a, b and c".
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
