package pyenv

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// condaAnswer is what the conda program knows, the last resort: it takes a
// second, and micromamba's answer has "envs" alone.
type condaAnswer struct {
	Root string   `json:"root_prefix"`
	Envs []string `json:"envs"`
	at   time.Time
}

func (a condaAnswer) named(name string) []string {
	var prefixes []string
	for _, prefix := range a.Envs {
		if filepath.Base(prefix) == name {
			prefixes = append(prefixes, prefix)
		}
	}
	return distinct(prefixes, hasMeta)
}

// CondaFinder finds installations of conda, mamba and micromamba, and where
// their environments are. It is safe for concurrent use and must not be copied.
type CondaFinder struct {
	*Host

	mu     sync.Mutex  // protects the field below
	answer condaAnswer // the last one
}

// askConda runs "conda info --json" or its like, at most once a minute.
func (f *CondaFinder) askConda(ctx context.Context, environ []string, places condaPlaces) condaAnswer {
	f.mu.Lock()
	last := f.answer
	f.mu.Unlock()
	if time.Since(last.at) < time.Minute {
		return last
	}
	argv := f.condaQuestion(places)
	if argv == nil {
		return condaAnswer{}
	}
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	stdout, _, err := f.output(limited, environ, argv...)
	answer := condaAnswer{at: time.Now()}
	if i := bytes.IndexByte(stdout, '{'); i >= 0 { // plugins print before it
		_ = json.NewDecoder(bytes.NewReader(stdout[i:])).Decode(&answer)
	}
	f.log().Debug("asked conda", "argv", argv, "envs", len(answer.Envs), "error", err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
	return answer
}

func (f *CondaFinder) condaQuestion(places condaPlaces) []string {
	if exe := f.getenv("CONDA_EXE"); filepath.IsAbs(exe) && executable(exe) {
		return []string{exe, "info", "--json"}
	}
	for _, root := range append(slices.Clone(places.selected), places.usual...) {
		if exe := condaProgram(root); exe != "" {
			return []string{exe, "info", "--json"}
		}
	}
	if exe := lookup("conda", f.pathDirs()); exe != "" {
		return []string{exe, "info", "--json"}
	}
	if exe := f.getenv("MAMBA_EXE"); filepath.IsAbs(exe) && executable(exe) {
		return []string{exe, "env", "list", "--json"}
	}
	if exe := lookup("micromamba", append(f.pathDirs(), filepath.Join(f.Home, ".local", "bin"))); exe != "" {
		return []string{exe, "env", "list", "--json"}
	}
	return nil
}
