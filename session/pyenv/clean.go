package pyenv

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/conda"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/kinds"
)

// CleanVars is the server's environment as if nothing were activated in it.
func (f *Finder) CleanVars() *host.Vars {
	v := host.VarsOf(f.Host.Variables())
	var active []string // prefixes of activated environments
	for _, name := range kinds.Active(v.Names) {
		if prefix, _ := v.Get(name); isActive(prefix) {
			active = append(active, filepath.Clean(prefix))
		}
	}
	for _, prefix := range active {
		unsetOf(v, prefix)
	}
	for _, name := range kinds.Leaked(v.Names) {
		v.Unset(name)
	}
	path, _ := v.Get("PATH")
	dirs := slices.DeleteFunc(filepath.SplitList(path), func(dir string) bool {
		return slices.ContainsFunc(active, func(prefix string) bool {
			return slices.Contains(conda.PathDirs(prefix), filepath.Clean(dir)) || filepath.Clean(dir) == host.BinDir(prefix)
		})
	})
	if len(dirs) == 0 && runtime.GOOS != "windows" {
		dirs = []string{"/usr/local/bin", "/usr/bin", "/bin"} // a client gave us no PATH at all
	}
	v.SetPath(dirs)
	return v
}

// unsetOf takes out what activating the environment in prefix has set.
func unsetOf(v *host.Vars, prefix string) {
	set, _ := conda.PackageVars(prefix)
	for name, value := range set {
		if have, ok := v.Get(name); ok && have == value {
			v.Unset(name)
		}
	}
	// What its scripts set is not noted anywhere: it is named in them, and leads
	// into the environment. A user's own SSL_CERT_FILE leads elsewhere.
	var text strings.Builder
	scripts, _ := filepath.Glob(filepath.Join(host.GlobEscape(prefix), "etc", "conda", "*activate.d", "*"))
	for _, script := range scripts {
		data, _ := host.ReadSmall(script)
		text.Write(data)
	}
	for _, name := range slices.Clone(v.Names) {
		value, _ := v.Get(name)
		program, _, _ := strings.Cut(value, " ")
		inside := strings.Contains(value, prefix+string(filepath.Separator)) ||
			program != "" && filepath.Base(program) == program && host.Executable(filepath.Join(host.BinDir(prefix), program))
		if inside && name != "PATH" && text.Len() > 0 && strings.Contains(text.String(), name) {
			v.Unset(name)
		}
	}
	// virtualenv's script puts itself before what there was.
	pkgConfig := filepath.Join(prefix, "lib", "pkgconfig")
	if value, ok := v.Get("PKG_CONFIG_PATH"); ok && strings.Contains(value, pkgConfig) {
		dirs := slices.DeleteFunc(filepath.SplitList(value), func(dir string) bool { return filepath.Clean(dir) == pkgConfig })
		if v.Set("PKG_CONFIG_PATH", strings.Join(dirs, string(os.PathListSeparator))); len(dirs) == 0 {
			v.Unset("PKG_CONFIG_PATH")
		}
	}
}

// isActive reports whether a variable's value is an environment that can have
// been activated: VIRTUAL_ENV=/usr must not take /usr/bin from PATH. One that is
// gone may be cut out.
func isActive(prefix string) bool {
	return filepath.IsAbs(prefix) && (kinds.IsPrefix(prefix) || !host.Exists(prefix))
}
