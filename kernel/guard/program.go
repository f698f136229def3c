package guard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// program is the running binary. An update, or a cleaned cache, may replace or
// remove its file while the server runs, and a guard of another version would not
// understand the server.
type program struct {
	path string
	file *os.File // what path was when the server started; nil where path names the running binary for ever
}

// ownProgram is the program of this process. Call it early: where the system has no
// name for the running binary, its file must still be in place.
func ownProgram() (program, error) {
	if runtime.GOOS == "linux" {
		const own = "/proc/self/exe"
		if _, err := os.Stat(own); err == nil {
			return program{path: own}, nil
		}
	}
	path, err := os.Executable()
	if err != nil { // Linux without /proc
		path, err = exec.LookPath(os.Args[0])
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return program{}, fmt.Errorf("finding this program's own file: %w", err)
	}
	return openProgram(path)
}

// openProgram is the program whose file is path now.
func openProgram(path string) (program, error) {
	file, err := os.Open(path)
	if err != nil {
		return program{}, fmt.Errorf("opening this program's own file: %w", err)
	}
	return program{path: path, file: file}, nil
}

// start starts cmd as the program. Nothing else may be started meanwhile: a child
// could inherit the copy while it is written, and the system starts no file that is
// open for writing.
func (p program) start(cmd *exec.Cmd) error {
	cmd.Path = p.path
	if p.inPlace() {
		return cmd.Start()
	}
	err := p.startCopy(cmd)
	if err != nil {
		return fmt.Errorf("%s was removed or replaced, and a copy of it does not start; restart the server: %w", p.path, err)
	}
	return nil
}

// inPlace reports whether path still is the file of the running binary.
func (p program) inPlace() bool {
	if p.file == nil {
		return true
	}
	now, err := os.Stat(p.path)
	if err != nil {
		return false
	}
	then, err := p.file.Stat()
	return err == nil && os.SameFile(now, then)
}

// startCopy starts cmd from a copy of the file, which is gone when it runs.
func (p program) startCopy(cmd *exec.Cmd) error {
	if runtime.GOOS == "windows" {
		return errors.New("a file that runs cannot be removed here")
	}
	dir, err := os.MkdirTemp("", "mce-guard-") // 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd.Path = filepath.Join(dir, filepath.Base(p.path))
	if err := p.copyTo(cmd.Path); err != nil {
		return err
	}
	return cmd.Start()
}

func (p program) copyTo(path string) error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	// By offset: the file stays open, for the next copy.
	_, err = io.Copy(to, io.NewSectionReader(p.file, 0, info.Size()))
	return errors.Join(err, to.Close())
}
