package pyenv

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/packaging"
)

//go:embed probe.py
var probeScript string

// probeMark stands before the answer, since an environment's own start-up code
// may print.
const probeMark = "mce-probe:"

// minPython is the oldest minor version of Python 3 that is not refused.
const minPython = 8

// probeEntry is an answer and what it depends on.
type probeEntry struct {
	stamp string
	info  ProbeInfo
}

// maxProbes bounds how many answers are remembered.
const maxProbes = 64

// Probe fills env.Info from env.Python, started with env.Vars: the kernel's own
// view, so without -I. An answer is remembered until something it depends on
// changes; those who ask at the same time share one.
func (f *Finder) Probe(ctx context.Context, env *Environment) error {
	key := probeKey(env)
	f.mu.Lock()
	entry, ok := f.probes[key]
	f.mu.Unlock()
	if ok && entry.stamp == stampOf(env, entry.info.Depends) {
		env.Info = entry.info
		return nil
	}
	info, err := f.probing.do(ctx, key, func() (ProbeInfo, error) {
		info, err := f.askPython(ctx, env)
		if err != nil {
			return info, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.probes == nil || len(f.probes) >= maxProbes {
			f.probes = map[string]probeEntry{}
		}
		f.probes[key] = probeEntry{stampOf(env, info.Depends), info}
		return info, nil
	})
	if err != nil {
		return err
	}
	env.Info = info
	return nil
}

// probeKey tells apart questions that can have different answers at one time:
// another python, or another set of variables for it.
func probeKey(env *Environment) string {
	sum := sha256.Sum256([]byte(strings.Join(env.Vars, "\x00")))
	return env.Python + "\x00" + string(sum[:])
}

// Forget makes the next probe of a python ask it.
func (f *Finder) Forget(python string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.probes, func(key string, _ probeEntry) bool { return strings.HasPrefix(key, python+"\x00") })
}

// stampOf changes whenever the answer may: by the python and what it is a link
// to, the environment's own files, and what Python said its answer depends on
// (the directories of sys.path, .pth files, the kernel's packages).
func stampOf(env *Environment, depends []string) string {
	var b strings.Builder
	real, _ := filepath.EvalSymlinks(env.Python)
	fmt.Fprintf(&b, "%q", real)
	add := func(path string) {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, " %d:%d:%o", info.ModTime().UnixNano(), info.Size(), info.Mode())
		} else {
			b.WriteString(" -")
		}
	}
	for _, path := range append([]string{env.Python}, kinds.Stamps(env.Prefix)...) {
		add(path)
	}
	if shims := filepath.Dir(env.Python); filepath.Base(shims) == "shims" {
		add(filepath.Join(filepath.Dir(shims), "version")) // what "pyenv global" writes
	}
	for _, path := range depends {
		add(path)
	}
	return b.String()
}

func (f *Finder) askPython(ctx context.Context, env *Environment) (ProbeInfo, error) {
	limit := f.ProbeTimeout
	if limit == 0 {
		limit = 10 * time.Second
	}
	tooLong := errors.New("probe timed out")
	limited, cancel := context.WithTimeoutCause(ctx, limit, tooLong)
	defer cancel()
	stdout, stderr, err := f.Host.Output(limited, env.Vars, env.Python, "-B", "-c", probeScript)
	if ctx.Err() != nil {
		return ProbeInfo{}, context.Cause(ctx)
	}
	if host.NotStarted(err) {
		return ProbeInfo{}, err
	}
	if errors.Is(err, tooLong) {
		return ProbeInfo{}, &BrokenError{Path: env.Python, Reason: fmt.Sprintf("it did not answer within %v", limit),
			Fix: "start it by hand to see what it waits for", Err: context.DeadlineExceeded}
	}
	info, parseErr := parseProbe(stdout)
	if f.Host.Looker != nil { // what looks may write nowhere, an installer may
		info.Writable = info.Purelib != "" && host.Writable(info.Purelib)
	}
	if parseErr != nil {
		if variables := f.blame(limited, env); len(variables) > 0 {
			return ProbeInfo{}, &VariableError{Python: env.Python, Variables: variables, Reason: cmp.Or(tellingLine(stderr), parseErr.Error())}
		}
		return ProbeInfo{}, notStarting(env, err, stderr, parseErr)
	}
	if tooOld(info.Version) {
		return info, &BrokenError{Path: env.Python, Reason: "it is Python " + info.Version + "; 3." + strconv.Itoa(minPython) + " or newer is needed",
			Fix: "make an environment with a newer Python"}
	}
	return info, nil
}

// parseProbe reads probe.py's answer out of what was printed.
func parseProbe(stdout []byte) (ProbeInfo, error) {
	i := bytes.LastIndex(stdout, []byte(probeMark))
	if i < 0 {
		return ProbeInfo{}, errors.New("it gave no answer")
	}
	line, _, _ := bytes.Cut(stdout[i+len(probeMark):], []byte("\n"))
	var info ProbeInfo
	if err := json.Unmarshal(line, &info); err != nil {
		return ProbeInfo{}, fmt.Errorf("its answer cannot be read: %w", err)
	}
	if info.Version == "" || info.Executable != "" && !filepath.IsAbs(info.Executable) {
		return ProbeInfo{}, errors.New("its answer makes no sense")
	}
	return info, nil
}

// notStarting words the failure of a python that ran no probe.
func notStarting(env *Environment, err error, stderr string, parseErr error) error {
	reason := "it does not work: " + parseErr.Error()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		reason = "it does not start: " + exit.Error()
	case err != nil:
		reason = "it does not start: " + err.Error()
	}
	if line := tellingLine(stderr); line != "" {
		reason += ": " + line
	}
	broken := &BrokenError{Path: env.Python, Reason: reason, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission): // another user's, or on a disk that runs no programs
		broken.Fix = "choose an environment whose python this user may run, or ask its owner to run chmod a+rx " + host.CommandLine(env.Python)
	case env.Kind != kinds.System:
		broken.Fix = kinds.Remake(env.Prefix)
	}
	return broken
}

// tooOld reports whether a Python's version is refused.
func tooOld(version string) bool {
	return packaging.CompareReleases(version, "3."+strconv.Itoa(minPython)) < 0
}
