package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/install"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

// maxPackages bounds how many packages one call may name.
const maxPackages = 200

func (t *tools) installDependencies() tool {
	return tool{
		name:  "install_dependencies",
		title: "Install packages",
		description: "Install Python packages into the session's environment, with the tool that suits it (uv, pip or conda). The answer has the old and new versions, and says for which of them a running kernel must be restarted. " +
			"It returns after wait_seconds at the latest, and the installation goes on: get_execution with the id shows it, interrupt_execution stops it.",
		arguments: []argument{
			{name: "packages", kind: "array", description: "Requirements as pip takes them: \"pandas\", \"pandas>=2\", \"requests[socks]\", \"name @ https://…\", or a wheel or project, by its path: \"./dist/x-1.0-py3-none-any.whl\". Options (-r, --index-url) are refused."},
			{name: "file", kind: "string", description: "A file that lists packages: \"requirements.txt\", \"pyproject.toml\", with an extra or group \"pyproject.toml[dev]\". Files and paths are in the code storage directory or, failing that, in the working directory. Give packages, file or both."},
			{name: "session", kind: "string", description: "Session whose environment to use. Default \"default\"."},
			{name: "upgrade", kind: "boolean", description: "true: also upgrade what is installed to the newest version. Default false."},
			{name: "wait_seconds", kind: "number", description: waitWords},
		},
		hints:  hints{destructive: true, openWorld: true},
		handle: t.handleInstallDependencies,
	}
}

func (t *tools) handleInstallDependencies(ctx context.Context, a *call) *mcp.CallToolResult {
	begun := time.Now()
	file := a.String("file")
	var rules []arguments.Rule
	if file == "" {
		rules = []arguments.Rule{arguments.NonEmpty}
	}
	packages := a.Strings("packages", rules...)
	if file == "" && packages == nil && a.Err() == nil {
		a.Problem("packages", "is missing, and so is file: give what to install, or a file that lists it.")
	}
	name := a.String("session")
	upgrade := a.Bool("upgrade", false)
	deadline := begun.Add(waitSeconds(a))
	if len(packages) > maxPackages {
		a.Problem("packages", fmt.Sprintf("names %d packages: the limit is %d a call.", len(packages), maxPackages))
	}
	if err := a.Err(); err != nil {
		return jsonError(err)
	}
	if err := t.sessions.Allows(a.policy()); err != nil {
		return jsonError(err)
	}
	if err := t.sessions.MayInstall(); err != nil {
		return jsonError(fmt.Errorf("nothing was installed: %w", err))
	}
	wanted, err := t.wanted(packages, file)
	if err != nil {
		return jsonError(fmt.Errorf("nothing was installed: %w", err))
	}
	s, err := t.sessions.OpenFor(conversation(ctx), name)
	if err != nil {
		return jsonError(err)
	}
	through, err := s.ThroughKernel(ctx, conversation(ctx))
	if err != nil {
		return jsonError(fmt.Errorf("nothing was installed: %w", err))
	}
	if through {
		return t.installElsewhere(ctx, a, s, wanted, upgrade, deadline)
	}
	e, err := s.Install(conversation(ctx), wanted, upgrade)
	if err != nil {
		return jsonError(err)
	}
	t.wait(ctx, e, deadline)
	return t.installAnswer(ctx, e, a.Notes())
}

// installElsewhere installs with the pip of a kernel that is not on this machine: as
// code, in the session's queue, and answered as code is.
func (t *tools) installElsewhere(ctx context.Context, a *call, s *session.Session, wanted packaging.Wanted, upgrade bool, deadline time.Time) *mcp.CallToolResult {
	var requirements []string
	for _, r := range wanted.Requirements {
		if r.Path != "" {
			return jsonError(fmt.Errorf("nothing was installed: %s is a path on this machine, and the session's kernel is on another", r.Path))
		}
		requirements = append(requirements, r.String())
	}
	code, err := elsewhere.InstallCode(requirements, upgrade)
	if err != nil {
		return jsonError(err)
	}
	e, err := s.Execute(session.Request{By: conversation(ctx), Code: code})
	rpc.Queued(ctx)
	if err != nil {
		return jsonError(err)
	}
	return t.finish(ctx, a, e, deadline, []string{"run by the pip of the kernel's own Python, as code of this session"})
}

// wanted reads what is to be installed. Directories are opened only for what names
// a file: installing a package must work without a storage. All paths of a call are
// in the code storage or, when it does not have them, in the working directory.
func (t *tools) wanted(packages []string, file string) (packaging.Wanted, error) {
	if file == "" && !slices.ContainsFunc(packages, func(p string) bool { return strings.HasPrefix(strings.TrimSpace(p), ".") }) {
		return packaging.Want(packages, "", nil)
	}
	storage, err := t.sessions.Storage()
	if err != nil {
		return packaging.Wanted{}, err
	}
	wanted, err := packaging.Want(packages, file, storage)
	requirement, _ := errors.AsType[*packaging.RequirementError](err)
	if err == nil || !isElsewhere(err) && (requirement == nil || !requirement.NoProject) {
		return wanted, err
	}
	work := t.sessions.WorkFolder()
	if work == nil {
		return wanted, err
	}
	defer work.Close()
	there, failed := packaging.Want(packages, file, work)
	if isElsewhere(failed) {
		return wanted, nowhere(err, failed, work.Dir())
	}
	return there, failed
}

// installAnswer tells of an installation, under way or finished.
func (t *tools) installAnswer(ctx context.Context, e *session.Execution, notes []string) *mcp.CallToolResult {
	r := e.Report(-1)
	rpc.AfterDelivery(ctx, r.Delivered)
	answer := object{"id": r.ID, "session": r.Session, "seconds": round2(r.Elapsed)}
	if len(notes) > 0 {
		answer["notes"] = notes
	}
	if r.State != session.StateFinished {
		answer["status"] = string(r.State)
		doing := string(r.State)
		if r.Activity != "" {
			doing += ": " + r.Activity
		}
		answer["message"] = fmt.Sprintf("%s. It goes on by itself: do not send it again; get_execution id=%s shows it, interrupt_execution id=%s stops it", doing, r.ID, r.ID)
		return jsonResult(answer)
	}
	if r.Installed.Environment != nil {
		answer["env_type"] = string(r.Installed.Environment.Kind)
		answer["environment"] = r.Installed.Environment.Prefix
	}
	if r.Err != nil {
		answer["status"] = "error"
		if r.Outcome == session.OutcomeCancelled {
			answer["status"] = "cancelled"
		}
		answer["error"] = render.CutMiddle(explain(r.Err), maxErrorCharacters)
		if left := leftBehind(r.Err); left != "" {
			answer["message"] = left
		}
		if restart := r.Installed.Stale.Restart; len(restart) > 0 {
			answer["restart_required"] = restart
		}
		result := jsonResult(answer)
		result.IsError = r.Outcome != session.OutcomeCancelled
		return result
	}
	t.installed(answer, r)
	return jsonResult(answer)
}

// leftBehind says what an installation that failed or was cancelled has done to
// the environment, "" when it never began for another reason than a setting.
func leftBehind(err error) string {
	failed, ok := errors.AsType[*install.Error](err)
	_, forbidden := errors.AsType[*install.ForbiddenError](err)
	switch {
	case forbidden:
		return "nothing was installed"
	case !ok:
		return ""
	case failed.Unknown:
		return "what was changed before could not be found out: check the packages"
	case len(failed.Changes) == 0 && failed.Reason == install.ReasonNetwork:
		return "nothing was changed: the environment is as before. Try once more; if it fails again, only the person can help: the network, the proxy (HTTPS_PROXY) or the index (PIP_INDEX_URL, UV_DEFAULT_INDEX) in the client's configuration of this server"
	case len(failed.Changes) == 0:
		return "nothing was changed: the environment is as before"
	}
	var done []string
	for _, c := range failed.Changes {
		switch {
		case c.Old == "":
			done = append(done, c.Name+" "+c.New+" (new)")
		case c.New == "":
			done = append(done, c.Name+" "+c.Old+" (removed)")
		default:
			done = append(done, c.Name+" "+c.Old+" -> "+c.New)
		}
	}
	return "the environment is NOT as before; changed: " + strings.Join(done, ", ") + ". check_installed_packages tells whether one of them is broken"
}

// installed adds what a finished installation did: what changed, and what was
// asked for and there already.
func (t *tools) installed(answer object, r session.Report) {
	var requested, there, warnings []string
	for _, req := range r.Installed.Requested.Requirements {
		requested = append(requested, req.String())
	}
	var changes []object
	for _, c := range r.Installed.Changes {
		change := object{"name": c.Name}
		if c.Old != "" {
			change["old"] = c.Old
		}
		if c.New != "" {
			change["new"] = c.New
		}
		changes = append(changes, change)
	}
	for _, u := range r.Installed.Unchanged {
		there = append(there, u.Name+" "+u.Version)
	}
	restart := r.Installed.Stale.Restart
	switch {
	case len(restart) > 0 && r.Installed.Stale.Unknown:
		warnings = append(warnings, "the session's kernel is busy and could not be asked what it has imported: where it has, it goes on with the old version until it is restarted (which loses its variables)")
	case len(restart) > 0:
		warnings = append(warnings, "the session's kernel goes on with the old version of what it has imported: restart it (stop_session restart=true, which loses its variables) to use the new one")
	}
	answer["status"] = "success"
	answer["installed_packages"] = requested
	answer["changes"] = changes
	answer["already_installed"] = there
	answer["tool"] = r.Installed.Tool
	answer["restart_required"] = restart
	answer["warnings"] = append(warnings, warningLines(r.Installed.Output)...)
}

// maxWarningLines bounds how many of an installer's warnings are handed on.
const maxWarningLines = 10

// warningLines are the lines of an installer's output that its changes do not tell.
func warningLines(output string) []string {
	var found []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if word, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(word, "warning") && !slices.Contains(found, line) && len(found) < maxWarningLines {
			found = append(found, render.CutMiddle(line, 400))
		}
	}
	return found
}

func round2(d time.Duration) float64 { return float64(d.Milliseconds()/10) / 100 }

func (t *tools) checkInstalledPackages() tool {
	return tool{
		name:        "check_installed_packages",
		title:       "Check packages",
		description: "Tell whether packages are installed in the session's environment, and which versions. Takes names as installed (\"scikit-learn\", \"pandas>=2\") or as imported (\"sklearn\", \"cv2\"). Imports nothing and runs beside what the session runs.",
		arguments: []argument{
			{name: "packages", kind: "array", required: true, description: "Names or requirements."},
			{name: "session", kind: "string", description: "Session whose environment to use. Default \"default\"."},
		},
		hints:  hints{readOnly: true, idempotent: true},
		handle: t.handleCheckInstalledPackages,
	}
}

// checkTime bounds a check; only an environment that is still being made takes long.
const checkTime = 45 * time.Second

func (t *tools) handleCheckInstalledPackages(ctx context.Context, a *call) *mcp.CallToolResult {
	packages := a.Strings("packages", arguments.Required, arguments.NonEmpty)
	name := a.String("session")
	if len(packages) > maxPackages {
		a.Problem("packages", fmt.Sprintf("names %d packages: the limit is %d a call.", len(packages), maxPackages))
	}
	// The answer repeats the names.
	for i, p := range packages {
		if len(p) > packaging.MaxRequirement {
			a.Problem("packages", fmt.Sprintf("has %d bytes as element %d: the limit is %d.", len(p), i+1, packaging.MaxRequirement))
		}
	}
	if err := a.Err(); err != nil {
		return jsonError(err)
	}
	s, err := t.sessions.OpenFor(conversation(ctx), name)
	if err != nil {
		return jsonError(err)
	}
	packages = unique(packages)
	ctx, cancel := context.WithTimeoutCause(ctx, checkTime, errEnvironmentNotReady)
	defer cancel()
	env, statuses, err := s.Check(ctx, conversation(ctx), packages)
	if err != nil {
		return jsonError(err)
	}
	details, missing, all := object{}, []string{}, true
	for _, p := range statuses {
		details[p.Requested] = packageObject(p)
		if !p.Satisfied {
			all = false
			missing = append(missing, p.Requested)
		}
	}
	return jsonResult(withNotes(object{
		"status":          "success",
		"env_type":        string(env.Kind),
		"environment":     env.Prefix,
		"all_installed":   all,
		"not_installed":   missing,
		"package_details": details,
	}, a))
}

// unique is each of the words once, in their order.
func unique(words []string) []string {
	var once []string
	for _, word := range words {
		if !slices.Contains(once, word) {
			once = append(once, word)
		}
	}
	return once
}

func packageObject(p pyenv.PackageStatus) object {
	o := object{"installed": p.Installed}
	for key, value := range map[string]string{"name": p.Name, "version": p.Version, "location": p.Location, "error": p.Error, "via": p.Via, "editable": p.Editable, "hint": p.Hint} {
		if value != "" {
			o[key] = value
		}
	}
	if p.Installed && !p.Satisfied {
		o["satisfied"] = false
	}
	return o
}
