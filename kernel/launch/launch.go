package launch

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
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
	// ExitOwnCode: there is start-up code of the user's, see Options.Sources.
	ExitOwnCode = 6
	// ExitPreimport: what Options.Preimport names cannot be imported unseen.
	ExitPreimport = 7
)

// Options change how a kernel is started. The zero value is useful.
type Options struct {
	// Sidecar is a directory that is appended to the kernel's sys.path: what it
	// holds is found after everything the environment has. Empty for none.
	Sidecar string
	// Pipes are the numbers of the descriptors that the kernel inherits: the
	// reading ends of its own stdout and stderr, and one to write its log to,
	// separated by commas (guard.Pipes). Empty where it inherits none.
	Pipes string
	// Unsent is the path of a file that MakeUnsent made. Empty for none.
	Unsent string
	// Code is a directory of the user's modules that is not the working directory:
	// it comes right behind it on sys.path. Empty for none.
	Code string
	// Sources is the path of a file that the kernel writes when it is up: what its
	// start has read, see [ReadSources]. A kernel that would run start-up code of the
	// user's ends instead, with [ExitOwnCode]. Empty for none.
	Sources string
	// Preimport names libraries that are imported before anybody asks for them; those
	// that the launcher does not know are left out. A session cannot tell: they are in
	// sys.modules when its code has imported them. Where that is impossible the kernel
	// ends with [ExitPreimport].
	Preimport []string
	// NoPrelude leaves the display settings of pandas, numpy and matplotlib and
	// the size of Out as they are.
	NoPrelude bool
	// Shared is for a kernel that others connect to: one that reads nothing must not
	// stop it.
	Shared bool
}

// Write makes dir (0700) with launch.py and its package in it, and returns the path
// of the script. All kernels of a server are to share one dir, so that they share the
// bytecode that Python puts there, see also [KeepBytecode]. It must lie where only the
// user can write: what is there runs as the user. Files (0600) that are in place are
// left, so Write can be called before each start: something that cleans temporary files
// may have taken some. It is safe for concurrent use, also while kernels start.
func Write(dir string) (script string, err error) {
	err = fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if err := os.Mkdir(path, 0o700); !errors.Is(err, fs.ErrExist) {
				return err
			}
			return nil
		}
		source, err := sources.ReadFile(name)
		if err != nil {
			return err
		}
		if info, err := os.Lstat(path); err == nil && info.Size() == int64(len(source)) {
			return nil
		}
		return writeFile(path, source)
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
		err = os.Chtimes(tmp.Name(), time.Unix(sourceTime, 0), time.Unix(sourceTime, 0))
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
//	PYTHON SCRIPT [--mce-OPTION...] -f CONNECTION_FILE
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
	if o.Pipes != "" {
		args = append(args, "--mce-pipes="+o.Pipes)
	}
	if o.Unsent != "" {
		args = append(args, "--mce-unsent="+o.Unsent)
	}
	if o.Code != "" {
		args = append(args, "--mce-code="+o.Code)
	}
	if o.Sources != "" {
		args = append(args, "--mce-sources="+o.Sources)
	}
	if len(o.Preimport) > 0 {
		args = append(args, "--mce-preimport="+strings.Join(o.Preimport, ","))
	}
	if o.NoPrelude {
		args = append(args, "--mce-no-prelude")
	}
	if o.Shared {
		args = append(args, "--mce-shared")
	}
	return append(args, "-f", connectionFile)
}
