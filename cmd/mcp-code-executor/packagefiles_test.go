//go:build linux

package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// backend builds wheels and editable ones without setuptools, which an index of
// these tests does not have.
const backend = `
import zipfile
def wheel(directory, module):
    name = "mceproject-1.0-py3-none-any.whl"
    info = "mceproject-1.0.dist-info/"
    with zipfile.ZipFile(directory + "/" + name, "w") as z:
        z.writestr(*module)
        z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: mceproject\nVersion: 1.0\n")
        z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        z.writestr(info + "RECORD", "")
    return name
def build_wheel(directory, config_settings=None, metadata_directory=None):
    return wheel(directory, ("project.py", open("project.py").read()))
def build_editable(directory, config_settings=None, metadata_directory=None):
    import os
    return wheel(directory, ("mceproject.pth", os.getcwd() + "\n"))
`

// makeProject writes a project that is its own build backend.
func makeProject(t *testing.T, dir string) {
	t.Helper()
	write(t, map[string]string{
		filepath.Join(dir, "pyproject.toml"): "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n" +
			"[project]\nname = \"mceproject\"\nversion = \"1.0\"\ndependencies = [\"mcetoy<2\"]\n[project.optional-dependencies]\nmore = [\"mceother\"]\n",
		filepath.Join(dir, "backend.py"): backend,
		filepath.Join(dir, "project.py"): "version = 'first'\n",
	})
}

// archive packs a directory as a source archive.
func archive(t *testing.T, path, dir, root string) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	z := gzip.NewWriter(out)
	w := tar.NewWriter(z)
	for _, name := range []string{"pyproject.toml", "backend.py", "project.py"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		w.WriteHeader(&tar.Header{Name: root + "/" + name, Mode: 0o644, Size: int64(len(b))})
		w.Write(b)
	}
	w.Close()
	z.Close()
}

// TestInstallFromFiles: requirements files, pyproject.toml and local packages of
// the storage directory, whose path has a space, by uv; TestMatrixInstallFromFiles has
// them by pip, which builds packages for many seconds.
func TestInstallFromFiles(t *testing.T) {
	t.Parallel()
	installFromFiles(t, "venv-uv")
}

func TestMatrixInstallFromFiles(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	installFromFiles(t, "venv")
}

func installFromFiles(t *testing.T, typ string) {
	dir, settings := makeEnv(t, typ)
	index := wheels(t)
	links := strings.TrimPrefix(index[1], "PIP_FIND_LINKS=")
	hash := func(name string) string {
		b, err := os.ReadFile(filepath.Join(links, name))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("sha256:%x", sha256.Sum256(b))
	}
	storage := filepath.Join(t.TempDir(), "my files")
	good := hash("mceleaf-0.5-py3-none-any.whl")
	write(t, map[string]string{
		filepath.Join(storage, "requirements.txt"): "# what it needs\nmcetoy \\\n  >=1.0  # any\nmceother ; python_version < '3'\n-c limits.txt\n",
		filepath.Join(storage, "limits.txt"):       "mcetoy<2\n",
		filepath.Join(storage, "locked.txt"):       "mceleaf==0.5 --hash=" + good + "\n",
		filepath.Join(storage, "forged.txt"):       "mceleaf==0.4 --hash=" + good + "\n",
		filepath.Join(storage, "editable.txt"):     "-e ./project\n",
		filepath.Join(storage, "options.txt"):      "six\n--index-url https://example.org/simple\n",
	})
	makeProject(t, filepath.Join(storage, "project"))
	archive(t, filepath.Join(storage, "mceproject-1.0.tar.gz"), filepath.Join(storage, "project"), "mceproject-1.0")
	makeWheel(t, storage, "mcelocal", "3.0", "local")
	p := launch(t, append(append(settings, index...), "UV="+testUV(t), "CODE_STORAGE_DIR="+storage)...)
	p.run("x = 41")
	for _, step := range []struct {
		ask  args
		want string
	}{
		{args{"file": "requirements.txt"}, "mcetoy <nil> 1.0"},
		{args{"file": "locked.txt"}, "mceleaf <nil> 0.5"},
		{args{"packages": "./mcelocal-3.0-py3-none-any.whl"}, "mcelocal <nil> 3.0"},
		{args{"file": "project/pyproject.toml[more]"}, "mceother <nil> 1.0"},
		{args{"packages": []string{"./mceproject-1.0.tar.gz"}}, "mceproject <nil> 1.0"},
	} {
		if o := p.done("install_dependencies", step.ask); changes(o) != step.want {
			t.Errorf("%v: %v", step.ask, o)
		}
	}
	p.run("import toymodule, leaf, local, other, project")
	before := sitePackages(t, dir)
	for _, test := range []struct {
		ask   args
		parts []string
	}{
		{args{"file": "forged.txt"}, []string{"mceleaf", "(hash mismatch)", "nothing was changed"}},
		{args{"file": "options.txt"}, []string{"options.txt, line 2", "--index-url", "PIP_INDEX_URL"}},
		{args{"file": "../x.txt"}, []string{"../x.txt"}},
		{args{"file": "requirement.txt"}, []string{"requirement.txt", "requirements.txt"}},
		{args{"packages": []string{"../mcelocal.whl"}}, []string{"../mcelocal.whl"}},
		{args{}, []string{"packages", "file"}},
	} {
		refused(t, fmt.Sprint(test.ask), p.call("install_dependencies", test.ask), test.parts...)
	}
	if after := sitePackages(t, dir); !slices.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
	// What is edited in place is imported from there by the running kernel.
	p.run("import sys; del sys.modules['project']")
	p.done("install_dependencies", args{"file": "editable.txt"})
	write(t, map[string]string{filepath.Join(storage, "project", "project.py"): "version = 'edited'\n"})
	if r := p.run("import project; print(project.version, x)"); strings.TrimSpace(r.rest()) != "edited 41" {
		t.Errorf("the editable one: %s", r.text())
	}
	o := p.done("check_installed_packages", args{"packages": []string{"mceproject"}})
	if d := fmt.Sprint(o["package_details"]); !strings.Contains(d, "editable:"+filepath.Join(storage, "project")+" ") {
		t.Errorf("checking the editable one: %s", d)
	}
}
