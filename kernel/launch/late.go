package launch

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// late gives the package to Python as an archive in memory, imports all of it and
// takes the importer away again.
const late = `(lambda: exec(__import__("zlib").decompress(__import__("base64").b64decode(%q)).decode(), {"SOURCES": __import__("json").loads(__import__("zlib").decompress(__import__("base64").b64decode(%q))), "PRELUDE": %s}))()`

const lateImporter = `
import sys
from importlib.machinery import ModuleSpec


class Importer:
    def find_spec(self, name, path=None, target=None):
        if name in SOURCES:
            return ModuleSpec(name, self, is_package="." not in name)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(SOURCES[module.__name__], "<%s>" % module.__name__, "exec"), module.__dict__)


importer = Importer()
sys.meta_path.insert(0, importer)
try:
    for name in SOURCES:
        __import__(name)
finally:
    sys.meta_path.remove(importer)
sys.modules["mce_launch.late"].install(PRELUDE)
`

// Late returns code that, run silently as the first request, makes as much of the
// launcher's changes as can still be made in an ipykernel that runs already. It
// leaves no name behind.
func Late(prelude bool) (code string, err error) {
	modules := map[string]string{}
	entries, err := sources.ReadDir("mce_launch")
	if err != nil {
		return "", fmt.Errorf("reading the launcher: %w", err)
	}
	for _, entry := range entries {
		source, err := sources.ReadFile("mce_launch/" + entry.Name())
		if err != nil {
			return "", fmt.Errorf("reading the launcher: %w", err)
		}
		name := "mce_launch." + strings.TrimSuffix(entry.Name(), ".py")
		modules[strings.TrimSuffix(name, ".__init__")] = string(source)
	}
	all, err := json.Marshal(modules)
	if err != nil {
		return "", err
	}
	importer, err := packed([]byte(lateImporter))
	if err != nil {
		return "", err
	}
	archive, err := packed(all)
	if err != nil {
		return "", err
	}
	python := map[bool]string{true: "True", false: "False"}
	return fmt.Sprintf(late, importer, archive, python[prelude]), nil
}

func packed(b []byte) (string, error) {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}
