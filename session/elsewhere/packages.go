package elsewhere

import (
	"encoding/json"
	"fmt"
)

// Package is what a kernel says of one of the names it was asked for.
type Package struct {
	Name      string `json:"name"`
	Installed bool   `json:"installed"`
	Version   string `json:"version"`
	// Module says that a module can be imported by that name, which no distribution
	// has: a file on sys.path.
	Module bool `json:"module"`
}

// CheckExpression is a Python expression that looks packages up without importing any,
// and shows what it finds as JSON.
func CheckExpression(names []string) (string, error) {
	list, err := json.Marshal(names)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`(lambda n: (exec(%q, n), n["check"](%s))[1])({"__name__": "check"})`, checkSource, list), nil
}

const checkSource = `
import importlib.metadata as metadata
import importlib.util


class Shown(list):
    def _repr_json_(self):
        return list(self)


def look(name):
    by_module = metadata.packages_distributions() if hasattr(metadata, "packages_distributions") else {}
    for candidate in [name] + by_module.get(name, []):
        try:
            return {"name": name, "installed": True, "version": metadata.version(candidate)}
        except metadata.PackageNotFoundError:
            pass
    try:
        found = importlib.util.find_spec(name) is not None
    except Exception:
        found = False
    return {"name": name, "installed": found, "module": found}


def check(names):
    return Shown(look(name) for name in names)
`

// ReadPackages reads what the expression shows.
func ReadPackages(shown json.RawMessage) (all []Package, err error) {
	if err := json.Unmarshal(shown, &all); err != nil {
		return nil, fmt.Errorf("reading the packages: %w", err)
	}
	return all, nil
}

// InstallCode is code that installs with the pip of the kernel's own Python, with uv
// where it has none. The requirements are arguments of a process, no words of a shell.
func InstallCode(requirements []string, upgrade bool) (string, error) {
	if upgrade {
		requirements = append([]string{"--upgrade"}, requirements...)
	}
	list, err := json.Marshal(requirements)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`exec(%q, {"wanted": %s})`, installSource, list), nil
}

const installSource = `
import importlib, importlib.util, shutil, subprocess, sys

if importlib.util.find_spec("pip"):
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
elif shutil.which("uv"):
    command = ["uv", "pip", "install", "--no-progress", "--python", sys.executable]
else:
    sys.exit("this kernel's Python has neither pip nor uv")
status = subprocess.call(command + wanted, stdin=subprocess.DEVNULL)
importlib.invalidate_caches()
if status:
    sys.exit(status)
`
