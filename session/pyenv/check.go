package pyenv

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

//go:embed packages.py
var packagesScript string

// packagesMark stands before the answer, since an environment's own start-up
// code may print.
const packagesMark = "mce-packages:"

// checkTimeout bounds one look at an environment's metadata: 0.1 s where the disk
// is local.
const checkTimeout = 30 * time.Second

// Ways a package was found.
const (
	ViaDistribution = "distribution" // by the name that is installed
	ViaImport       = "import"       // by the name that is imported: cv2, sklearn
	ViaStdlib       = "stdlib"       // part of Python
	ViaPath         = "path"         // importable, belongs to no distribution
	ViaConda        = "conda"        // a conda package without Python metadata
)

// PackageStatus answers for one requested package.
type PackageStatus struct {
	Requested string // as asked
	Installed bool   // some version is there
	Name      string // the distribution's name, the module's for stdlib and path
	Version   string // "" when unknown
	Satisfied bool   // installed in a version, and with the extras, that were asked for
	Via       string // one of the Via constants, "" when absent
	Location  string // the directory or file it is imported from
	Editable  string // the source directory of an editable install
	Modules   []string
	// Error says what is wrong: the request, a broken installation, a version that
	// does not fit, an extra that lacks something; "" when all is well or it is
	// plainly absent.
	Error string
	// Hint is the name to install when the name asked for is only what is imported.
	Hint string
}

// packageAnswer is packages.py's answer for one name.
type packageAnswer struct {
	Name, Version, Via, Location, Editable, Damage, Error string
	Modules, Missing                                      []string
}

// Check looks up packages by what is installed ("scikit-learn>=1.4",
// "requests[socks]") or imported ("sklearn", "PIL", "matplotlib.pyplot"). It
// starts the environment's Python once, which reads metadata and imports none of
// them. A name that cannot be judged has its reason in Error; the error returned
// is for an environment that does not answer ([*BrokenError]) or a context's.
func (f *Finder) Check(ctx context.Context, env *Environment, names []string) ([]PackageStatus, error) {
	statuses := make([]PackageStatus, len(names))
	reqs := make([]packaging.Requirement, len(names))
	request := packagesRequest{Find: []wanted{}}
	var asked []int // indices of names packages.py is asked for
	for i, name := range names {
		statuses[i].Requested = name
		r, err := parseChecked(name)
		switch {
		case err != nil:
			statuses[i].Error = err.Error()
			continue
		case r.Name == "":
			statuses[i].Error = "a URL has no name to look for; give the package's name"
			continue
		}
		reqs[i], asked = r, append(asked, i)
		request.Find = append(request.Find, wanted{r.Name, r.Extras})
	}
	if len(asked) == 0 {
		return statuses, nil
	}
	answer, err := f.askPackages(ctx, env, request)
	if err != nil {
		return nil, err
	}
	for n, i := range asked {
		statuses[i].judge(reqs[i], answer.Found[n])
	}
	return statuses, nil
}

// moduleForm is what Python can import; "_cffi_backend" is no distribution's name.
var moduleForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
})

// parseChecked takes module names besides requirements.
func parseChecked(name string) (packaging.Requirement, error) {
	name = strings.TrimSpace(name)
	if len(name) <= packaging.MaxRequirement && moduleForm().MatchString(name) {
		return packaging.Requirement{Name: name}, nil
	}
	return packaging.ParseRequirement(name)
}

// judge fills s from what was found.
func (s *PackageStatus) judge(r packaging.Requirement, a packageAnswer) {
	s.Name, s.Version, s.Via, s.Location, s.Editable, s.Modules = a.Name, a.Version, a.Via, a.Location, a.Editable, a.Modules
	s.Installed = a.Via != ""
	s.Satisfied = s.Installed
	fail := func(format string, args ...any) { s.Satisfied, s.Error = false, fmt.Sprintf(format, args...) }
	switch {
	case !s.Installed:
		s.Name = r.Name
		s.Error = a.Error
		s.Hint = packaging.DistributionOf(r.Name)
	case a.Damage != "":
		fail("the installation is broken: its file %s is gone; install it again", a.Damage)
	case s.Via == ViaStdlib || len(r.Specifiers) == 0:
		// Nobody asks for a version of json.
	case s.Version == "":
		fail("its version is unknown, so %s cannot be judged", r)
	case !packaging.Satisfies(s.Version, r.Specifiers):
		fail("version %s does not satisfy %s", s.Version, r)
	}
	if s.Satisfied && len(a.Missing) > 0 {
		fail("the extra %s lacks %s", strings.Join(r.Extras, ","), strings.Join(a.Missing, ", "))
	}
}

// Snapshot lists what is installed in env: versions by normalised name
// ([NormalizeName]), conda's own packages included.
func (f *Finder) Snapshot(ctx context.Context, env *Environment) (map[string]string, error) {
	answer, err := f.askPackages(ctx, env, packagesRequest{All: true, Find: []wanted{}})
	if err != nil {
		return nil, err
	}
	all := answer.Dists
	for name, version := range answer.Conda {
		if _, ok := all[packaging.NormalizeName(name)]; !ok {
			all[packaging.NormalizeName(name)] = version
		}
	}
	return all, nil
}

// packagesRequest is packages.py's argument.
type packagesRequest struct {
	Find []wanted `json:"find"`
	All  bool     `json:"all"`
}

type wanted struct {
	Name   string   `json:"name"`
	Extras []string `json:"extras"`
}

type packagesAnswer struct {
	Found []packageAnswer
	Dists map[string]string
	Conda map[string]string
}

// askPackages runs packages.py in env's Python, with the kernel's own variables.
func (f *Finder) askPackages(ctx context.Context, env *Environment, request packagesRequest) (packagesAnswer, error) {
	var answer packagesAnswer
	argument, err := json.Marshal(request)
	if err != nil {
		return answer, fmt.Errorf("asking for packages: %w", err)
	}
	tooLong := errors.New("looking at the packages timed out")
	limited, cancel := context.WithTimeoutCause(ctx, checkTimeout, tooLong)
	defer cancel()
	stdout, stderr, err := f.Host.Output(limited, env.Vars, env.Python, "-B", "-c", packagesScript, string(argument))
	if ctx.Err() != nil {
		return answer, context.Cause(ctx)
	}
	if host.NotStarted(err) {
		return answer, err
	}
	broken := func(reason string) (packagesAnswer, error) {
		return answer, &BrokenError{Path: env.Python, Reason: "its packages cannot be read: " + reason, Err: err}
	}
	if errors.Is(err, tooLong) {
		return broken(fmt.Sprintf("it did not answer within %v", checkTimeout))
	}
	i := bytes.LastIndex(stdout, []byte(packagesMark))
	if i < 0 {
		return broken(host.LastLines(stderr, 1))
	}
	line, _, _ := bytes.Cut(stdout[i+len(packagesMark):], []byte("\n"))
	if e := json.Unmarshal(line, &answer); e != nil {
		return broken(e.Error())
	}
	if len(answer.Found) != len(request.Find) || request.All && answer.Dists == nil {
		return broken("its answer makes no sense")
	}
	return answer, nil
}
