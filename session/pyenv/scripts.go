package pyenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// scriptMark is written between what scripts print and the variables.
const scriptMark = "\x00mce-vars\x00"

// runFiles sources its arguments and prints the variables that came of it. The
// environment's Python prints them: "env -0" is not everywhere.
const runFiles = `for f; do . "$f" >&2 </dev/null || printf 'failed %s\0' "$f"; done
exec "$MCE_PYTHON" -I -S -B -c 'import os
b = b"\0mce-vars\0" + b"\0".join(k + b"=" + v for k, v in os.environb.items())
while b: b = b[os.write(1, b):]'`

// scriptAnswer is what the activation scripts of an environment made of its
// variables, remembered so that they run once.
type scriptAnswer struct {
	environ  []string
	warnings []string
	expires  time.Time // of a failure, which may have been a busy machine's
}

// Bounds of what is remembered of scripts.
const (
	maxScripts     = 32
	scriptsRetried = time.Minute
)

// runScripts takes over what an environment's activation scripts change, if there
// are any. They run in one helper shell, once until they or the variables
// change. A failure is a warning.
func (f *Finder) runScripts(ctx context.Context, env *Environment, scripts []string) error {
	if len(scripts) == 0 || runtime.GOOS == "windows" {
		return nil
	}
	key := scriptKey(env, scripts)
	f.mu.Lock()
	answer, ok := f.scripts[key]
	f.mu.Unlock()
	if !ok || !answer.expires.IsZero() && time.Now().After(answer.expires) {
		var err error
		answer, err = f.running.do(ctx, key, func() (scriptAnswer, error) {
			answer, err := f.askShell(ctx, env, scripts)
			if err != nil {
				return answer, err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.scripts == nil || len(f.scripts) >= maxScripts {
				f.scripts = map[string]scriptAnswer{}
			}
			f.scripts[key] = answer
			return answer, nil
		})
		if err != nil {
			return err
		}
	}
	env.Vars = slices.Clone(answer.environ)
	env.Warnings = append(env.Warnings, answer.warnings...)
	return nil
}

// scriptKey changes with all that scripts can be expected to depend on: the
// variables, the scripts, and the packages of the environment.
func scriptKey(env *Environment, scripts []string) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%q%q", env.Python, env.Vars)
	for _, path := range append(slices.Clone(scripts), filepath.Join(env.Prefix, "conda-meta", "history")) {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(hash, "%q %d %d %v", path, info.ModTime().UnixNano(), info.Size(), info.Mode())
		}
	}
	return string(hash.Sum(nil))
}

// askShell runs the scripts.
func (f *Finder) askShell(ctx context.Context, env *Environment, scripts []string) (scriptAnswer, error) {
	before := host.VarsOf(env.Vars)
	helper := host.VarsOf(env.Vars)
	helper.Unset("BASH_ENV") // would be run before the scripts
	helper.Unset("ENV")
	helper.Set("MCE_PYTHON", env.Python)
	argv := []string{f.Host.Sys("/bin/sh"), "-c", runFiles, "activate"}
	if bash := host.LookPath("bash", append(f.Host.PathDirs(), "/bin", "/usr/bin")); bash != "" {
		argv = []string{bash, "--noprofile", "--norc", "-c", runFiles, "activate"}
	}
	limit := f.scriptTimeout
	if limit == 0 {
		limit = 10 * time.Second
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("they took longer than %v", limit))
	defer cancel()
	stdout, stderr, err := f.Host.Output(limited, helper.Environ(), append(argv, scripts...)...)
	if ctx.Err() != nil {
		return scriptAnswer{}, context.Cause(ctx)
	}
	if host.NotStarted(err) {
		return scriptAnswer{}, err
	}
	failed, after, ok := bytes.Cut(stdout, []byte(scriptMark))
	if !ok {
		warning := strings.TrimSpace(fmt.Sprintf("the activation scripts of %s had no effect: %v %s", env.Prefix, err, host.LastLines(stderr, 3)))
		return scriptAnswer{environ: env.Vars, warnings: []string{warning}, expires: time.Now().Add(scriptsRetried)}, nil
	}
	var answer scriptAnswer
	for line := range bytes.SplitSeq(failed, []byte{0}) {
		if name, ok := bytes.CutPrefix(line, []byte("failed ")); ok {
			answer.warnings = append(answer.warnings, fmt.Sprintf("the activation script %s failed: %s", name, host.LastLines(stderr, 3)))
		}
	}
	answer.environ = takeOver(before, host.VarsOf(strings.Split(string(after), "\x00")))
	return answer, nil
}

// takeOver applies what changed between before and after; what a shell sets by
// itself is no change.
func takeOver(before, after *host.Vars) []string {
	own := []string{"_", "SHLVL", "PWD", "OLDPWD", "MCE_PYTHON", "BASH_ENV", "ENV", "LC_CTYPE"}
	if changed, ok := after.Get(host.Changed); ok { // by a sandbox, before the scripts ran
		own = append(append(own, host.Changed), strings.Split(changed, ",")...)
	}
	for _, name := range slices.Clone(before.Names) {
		if _, ok := after.Get(name); !ok && !slices.Contains(own, name) {
			before.Unset(name)
		}
	}
	for _, name := range after.Names {
		if !slices.Contains(own, name) {
			value, _ := after.Get(name)
			before.Set(name, value)
		}
	}
	return before.Environ()
}
