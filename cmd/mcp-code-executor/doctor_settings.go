package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// checkSettings shows the settings and judges those the server only warns of in
// its log, which nobody sees.
func (d *doctor) checkSettings() {
	var set []string
	for _, name := range settings() {
		if value := d.getenv(name); value != "" {
			set = append(set, name+"="+value)
		}
	}
	if len(set) == 0 {
		set = []string{"none is set: a managed environment and a storage directory of its own are used"}
	}
	d.report.ok("settings", "%s", strings.Join(set, "\n"))
	d.checkValue("SESSION_IDLE_LIMIT", "SESSION_IDLE_LIMIT=2h", "no duration", func(v string) bool {
		limit, err := time.ParseDuration(v)
		return err == nil && limit >= 0
	})
	d.checkValue("LOG_LEVEL", "LOG_LEVEL=warn", "no log level", func(v string) bool {
		var l slog.Level
		return l.UnmarshalText([]byte(v)) == nil
	})
	d.checkValue("KERNEL_INSTALL", "KERNEL_INSTALL=never, or unset it", "not one of auto, env, sidecar and never", func(v string) bool {
		return slices.Contains([]string{"auto", "env", "sidecar", "never"}, strings.ToLower(strings.TrimSpace(v)))
	})
	d.checkValue("UV_INSTALL", "UV_INSTALL=never, or unset it", "neither auto nor never", func(v string) bool {
		return slices.Contains([]string{"auto", "never"}, strings.ToLower(strings.TrimSpace(v)))
	})
	d.checkValue("HISTORY", "HISTORY=off, or unset it", "neither on nor off", func(v string) bool {
		return strings.EqualFold(v, "off") || strings.EqualFold(v, "on")
	})
	if home := d.getenv("HOME"); home == "" && runtime.GOOS != "windows" {
		d.report.warn("home", "HOME is not set; "+homeDir(d.getenv)+" is used, from the user database", "HOME="+homeDir(d.getenv))
	} else if info, err := os.Stat(homeDir(d.getenv)); err != nil || !info.IsDir() {
		d.report.warn("home", fmt.Sprintf("the home directory %s is not there", homeDir(d.getenv)), "mkdir -p "+homeDir(d.getenv)+", or set HOME to another directory")
	}
}

func (d *doctor) checkValue(name, mend, reason string, good func(string) bool) {
	if value := d.getenv(name); value != "" && !good(value) {
		d.report.warn("settings", fmt.Sprintf("%s=%q is %s and is ignored", name, value, reason), mend)
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
		cause, mend := tryTemporary(dir)
		switch {
		case cause != "":
			d.report.warn("temporary", name+"="+dir+" "+cause+"; another directory is used for sockets", mend+", or set "+name+" to another directory")
		case len(dir) > maxRuntimeDir && runtime.GOOS != "windows":
			d.report.warn("temporary", fmt.Sprintf("%s=%s is too long for a socket's path (%d bytes, %d fit); another directory is used for sockets", name, dir, len(dir), maxRuntimeDir), name+"=/tmp")
		default:
			good = append(good, name+"="+dir)
		}
	}
	if d.getenv("TMPDIR") == "" {
		if cause, mend := tryTemporary(os.TempDir()); cause != "" {
			d.report.warn("temporary", os.TempDir()+" "+cause, mend+", or set TMPDIR to another directory")
			return
		}
		good = append(good, os.TempDir())
	}
	if len(good) > 0 {
		d.report.ok("temporary", "%s: can be written to", strings.Join(good, ", "))
	}
}

// tryTemporary writes a file of 64 KiB in dir. An empty cause is success.
func tryTemporary(dir string) (cause, mend string) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "does not exist", "mkdir -p " + dir
	case err == nil && !info.IsDir():
		return "is no directory", "remove it"
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
	return "cannot be written to: " + err.Error(), "mend that"
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
	d.line.say("writing to the code storage")
	store, err := d.parts.sessions.Storage()
	if err != nil {
		d.report.fail("storage", err, mend{})
		return false
	}
	const code = "print('written by mcp-code-executor doctor')\n"
	file, err := store.Create("mce_doctor.py", code, nil)
	if err != nil {
		d.report.fail("storage", err, mend{})
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
		d.report.fail("storage", err, mend{})
		return false
	}
	d.report.ok("storage", "%s: a file was written, read and removed", store.Dir())
	d.checkRecords()
	return true
}

// checkRecords tries the directory of records: without it runs still work, but
// cannot be read after the server's end.
func (d *doctor) checkRecords() {
	if strings.EqualFold(d.getenv("HISTORY"), "off") {
		d.report.ok("records", "HISTORY=off: none are kept")
		return
	}
	dir := filepath.Join(directories(d.getenv).state, "records")
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = writeAway(dir)
	}
	if err != nil {
		d.report.fail("records", fmt.Errorf("the directory of records %s cannot be written to: %w", dir, err),
			mend{command: "make it writable and not full (ls -ld " + dir + "; df -h " + filepath.Dir(dir) + "), set XDG_STATE_HOME to another directory, or set HISTORY=off"})
		return
	}
	d.report.ok("records", "%s can be written to", dir)
}
