package install

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
)

// Reason is why an installation failed, as far as it can be told.
type Reason string

// Reasons of failures.
const (
	ReasonUnknown     Reason = ""
	ReasonNotFound    Reason = "not found"          // no such package, or no such version
	ReasonConflict    Reason = "conflict"           // the requirements exclude each other
	ReasonPython      Reason = "python version"     // the package is not for this Python
	ReasonLogin       Reason = "login"              // the index wants credentials, or others
	ReasonNetwork     Reason = "network"            // the index was not reached
	ReasonBuild       Reason = "build"              // a source package did not build
	ReasonCorrupt     Reason = "corrupt file"       // what was served is no package
	ReasonHash        Reason = "hash mismatch"      // what was served is not what a hash says
	ReasonPermission  Reason = "permission"         // the environment cannot be written to
	ReasonDiskFull    Reason = "disk full"          //
	ReasonManaged     Reason = "externally managed" // belongs to the system (PEP 668, CEP 22)
	ReasonNoInstaller Reason = "no installer"       // neither pip, ensurepip, uv nor conda
)

var errNoInstaller = errors.New("it has no pip and no ensurepip, and no uv was found")

// Error says that an installation failed.
type Error struct {
	Env      string   // the environment's label
	Tool     string   // "pip", "uv", "conda", "" when none was started
	Command  []string // without secrets
	ExitCode int      // -1 when the tool did not exit by itself
	Tail     string   // the tool's last lines
	Reason   Reason
	Changes  []Change // what it changed before it failed; empty: the environment is as before
	Unknown  bool     // what it changed could not be found out
	Err      error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "installing into %s failed", e.Env)
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Tail != "" {
		b.WriteString("\n" + e.Tail)
	}
	return b.String()
}

// Unwrap gives the cause: an *exec.ExitError, or a context's.
func (e *Error) Unwrap() error { return e.Err }

// ForbiddenError says that a setting forbids what was to be done. Nothing was started.
type ForbiddenError struct {
	Reason string // "INSTALL=never forbids installing packages"
	Allow  string // the setting that allows it: "INSTALL=auto"
}

func (e *ForbiddenError) Error() string {
	return e.Reason + "; only the person who configures this server can allow it, by " + e.Allow
}

// Forbids is a [*ForbiddenError] where nothing may be installed; what is to be done is
// said as "fetching uv".
func (i *Installer) Forbids(what string) error {
	if !i.Never {
		return nil
	}
	return &ForbiddenError{Reason: "INSTALL=never forbids " + what, Allow: "INSTALL=auto"}
}

// refuseInstall refuses environments that belong to somebody else, before an
// installer finds a way round it, as pip does with --user.
func refuseInstall(env *pyenv.Environment) error {
	e := &Error{Env: env.Label(), ExitCode: -1}
	switch {
	case env.Info.ExternallyManaged != "":
		e.Reason, e.Err = ReasonManaged, fmt.Errorf("this Python is managed by other means: %s", env.Info.ExternallyManaged)
	case !env.Info.Writable:
		e.Reason, e.Err = ReasonPermission, fmt.Errorf("%s is not writable", env.Info.Purelib)
	default:
		return nil
	}
	return e
}

// signs of failures in what installers print, the surest first. A trap: offline
// pip ends with the same "No matching distribution found" as for a misspelt name,
// only the retries before it differ; so the network comes before it.
var signs = []struct {
	reason  Reason
	pattern string
}{
	{ReasonDiskFull, `(?i)no space left on device|disk quota exceeded|errno 28\b|NoSpaceLeftError|os error 28\b|not enough space on the disk`},
	{ReasonManaged, `(?i)externally[- ]managed|EnvironmentIsFrozenError`},
	{ReasonHash, `Hash mismatch|DO NOT MATCH THE HASHES|ChecksumMismatchError`},
	{ReasonConflict, `ResolutionImpossible|Unsatisfiable(Error|SpecError)|Double requirement given|conflicting URLs`},
	{ReasonLogin, `(?i)401 (Client|Unauthorized|Error)|403 (Client|Forbidden)|lack of valid authentication|HTTP error 40[13]`},
	{ReasonNotFound, `(?i)404 (Client|Not Found)|HTTP error 404|Repository not found`},
	{ReasonNetwork, `(?i)NewConnectionError|NameResolutionError|Retrying \(Retry|temporary failure in name resolution|` +
		`error sending request|Failed to fetch|CondaHTTPError|CONNECTION FAILED|ConnectTimeoutError|ReadTimeoutError|IncompleteRead|` +
		`end of file before message length|error (reading a body|decoding response body)|` +
		`dns error|operation timed out|connection (refused|reset|aborted)|network was disabled|SSLError|unable to access 'https`},
	{ReasonPython, `(?i)requires a different python|that require a different python version|does not satisfy Python|requires Python ?[<>=!~]`},
	{ReasonNotFound, `(?i)No matching distribution found|was not found in the package registry|was not found in the provided package locations|` +
		`Packages?NotFoundError|Package missing in current|there (are no versions|is no version) of|nothing provides`},
	{ReasonBuild, `(?i)failed building wheel|failed to build|metadata-generation-failed|subprocess-exited-with-error|` +
		`build backend returned an error`},
	{ReasonCorrupt, `(?i)invalid wheel|not a supported wheel|is invalid\.|bad zip|not a zip|Failed to (extract|read|unzip)|has an invalid`},
	{ReasonPermission, `(?i)permission denied|errno 13\b|os error 13\b|NotWritableError|access is denied|read-only file system`},
	{ReasonConflict, `(?i)conflicting dependencies|requirements are unsatisfiable|no solution found|are incompatible`},
}

// Classify tells a failure's reason from the installer's output.
func Classify(output string) Reason {
	for _, sign := range signs {
		if regexp.MustCompile(sign.pattern).MatchString(output) {
			return sign.reason
		}
	}
	return ReasonUnknown
}
