package pyenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/pyenvtest"
)

// venvEnv is a real, empty environment without pip.
func venvEnv(t testing.TB, f *Finder) *Environment {
	t.Helper()
	env, err := f.Resolve(context.Background(), Config{VenvPath: pyenvtest.MakeVenv(t, filepath.Join(t.TempDir(), "env"))})
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func TestCheck(t *testing.T) {
	f := newFinder(t)
	env := venvEnv(t, f)
	site := env.Info.Purelib
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "scikit_learn", "1.5.0", "Requires-Dist: numpy>=1\nRequires-Dist: pytest>=7; extra == \"tests\"\nRequires-Dist: x; sys_platform == 'win32' and extra == 'tests'\n", "sklearn/__init__.py", "sklearn/svm/__init__.py", "sklearn/tree.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "PyYAML", "6.0.2", "", "yaml/__init__.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "python_dateutil", "2.9.0.post0", "", "dateutil/__init__.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "torch", "2.1.0+cpu", "", "torch/__init__.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "protobuf", "5.0", "", "google/protobuf/__init__.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "other_google", "1.0", "", "google/other/__init__.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "broken", "1.0", "", "broken/__init__.py", "broken/part.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "typing_extensions", "4.0", "", "typing_extensions.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(site, "prerel", "3.0rc1", "", "prerel.py"))
	pyenvtest.Write(t, map[string]string{
		filepath.Join(site, "ed-1.0.dist-info", "METADATA"):                "Name: ed\nVersion: 1.0\n",
		filepath.Join(site, "ed-1.0.dist-info", "direct_url.json"):         `{"dir_info":{"editable":true},"url":"file:///src/ed"}`,
		filepath.Join(site, "ed-1.0.dist-info", "RECORD"):                  "__editable__.ed.pth,,\n",
		filepath.Join(site, "old_egg-0.5-py3.8.egg-info", "PKG-INFO"):      "Name: old-egg\nVersion: 0.5\n",
		filepath.Join(site, "old_egg-0.5-py3.8.egg-info", "top_level.txt"): "oldegg\n",
		filepath.Join(site, "oldegg.py"):                                   "raise SystemExit('imported')\n",
		filepath.Join(site, "gone-1.0.dist-info", "RECORD"):                "gone/__init__.py,,\n",
		filepath.Join(site, "~orn-1.0.dist-info", "METADATA"):              "Name: torn\nVersion: 1.0\n",
		filepath.Join(site, "lonely.py"):                                   "raise SystemExit('imported')\n",
		filepath.Join(site, "empty_dir", "data.txt"):                       "",
		filepath.Join(env.Prefix, "conda-meta", "ffmpeg-6.1-h_0.json"):     "{}",
		filepath.Join(site, "noisy.pth"):                                   "import sys; sys.stdout.write('noise\\n'); sys.stderr.write('noise\\n')\n",
	})
	if err := os.Remove(filepath.Join(site, "broken", "part.py")); err != nil {
		t.Fatal(err)
	}
	python := strings.Join(strings.Split(env.Info.Version, ".")[:3], ".")
	tests := []struct {
		ask  string
		want PackageStatus
	}{
		{"scikit-learn", PackageStatus{Installed: true, Satisfied: true, Name: "scikit_learn", Version: "1.5.0", Via: ViaDistribution, Modules: []string{"sklearn"}}},
		{"Scikit.Learn>=1.4,<2", PackageStatus{Installed: true, Satisfied: true, Name: "scikit_learn", Version: "1.5.0", Via: ViaDistribution, Modules: []string{"sklearn"}}},
		{"scikit-learn>=2", PackageStatus{Installed: true, Name: "scikit_learn", Version: "1.5.0", Via: ViaDistribution, Modules: []string{"sklearn"}, Error: "version 1.5.0 does not satisfy scikit-learn>=2"}},
		{"scikit-learn[tests]", PackageStatus{Installed: true, Name: "scikit_learn", Version: "1.5.0", Via: ViaDistribution, Modules: []string{"sklearn"}, Error: "the extra tests lacks pytest"}},
		{"sklearn", PackageStatus{Installed: true, Satisfied: true, Name: "scikit_learn", Version: "1.5.0", Via: ViaImport, Modules: []string{"sklearn"}}},
		{"sklearn.svm", PackageStatus{Installed: true, Satisfied: true, Name: "scikit_learn", Version: "1.5.0", Via: ViaImport, Modules: []string{"sklearn"}}},
		{"sklearn.tree", PackageStatus{Installed: true, Satisfied: true, Name: "scikit_learn", Version: "1.5.0", Via: ViaImport, Modules: []string{"sklearn"}}},
		{"sklearn.nothing", PackageStatus{Name: "sklearn.nothing", Hint: "scikit-learn", Error: "the package sklearn is there, but has no module sklearn.nothing"}},
		{"yaml", PackageStatus{Installed: true, Satisfied: true, Name: "PyYAML", Version: "6.0.2", Via: ViaImport, Modules: []string{"yaml"}}},
		{"dateutil", PackageStatus{Installed: true, Satisfied: true, Name: "python_dateutil", Version: "2.9.0.post0", Via: ViaImport, Modules: []string{"dateutil"}}},
		{"torch==2.1.0", PackageStatus{Installed: true, Satisfied: true, Name: "torch", Version: "2.1.0+cpu", Via: ViaDistribution, Modules: []string{"torch"}}},
		{"google.protobuf", PackageStatus{Installed: true, Satisfied: true, Name: "protobuf", Version: "5.0", Via: ViaImport, Modules: []string{"google"}}},
		{"typing_extensions", PackageStatus{Installed: true, Satisfied: true, Name: "typing_extensions", Version: "4.0", Via: ViaDistribution, Modules: []string{"typing_extensions"}}},
		{"prerel>=2", PackageStatus{Installed: true, Satisfied: true, Name: "prerel", Version: "3.0rc1", Via: ViaDistribution, Modules: []string{"prerel"}}},
		{"broken", PackageStatus{Installed: true, Name: "broken", Version: "1.0", Via: ViaDistribution, Modules: []string{"broken"}, Error: "the installation is broken: its file broken/part.py is gone; install it again"}},
		{"ed", PackageStatus{Installed: true, Satisfied: true, Name: "ed", Version: "1.0", Via: ViaDistribution, Editable: "/src/ed"}},
		{"old-egg", PackageStatus{Installed: true, Satisfied: true, Name: "old-egg", Version: "0.5", Via: ViaDistribution, Modules: []string{"oldegg"}}},
		{"oldegg", PackageStatus{Installed: true, Satisfied: true, Name: "old-egg", Version: "0.5", Via: ViaImport, Modules: []string{"oldegg"}}},
		{"gone", PackageStatus{Name: "gone", Error: "only the remains of an uninstalled version are there: " + filepath.Join(site, "gone-1.0.dist-info")}},
		{"torn", PackageStatus{Name: "torn"}},
		{"lonely", PackageStatus{Installed: true, Satisfied: true, Name: "lonely", Via: ViaPath}},
		{"lonely.part", PackageStatus{Name: "lonely.part", Error: "the package lonely is there, but has no module lonely.part"}},
		{"empty_dir", PackageStatus{Name: "empty_dir"}},
		{"ffmpeg>=6", PackageStatus{Installed: true, Satisfied: true, Name: "ffmpeg", Version: "6.1", Via: ViaConda}},
		{"json", PackageStatus{Installed: true, Satisfied: true, Name: "json", Version: python, Via: ViaStdlib}},
		{"os.path", PackageStatus{Installed: true, Satisfied: true, Name: "os", Version: python, Via: ViaStdlib}},
		{"concurrent.futures", PackageStatus{Installed: true, Satisfied: true, Name: "concurrent", Version: python, Via: ViaStdlib}},
		{"os.nope", PackageStatus{Name: "os.nope", Error: "os is part of Python, but has no module os.nope"}},
		{"xml.etree.nope", PackageStatus{Name: "xml.etree.nope", Error: "xml is part of Python, but has no module xml.etree.nope"}},
		{"sys", PackageStatus{Installed: true, Satisfied: true, Name: "sys", Version: python, Via: ViaStdlib}},
		{"_ctypes", PackageStatus{Installed: true, Satisfied: true, Name: "_ctypes", Version: python, Via: ViaStdlib}},
		{"xml.dom.minidom", PackageStatus{Installed: true, Satisfied: true, Name: "xml", Version: python, Via: ViaStdlib}},
		{"cv2", PackageStatus{Name: "cv2", Hint: "opencv-python-headless"}},
		{"PIL", PackageStatus{Name: "PIL", Hint: "Pillow"}},
		{"no-such-thing", PackageStatus{Name: "no-such-thing"}},
		{"-r x", PackageStatus{Error: `"-r x" is an option; only packages can be given, options of the installer cannot`}},
		{"a;b", PackageStatus{Error: `"a;b" has "b" after the ";", which is not an environment marker`}},
		{"git+https://h/x", PackageStatus{Error: "a URL has no name to look for; give the package's name"}},
		{"", PackageStatus{Error: `"" is empty`}},
	}
	var names []string
	for _, tt := range tests {
		names = append(names, tt.ask)
	}
	got, err := f.Check(context.Background(), env, names)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		tt.want.Requested = tt.ask
		if diff := cmp.Diff(tt.want, got[i], cmpopts.EquateEmpty(), cmpopts.IgnoreFields(PackageStatus{}, "Location")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.ask, diff)
		}
		if got[i].Installed && got[i].Location == "" && tt.ask != "sys" && tt.ask != "os.path" { // they are in Python itself
			t.Errorf("%q has no location", tt.ask)
		}
	}
	if got, err := f.Check(context.Background(), env, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
	snapshot, err := f.Snapshot(context.Background(), env)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"scikit-learn": "1.5.0", "pyyaml": "6.0.2", "python-dateutil": "2.9.0.post0", "torch": "2.1.0+cpu", "protobuf": "5.0",
		"other-google": "1.0", "broken": "1.0", "typing-extensions": "4.0", "prerel": "3.0rc1", "ed": "1.0", "old-egg": "0.5", "ffmpeg": "6.1"}
	if diff := cmp.Diff(want, snapshot); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}

// A package that comes before on sys.path is the one that is imported.
func TestCheckTakesTheFirst(t *testing.T) {
	first := t.TempDir()
	f := newFinder(t, "PYTHONPATH="+first)
	env := venvEnv(t, f)
	pyenvtest.Write(t, pyenvtest.DistFiles(first, "twice", "2.0", "", "twice.py"))
	pyenvtest.Write(t, pyenvtest.DistFiles(env.Info.Purelib, "twice", "1.0", "", "twice.py"))
	got, err := f.Check(context.Background(), env, []string{"twice"})
	if err != nil || got[0].Version != "2.0" || got[0].Location != first {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCheckOfABrokenPython(t *testing.T) {
	f := newFinder(t)
	env := &Environment{Python: filepath.Join(t.TempDir(), "python")}
	if runtime.GOOS != "windows" {
		pyenvtest.Write(t, map[string]string{env.Python: "#!/bin/sh\necho nonsense; echo 'no Python frame' >&2; exit 1\n"})
	}
	_, err := f.Check(context.Background(), env, []string{"six"})
	if err == nil || !strings.Contains(err.Error(), "no Python frame") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.Snapshot(ctx, env); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// A thousand distributions, an import name among them, well under a second; the
// number measured is logged.
func TestCheckIsQuick(t *testing.T) {
	f := newFinder(t)
	env := venvEnv(t, f)
	for i := range 1000 {
		name := fmt.Sprintf("dist%d", i)
		pyenvtest.Write(t, pyenvtest.DistFiles(env.Info.Purelib, name, "1.0", "", fmt.Sprintf("mod%d/__init__.py", i)))
	}
	best := time.Hour
	for range 3 {
		start := time.Now()
		got, err := f.Check(context.Background(), env, []string{"dist7", "mod999", "dist500>=2", "absent"})
		if err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
		if got[1].Name != "dist999" || got[2].Satisfied || got[3].Installed {
			t.Fatalf("got %+v", got)
		}
	}
	t.Logf("1,000 distributions in %v", best)
	if best > 2*time.Second {
		t.Errorf("it took %v", best)
	}
}
