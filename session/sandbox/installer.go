package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// untrusted is what code may have changed: what lies in directories where it can write,
// but for the environments in them that are protected.
type untrusted struct{ code, protected []string }

// has reports whether code may have changed the file at path, or the link to it.
func (u untrusted) has(path string) bool {
	for _, path := range []string{filepath.Clean(path), real(path)} {
		if filepath.IsAbs(path) && below(path, u.code) && !below(path, u.protected) {
			return true
		}
	}
	return false
}

// naming are variables that have an installer run, load or trust what lies in the places
// that they name, with what divides these: "" where it is one.
func naming() map[string]string {
	const list = string(filepath.ListSeparator)
	return map[string]string{
		"PATH": list, "LD_PRELOAD": list + " ", "LD_LIBRARY_PATH": list, "LD_AUDIT": list, "GCONV_PATH": list,
		"OPENSSL_CONF": "", "OPENSSL_MODULES": "", "OPENSSL_ENGINES": "",
		"PYTHONPATH": list, "PYTHONHOME": list, "PYTHONUSERBASE": "", "PYTHONPYCACHEPREFIX": "",
		"UV_CACHE_DIR": "", "PIP_CACHE_DIR": "", "CONDA_PKGS_DIRS": ",", "XDG_CACHE_HOME": "",
	}
}

// split are the places that a variable names.
func split(value, dividers string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(dividers, r) })
}

// without is env without the places that code may have changed.
func (u untrusted) without(env []string) (kept []string) {
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		dividers, named := naming()[name]
		places := split(value, dividers)
		if named && slices.ContainsFunc(places, u.has) {
			if places = slices.DeleteFunc(places, u.has); len(places) == 0 {
				continue
			}
			entry = name + "=" + strings.Join(places, dividers[:1])
		}
		kept = append(kept, entry)
	}
	return kept
}

// caches are where installers keep what they have fetched, by the person's variables too.
// They are made: an installer cannot make them below a home directory that it may not
// change.
func (r Rules) caches(p Place, env []string) (dirs []string) {
	base, named := filepath.Join(p.Home, ".cache"), []string{}
	for _, entry := range env {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case "XDG_CACHE_HOME":
			base = value
		case "UV_CACHE_DIR", "PIP_CACHE_DIR", "CONDA_PKGS_DIRS":
			named = append(named, split(value, naming()[name])...)
		}
	}
	for _, dir := range append(named, filepath.Join(base, "uv"), filepath.Join(base, "pip")) {
		if filepath.IsAbs(dir) && r.judge(p, real(dir)) == nil {
			_ = os.MkdirAll(dir, 0o700) // without it there is no cache
			dirs = append(dirs, dir)
		}
	}
	return append(dirs, filepath.Join(base, "conda"), filepath.Join(p.Home, ".conda"))
}

// installerFiles are settings of installers, with the passwords of indexes in them.
func installerFiles(p Place) (paths []string) {
	for _, name := range []string{".config/pip", ".pip", ".condarc", ".netrc", ".config/uv/credentials", ".local/share/uv/credentials"} {
		paths = append(paths, p.of(name)...)
	}
	return append(paths, p.variable("PIP_CONFIG_FILE"), p.variable("NETRC"))
}

// installerVariables are those of env that an installer gets: nothing is built from
// source, which would run code of a package with the network, unless that is allowed.
func installerVariables(r Rules, env []string) (kept []string) {
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		own := strings.HasPrefix(name, "PIP_") || strings.HasPrefix(name, "UV_") || strings.HasPrefix(name, "CONDA_") || strings.HasSuffix(strings.ToUpper(name), "_PROXY")
		switch {
		case slices.Contains([]string{"TMPDIR", "XDG_RUNTIME_DIR"}, name):
		case !r.AnySource && slices.Contains(building(), name):
		case own || !r.credential(name, value):
			kept = append(kept, entry)
		}
	}
	kept = append(kept, "TMPDIR="+temporary)
	if r.AnySource {
		return kept
	}
	// For uv pip, which reads no such variable, the installer's command line says so.
	return append(kept, "PIP_ONLY_BINARY=:all:", "UV_NO_BUILD=1")
}

// building are variables that say whether packages are built.
func building() []string {
	return []string{"PIP_ONLY_BINARY", "PIP_NO_BINARY", "PIP_NO_BUILD_ISOLATION", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE", "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD_ISOLATION"}
}
