// Package launch holds launch.py and its package mce_launch, the only things of
// ours that run inside a kernel, and says how a kernel is started with them.
//
// launch.py starts ipykernel 6.17 to 7.x and changes what a server needs
// changed: no output is lost or arrives in one huge message, an interrupt
// always leads to an answer, files lying in the working directory cannot break
// the start. The user's own IPython configuration and start-up files still
// apply; the history database of the user is left alone.
//
// What it says on the kernel's stderr, one line each, begins with [Prefix]; see
// [ParseLine].
package launch

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed launch.py mce_launch/*.py
var sources embed.FS

// Name is the script's name in the directory given to [Write].
const Name = "launch.py"

// Exit statuses of a kernel that could not start. A line on stderr says why.
const (
	// ExitMissing: the environment has no ipykernel.
	ExitMissing = 3
	// ExitBroken: importing ipykernel failed.
	ExitBroken = 4
	// ExitStart: ipykernel could not start, for example its sockets.
	ExitStart = 5
)

// Options change how a kernel is started. The zero value is useful.
type Options struct {
	// Sidecar is a directory that is appended to the kernel's sys.path: what it
	// holds is found after everything the environment has. Empty for none.
	Sidecar string
	// NoPrelude leaves the display settings of pandas, numpy and matplotlib and
	// the size of Out as they are.
	NoPrelude bool
}

// Write puts launch.py and its package into dir, which must be private to the
// user (anyone who can write there runs code as the user), and returns the path
// of the script. The files have mode 0600; those that are already there are
// replaced. It is safe to call concurrently with kernels starting from the same
// directory.
func Write(dir string) (script string, err error) {
	err = fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case entry.IsDir():
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); !errors.Is(err, fs.ErrExist) {
				return err
			}
			return nil
		}
		source, err := sources.ReadFile(name)
		if err != nil {
			return err
		}
		return writeFile(filepath.Join(dir, filepath.FromSlash(name)), source)
	})
	if err != nil {
		return "", fmt.Errorf("writing the launcher: %w", err)
	}
	return filepath.Join(dir, Name), nil
}

// writeFile replaces a file at once: a kernel that starts now reads the old one or
// the new one, never half.
func writeFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// Args returns the command line of a kernel, python first:
//
//	PYTHON SCRIPT [--mce-sidecar=DIR] [--mce-no-prelude] -f CONNECTION_FILE
//
// python is the environment's interpreter, script the path Write returned; all
// paths should be absolute. stdin of the process should be /dev/null, stdout
// and stderr something that is always drained. The kernel ends within a second
// or two of its parent, unless JPY_PARENT_PID says otherwise.
//
// -Xfrozen_modules=off, which others add, only silences debugpy, and debugpy is
// not loaded.
func Args(python, script, connectionFile string, o Options) []string {
	args := []string{python, script}
	if o.Sidecar != "" {
		args = append(args, "--mce-sidecar="+o.Sidecar)
	}
	if o.NoPrelude {
		args = append(args, "--mce-no-prelude")
	}
	return append(args, "-f", connectionFile)
}

// Prefix begins each line launch.py writes to stderr.
const Prefix = "mce-launch: "

// Problem is what launch.py says is wrong.
type Problem struct {
	// Step is the step that failed while the kernel runs all the same, or empty:
	// then the kernel ended, with one of the Exit statuses.
	Step string
	// Message is the reason, "TYPE: MESSAGE" of the Python exception, or
	// without a step the whole sentence ("ipykernel missing: …").
	Message string
}

// ParseLine reads a line of a kernel's stderr; ok is false for lines that are
// not launch.py's. User code can write such a line too: it is information, not
// proof.
func ParseLine(line string) (p Problem, ok bool) {
	text, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), Prefix)
	if !ok || text == "" {
		return Problem{}, false
	}
	if rest, found := strings.CutPrefix(text, "step="); found {
		step, message, cut := strings.Cut(rest, " error=")
		if cut {
			return Problem{Step: step, Message: message}, true
		}
	}
	return Problem{Message: text}, true
}
