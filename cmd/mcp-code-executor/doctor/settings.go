package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/server"
	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/settings"
)

// checkSettings shows the settings and tells the wrong values. Those with which
// no Python is started fail at the environment.
func (d *doctor) checkSettings() {
	var set []string
	for _, s := range settings.Table() {
		if value := d.getenv(s.Name); value != "" {
			set = append(set, s.Name+"="+s.Shown(value))
		}
	}
	if len(set) == 0 {
		set = []string{"none is set: a managed environment and a storage directory of its own are used"}
	}
	d.report.ok("settings", "%s", strings.Join(set, "\n"))
	for _, p := range d.settings.Problems {
		switch {
		case p.NoKernel:
			d.report.fail("settings", errors.New(p.Cause()), advice{command: p.Fix})
		case !p.Refused:
			d.report.warn("settings", p.Cause(), p.Fix)
		}
	}
	if home := d.getenv("HOME"); home == "" && runtime.GOOS != "windows" {
		d.report.warn("home", "HOME is not set; "+server.HomeDir(d.getenv)+" is used, from the user database", "HOME="+server.HomeDir(d.getenv))
	} else if info, err := os.Stat(server.HomeDir(d.getenv)); err != nil || !info.IsDir() {
		d.report.warn("home", fmt.Sprintf("the home directory %s is not there", server.HomeDir(d.getenv)), "mkdir -p "+server.HomeDir(d.getenv)+", or set HOME to another directory")
	}
}

// maxRuntimeDir is how long a directory for sockets may be: a unix socket's path
// has room for about 100 bytes, and ours need 33 of them below it.
const maxRuntimeDir = 67

// checkTemporary tries the places for sockets and temporary files. The server
// passes over one that does not do, but Python's own temporary files do not.
func (d *doctor) checkTemporary() {
	good := []string{}
	for _, name := range []string{"XDG_RUNTIME_DIR", "TMPDIR"} {
		dir := d.getenv(name)
		if dir == "" {
			continue
		}
		cause, fix := tryTemporary(dir)
		switch {
		case cause != "":
			d.report.warn("temporary", name+"="+dir+" "+cause+"; another directory is used for sockets", fix+", or set "+name+" to another directory")
		case len(dir) > maxRuntimeDir && runtime.GOOS != "windows":
			d.report.warn("temporary", fmt.Sprintf("%s=%s is too long for a socket's path (%d bytes, %d fit); another directory is used for sockets", name, dir, len(dir), maxRuntimeDir), name+"=/tmp")
		default:
			good = append(good, name+"="+dir)
		}
	}
	if d.getenv("TMPDIR") == "" {
		if cause, fix := tryTemporary(os.TempDir()); cause != "" {
			d.report.warn("temporary", os.TempDir()+" "+cause, fix+", or set TMPDIR to another directory")
			return
		}
		good = append(good, os.TempDir())
	}
	if len(good) > 0 {
		d.report.ok("temporary", "%s: can be written to", strings.Join(good, ", "))
	}
}

// tryTemporary writes a file of 64 KiB in dir. An empty cause is success.
func tryTemporary(dir string) (cause, fix string) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "does not exist", "mkdir -p " + dir
	case err == nil && !info.IsDir():
		return "is not a directory", "remove it"
	}
	err = writeAway(dir)
	switch {
	case err == nil:
		return "", ""
	case errors.Is(err, syscall.ENOSPC):
		return "is full", "free some space there (df -h " + dir + ")"
	case errors.Is(err, os.ErrPermission):
		return "cannot be written to: " + err.Error(), "chmod u+rwx " + dir
	}
	return "cannot be written to: " + err.Error(), "make it writable"
}

// writeAway writes a file in dir and removes it.
func writeAway(dir string) error {
	f, err := os.CreateTemp(dir, "mce-doctor-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 64<<10))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// checkStorage writes, reads and removes a code file, and looks at the directory
// of records. It reports whether kernels have a working directory.
func (d *doctor) checkStorage() bool {
	d.progress.Say("writing to the code storage")
	store, err := d.parts.Sessions.Storage()
	if err != nil {
		d.report.fail("storage", err, advice{})
		_, err = d.parts.Sessions.WorkDir()
		return err == nil
	}
	const code = "print('written by mcp-code-executor doctor')\n"
	file, err := store.Create("mce_doctor.py", code, nil)
	if err != nil {
		d.report.fail("storage", err, advice{})
		return false
	}
	text, err := store.Read(file.Path, 0, 0)
	if removed := os.Remove(file.Path); err == nil {
		err = removed
	}
	if err == nil && text.Content != code {
		err = fmt.Errorf("%s was read back as something else: %q", file.Path, text.Content)
	}
	if err != nil {
		d.report.fail("storage", err, advice{})
		return false
	}
	d.report.ok("storage", "%s: a file was written, read and removed", store.Dir())
	work, err := d.parts.Sessions.WorkDir()
	if err != nil {
		fix := advice{command: "mkdir -p " + server.FindPlaces(d.getenv).WorkDir.Path + ", or set WORK_DIR to another directory"}
		if errors.Is(err, fs.ErrPermission) {
			fix = advice{command: "set WORK_DIR to a directory that you may enter"}
		}
		d.report.fail("work dir", err, fix)
		return false
	}
	d.report.ok("work dir", "%s, by %s", work.Path, work.By)
	d.checkRecords()
	d.checkNotebook(work.Path)
	return true
}

// checkNotebook tries the directory of live notebooks, when they are wanted.
func (d *doctor) checkNotebook(work string) {
	dir := server.FindPlaces(d.getenv).Notebook
	if dir == "" {
		return
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(work, dir)
	}
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = writeAway(dir)
	}
	if err != nil {
		d.report.warn("notebook", fmt.Sprintf("NOTEBOOK is set, and the directory %s cannot be written to: %v", dir, err),
			"make it writable and not full (ls -ld "+dir+"; df -h "+filepath.Dir(dir)+"), set NOTEBOOK to another directory, or set NOTEBOOK=off")
		return
	}
	d.report.ok("notebook", "a notebook of each session is kept in %s while it runs", dir)
}

// checkRecords tries the directory of records: without it runs still work, but
// cannot be read after the server's end.
func (d *doctor) checkRecords() {
	if !d.settings.History {
		d.report.ok("records", "HISTORY is off: none are kept")
		return
	}
	dir := server.FindPlaces(d.getenv).Records()
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = writeAway(dir)
	}
	if err != nil {
		d.report.fail("records", fmt.Errorf("the directory of records %s cannot be written to: %w", dir, err),
			advice{command: "make it writable and not full (ls -ld " + dir + "; df -h " + filepath.Dir(dir) + "), set XDG_STATE_HOME to another directory, or set HISTORY=off"})
		return
	}
	d.report.ok("records", "%s can be written to", dir)
}
