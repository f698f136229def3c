package kernelspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Spec is one kernelspec.
type Spec struct {
	Name     string // of its directory, in lower case
	Dir      string
	Argv     []string
	Display  string // what a person calls it
	Language string // in lower case
	Env      map[string]string
	// ByMessage says that the kernel is interrupted by a message, not by a signal.
	ByMessage bool
}

// NotFoundError says that no directory has a kernelspec of that name.
type NotFoundError struct {
	Name      string
	Available []string
	Searched  []string
}

func (e *NotFoundError) Error() string {
	known := "there is none on this machine"
	if len(e.Available) > 0 {
		known = "there are " + strings.Join(e.Available[:min(len(e.Available), maxNamed)], ", ")
	}
	return fmt.Sprintf("no kernelspec %q: %s; searched: %s", e.Name, known, strings.Join(e.Searched, ", "))
}

const (
	// maxNamed bounds what an error lists, maxSpecs what a directory is taken to hold.
	maxNamed = 20
	maxSpecs = 500
	// maxFile bounds a kernel.json, in bytes; one with embedded pictures is below 100 KB.
	maxFile = 1 << 20
)

// Find returns the kernelspec of that name; the first directory that has it counts.
// An error is a [*NotFoundError], or says what is wrong with the file.
func Find(dirs []string, name string) (Spec, error) {
	for _, at := range list(dirs) {
		if strings.EqualFold(filepath.Base(at), name) {
			return read(at)
		}
	}
	missing := &NotFoundError{Name: name, Searched: dirs}
	for _, spec := range All(dirs) {
		missing.Available = append(missing.Available, spec.Name)
	}
	return Spec{}, missing
}

// All returns the kernelspecs that can be read, by name.
func All(dirs []string) []Spec {
	var all []Spec
	for _, at := range list(dirs) {
		if spec, err := read(at); err == nil {
			all = append(all, spec)
		}
	}
	slices.SortFunc(all, func(a, b Spec) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// legal is what Jupyter takes for a name.
var legal = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// list returns the directories of kernelspecs, each name once.
func list(dirs []string) []string {
	var found []string
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir) // one that is not there has none
		for _, entry := range entries[:min(len(entries), maxSpecs)] {
			at := filepath.Join(dir, entry.Name())
			same := func(have string) bool { return strings.EqualFold(filepath.Base(have), entry.Name()) }
			if info, err := os.Stat(filepath.Join(at, "kernel.json")); err != nil || !info.Mode().IsRegular() || !legal.MatchString(entry.Name()) || slices.ContainsFunc(found, same) {
				continue
			}
			found = append(found, at)
		}
	}
	return found
}

func read(dir string) (Spec, error) {
	path := filepath.Join(dir, "kernel.json")
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	var raw []byte
	if err == nil {
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return Spec{}, fmt.Errorf("reading a kernelspec: %w", err)
	}
	spec, err := parse(raw)
	if err != nil {
		return Spec{}, fmt.Errorf("the kernelspec %s: %w", path, err)
	}
	spec.Name, spec.Dir = strings.ToLower(filepath.Base(dir)), dir
	return spec, nil
}

// parse reads a kernel.json.
func parse(raw []byte) (Spec, error) {
	var file struct {
		Argv          []string          `json:"argv"`
		DisplayName   string            `json:"display_name"`
		Language      string            `json:"language"`
		InterruptMode string            `json:"interrupt_mode"`
		Env           map[string]string `json:"env"`
		Metadata      map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return Spec{}, err
	}
	if len(file.Argv) == 0 || file.Argv[0] == "" {
		if file.Metadata["kernel_provisioner"] != nil {
			return Spec{}, errors.New("it has no argv: a kernel provisioner starts it, which only Jupyter has")
		}
		return Spec{}, errors.New("it has no argv: nothing says what to start")
	}
	return Spec{
		Argv:      file.Argv,
		Display:   file.DisplayName,
		Language:  strings.ToLower(file.Language),
		Env:       file.Env,
		ByMessage: file.InterruptMode == "message",
	}, nil
}
