package kernelspec

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// IPython reports whether the kernelspec is a Python that runs ipykernel, and nothing
// around it (a wrapper loads modules, enters a container, asks a scheduler).
func (s Spec) IPython() bool {
	if !strings.HasPrefix(filepath.Base(s.Argv[0]), "python") {
		return false
	}
	for i, word := range s.Argv[1:] {
		if word == "-m" && i+2 < len(s.Argv) && slices.Contains([]string{"ipykernel_launcher", "ipykernel"}, s.Argv[i+2]) {
			return true
		}
	}
	return false
}

// bare is a Python that the kernelspec does not say the place of.
var bare = regexp.MustCompile(`^python(3(\.[0-9]+)?)?(\.exe)?$`)

// Program is the path of what the kernelspec starts. A bare "python" is the one of the
// environment, or else the one beside the kernelspec; other bare names are looked up by
// look, which gives "" for what is not there.
func (s Spec) Program(python string, look func(string) string) string {
	name := s.Argv[0]
	if filepath.IsAbs(name) {
		return name
	}
	if bare.MatchString(name) {
		if python != "" {
			return python
		}
		prefix := filepath.Join(s.Dir, "..", "..", "..", "..") // of PREFIX/share/jupyter/kernels/NAME
		for _, own := range []string{filepath.Join(prefix, "bin", name), filepath.Join(prefix, "python.exe"), filepath.Join(prefix, "Scripts", "python.exe")} {
			if info, err := os.Stat(own); err == nil && info.Mode().IsRegular() {
				return own
			}
		}
	}
	if strings.ContainsRune(name, filepath.Separator) {
		return filepath.Join(s.Dir, name)
	}
	return look(name)
}

// placeholder is what Jupyter fills in.
var placeholder = regexp.MustCompile(`\{[A-Za-z0-9_]+\}`)

// Command is the command line with program at its head; {connection_file} in it is
// left for the kernel's start to fill in.
func (s Spec) Command(program, prefix string) []string {
	command := []string{program}
	for _, word := range s.Argv[1:] {
		command = append(command, placeholder.ReplaceAllStringFunc(word, func(name string) string {
			switch name {
			case "{resource_dir}":
				return s.Dir
			case "{prefix}":
				if prefix != "" {
					return prefix
				}
			}
			return name
		}))
	}
	return command
}

// variable is a reference in a value of env, as Python's string.Template has them.
var variable = regexp.MustCompile(`\$(\$|[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})`)

// Variables calls set for each variable of the kernelspec, in order of names. References
// to what get knows are replaced, others left.
func (s Spec) Variables(get func(string) (string, bool), set func(name, value string)) {
	names := make([]string, 0, len(s.Env))
	for name := range s.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	expanded := make([]string, len(names))
	for i, name := range names {
		expanded[i] = variable.ReplaceAllStringFunc(s.Env[name], func(reference string) string {
			if reference == "$$" {
				return "$"
			}
			if value, known := get(strings.Trim(reference, "${}")); known {
				return value
			}
			return reference
		})
	}
	for i, name := range names {
		set(name, expanded[i])
	}
}
