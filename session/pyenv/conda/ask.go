package conda

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// answer is what the conda program knows, the last resort: it takes a
// second, and micromamba's answer has "envs" alone.
type answer struct {
	Root string   `json:"root_prefix"`
	Envs []string `json:"envs"`
	at   time.Time
}

func (a answer) Named(name string) []string {
	var prefixes []string
	for _, prefix := range a.Envs {
		if filepath.Base(prefix) == name {
			prefixes = append(prefixes, prefix)
		}
	}
	return host.Distinct(prefixes, IsPrefix)
}

// Finder finds installations of conda, mamba and micromamba, and where
// their environments are. It is safe for concurrent use and must not be copied.
type Finder struct {
	Host *host.Host

	mu     sync.Mutex // protects the field below
	answer answer     // the last one
}

// Ask runs "conda info --json" or its like, at most once a minute.
func (f *Finder) Ask(ctx context.Context, environ []string, places Places) answer {
	f.mu.Lock()
	last := f.answer
	f.mu.Unlock()
	if time.Since(last.at) < time.Minute {
		return last
	}
	argv := f.question(places)
	if argv == nil {
		return answer{}
	}
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	stdout, _, err := f.Host.Output(limited, environ, argv...)
	answer := answer{at: time.Now()}
	if i := bytes.IndexByte(stdout, '{'); i >= 0 { // plugins print before it
		_ = json.NewDecoder(bytes.NewReader(stdout[i:])).Decode(&answer)
	}
	f.Host.Log().Debug("asked conda", "argv", argv, "envs", len(answer.Envs), "error", err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
	return answer
}

func (f *Finder) question(places Places) []string {
	if exe := f.Host.Variable("CONDA_EXE"); filepath.IsAbs(exe) && host.Executable(exe) {
		return []string{exe, "info", "--json"}
	}
	for _, root := range append(slices.Clone(places.Selected), places.Usual...) {
		if exe := Program(root); exe != "" {
			return []string{exe, "info", "--json"}
		}
	}
	if exe := host.LookPath("conda", f.Host.PathDirs()); exe != "" {
		return []string{exe, "info", "--json"}
	}
	if exe := f.Host.Variable("MAMBA_EXE"); filepath.IsAbs(exe) && host.Executable(exe) {
		return []string{exe, "env", "list", "--json"}
	}
	if exe := host.LookPath("micromamba", append(f.Host.PathDirs(), filepath.Join(f.Host.Home, ".local", "bin"))); exe != "" {
		return []string{exe, "env", "list", "--json"}
	}
	return nil
}
