package install

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// condaAttempts uses the program that owns the environment for what conda
// understands: plain names with plain versions. Its "[…]" means something else,
// it has no markers, and it takes no URL of a wheel.
func (in *installation) condaAttempts() []attempt {
	if in.dir != "" {
		return nil
	}
	for _, r := range in.reqs {
		if r.Path != "" || len(r.Extras) > 0 || r.URL != "" || r.Marker != "" ||
			slices.ContainsFunc(r.Specifiers, func(s packaging.Specifier) bool { return s.Op == "===" }) {
			return nil
		}
	}
	tool, program := in.installer.Finder.Conda.Installer(in.env.Prefix, in.env.Root)
	if program == "" {
		return nil
	}
	v := host.VarsOf(in.env.Vars)
	v.Unset("PYTHONPATH") // the program is Python too, and not of this environment
	v.Unset("CONDA_JSON") // the lines are for people
	argv := []string{program, "install", "-y", "-p", in.env.Prefix}
	if tool == "conda" {
		argv = append(argv, "-q") // its progress bars are redrawn a hundred times a second
	}
	frozen := append(slices.Clone(argv), "--freeze-installed")
	frozenAttempt := attempt{tool: tool, argv: in.condaOperands(tool, frozen), vars: v.Environ(), next: unfrozenMayGoOn}
	plain := attempt{tool: tool, argv: in.condaOperands(tool, argv), vars: v.Environ(), next: pipMayGoOn}
	if in.upgrade { // nothing is frozen then
		return []attempt{plain}
	}
	return []attempt{frozenAttempt, plain}
}

func (in *installation) condaOperands(tool string, argv []string) []string {
	if tool == "conda" {
		argv = append(argv, "--") // tried with conda alone; the specs are checked anyway
	}
	for _, r := range in.reqs {
		argv = append(argv, r.String())
	}
	return argv
}

// unfrozenMayGoOn holds when conda may do better without frozen packages, or when
// it is too old to know the option.
func unfrozenMayGoOn(output string) bool {
	switch Classify(output) {
	case ReasonNetwork, ReasonDiskFull, ReasonPermission, ReasonManaged:
		return false
	}
	return true
}

// pipMayGoOn holds when conda's channels lack a package, or conda itself is
// broken. A conflict is not passed on: pip would overrule conda's packages.
func pipMayGoOn(output string) bool {
	reason := Classify(output)
	return reason == ReasonNotFound || reason == ReasonUnknown
}

// split has conda install what its channels have, and another tool the rest.
func (in *installation) split(ctx context.Context, lacking, rest []packaging.Requirement) {
	all := in.reqs
	defer func() { in.reqs = all }()
	others := in.otherAttempts(ctx)
	if len(others) == 0 {
		return // the failure is conda's
	}
	conda := in.last.tool
	in.say(fmt.Sprintf("the channels lack %s: %s installs the others first", names(lacking), conda))
	in.reqs = rest
	for _, a := range in.condaAttempts() {
		in.last = a
		if in.failure = in.try(ctx, a); in.failure == nil {
			break
		}
		if ctx.Err() != nil || !a.next(in.tail) {
			return
		}
	}
	if in.failure != nil {
		return
	}
	done := in.tail
	in.reqs = lacking
	in.last = in.otherAttempts(ctx)[0]
	in.failure = in.try(ctx, in.last)
	in.tail = done + in.tail
	in.last.tool = conda + " and " + in.last.tool
}

// lackedByChannels tells from a conda program's last output which requirements
// its channels have nothing for.
func (in *installation) lackedByChannels(tool string) (lacking, rest []packaging.Requirement) {
	if kinds.Of(in.env.Kind).Installer != kinds.ByConda || tool == "pip" || tool == "uv" || Classify(in.tail) != ReasonNotFound {
		return nil, nil
	}
	named := map[string]bool{}
	for _, m := range lackedName().FindAllStringSubmatch(in.tail, -1) {
		named[packaging.NormalizeName(m[1]+m[2]+m[3])] = true
	}
	for _, r := range in.reqs {
		if named[packaging.NormalizeName(r.Name)] {
			lacking = append(lacking, r)
		} else {
			rest = append(rest, r)
		}
	}
	return lacking, rest
}

// lackedName finds names in the words of conda, and of libmamba's solver.
var lackedName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^\s*- ([A-Za-z0-9._-]+)|nothing provides (?:requested )?([A-Za-z0-9._-]+)|([A-Za-z0-9._-]+)[^\n]* does not exist`)
})

func names(reqs []packaging.Requirement) string {
	var list []string
	for _, r := range reqs {
		list = append(list, r.Name)
	}
	return strings.Join(list, ", ")
}
