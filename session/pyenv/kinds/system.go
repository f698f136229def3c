package kinds

import (
	"path/filepath"
	"runtime"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
)

// systemEntry: it is a Python that is in no environment.
func systemEntry() Entry {
	return Entry{
		Kind: System,
		// The python's own programs (pip, ipython) before those of another one, such
		// as the one pyenv's shims choose.
		Activate: func(a Activation, v *host.Vars) []string {
			if dir := filepath.Dir(a.Python); !leadsTo(v, dir) {
				v.PrependPath(dir)
			}
			return nil
		},
	}
}

// leadsTo reports whether the first python of PATH is the one in dir.
func leadsTo(v *host.Vars, dir string) bool {
	path, _ := v.Get("PATH")
	for _, name := range []string{"python" + host.ExeSuffix, "python3" + host.ExeSuffix} {
		if !host.Executable(filepath.Join(dir, name)) {
			continue
		}
		for _, d := range filepath.SplitList(path) {
			if host.Executable(filepath.Join(d, name)) {
				return filepath.Clean(d) == dir
			}
		}
	}
	return false
}

// Interpreters are the paths an environment's python may have, best first.
func Interpreters(prefix string) []string {
	names := []string{"bin/python", "bin/python3"}
	if runtime.GOOS == "windows" {
		names = []string{"Scripts/python.exe", "bin/python.exe", "python.exe"}
	}
	for i, name := range names {
		names[i] = filepath.Join(prefix, filepath.FromSlash(name))
	}
	return names
}

// IsInstallation reports whether dir holds a Python itself rather than an
// environment: pyenv's and uv's, or one built by hand.
func IsInstallation(dir string) bool {
	if runtime.GOOS == "windows" {
		return host.IsFile(filepath.Join(dir, "python.exe")) && host.IsDir(filepath.Join(dir, "Lib"))
	}
	libs, _ := filepath.Glob(filepath.Join(host.GlobEscape(dir), "lib", "python3*"))
	return len(libs) > 0 && (host.Exists(filepath.Join(dir, "bin", "python")) || host.Exists(filepath.Join(dir, "bin", "python3")))
}
