//go:build linux

package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// makeWheel writes a wheel of one module into dir: small enough to need no index.
func makeWheel(t testing.TB, dir, name, version, module string, headers ...string) {
	t.Helper()
	makeBigWheel(t, dir, name, version, module, "", headers...)
}

// makeBigWheel is makeWheel with more text in the module.
func makeBigWheel(t testing.TB, dir, name, version, module, text string, headers ...string) {
	t.Helper()
	info := name + "-" + version + ".dist-info/"
	files := map[string]string{
		module + "/__init__.py": "version = '" + version + "'\n" + text,
		info + "METADATA":       "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n" + strings.Join(headers, "\n") + "\n",
		info + "WHEEL":          "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
	}
	files[info+"RECORD"] = module + "/__init__.py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"
	out, err := os.Create(filepath.Join(dir, name+"-"+version+"-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(out)
	// Metadata last, as in all wheels: pip unpacks in this order, perhaps not to the end.
	order := []string{module + "/__init__.py", info + "METADATA", info + "WHEEL", info + "RECORD"}
	for _, name := range order {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(files[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
}

// wheels makes the packages of these tests and returns the settings that let
// installers see them alone.
func wheels(t testing.TB) []string {
	t.Helper()
	dir := t.TempDir()
	makeWheel(t, dir, "mcetoy", "1.0", "toymodule")
	makeWheel(t, dir, "mcetoy", "2.0", "toymodule", "Requires-Dist: mceleaf")
	makeWheel(t, dir, "mceleaf", "0.4", "leaf")
	makeWheel(t, dir, "mceleaf", "0.5", "leaf")
	makeWheel(t, dir, "mceother", "1.0", "other")
	return []string{"PIP_NO_INDEX=1", "PIP_FIND_LINKS=" + dir}
}

// testUV is the program uv.
func testUV(t testing.TB) string { return required(t, "MCE_TEST_UV", "uv") }

// base is the Python the newest test environment was made from.
func base(t testing.TB) string {
	return execute(t, pythons(t)[0], "-c", "import sys; print(sys._base_executable)")
}

// makeEnv makes an environment of that type and returns its settings. It sees
// the packages of the newest test environment, so that it need not be filled.
func makeEnv(t testing.TB, typ string) (dir string, settings []string) {
	t.Helper()
	dir = emptyEnv(t, typ)
	shareKernel(t, dir)
	return dir, typeSettings(typ, dir)
}

// shareKernel lets an environment see the packages of the newest test environment.
func shareKernel(t testing.TB, dir string) {
	t.Helper()
	ask := "import sysconfig; print(sysconfig.get_path('purelib'))"
	there := execute(t, pythons(t)[0], "-c", ask)
	here := execute(t, filepath.Join(dir, "bin", "python"), "-c", ask)
	write(t, map[string]string{filepath.Join(here, "shared.pth"): there + "\n"})
}

// readsKernel lets a sandbox see what shareKernel shares, which may lie below /tmp.
func readsKernel(t testing.TB) string {
	t.Helper()
	return "SANDBOX_READ=" + filepath.Dir(filepath.Dir(pythons(t)[0]))
}

// emptyEnv makes an environment without packages; one by uv has no pip.
func emptyEnv(t testing.TB, typ string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "env")
	if typ == "venv" {
		venvWithPip(t, dir)
	} else {
		execute(t, testUV(t), "venv", "-q", "--no-python-downloads", "--python", base(t), dir)
	}
	return dir
}

// venvWithPip makes a venv as Python does, but for its pip, which takes seconds to
// install: that is linked from one that was made so.
func venvWithPip(t testing.TB, dir string) {
	t.Helper()
	execute(t, base(t), "-m", "venv", "--without-pip", dir)
	from := sharedDir("venv", func(dir string) { execute(t, base(t), "-m", "venv", dir) })
	for _, path := range sitePackages(t, from) {
		below, err := filepath.Rel(from, path)
		if err != nil {
			t.Fatal(err)
		}
		linkTree(t, path, filepath.Join(dir, below))
	}
	scripts, err := filepath.Glob(filepath.Join(from, "bin", "pip*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		b, err := os.ReadFile(script)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "bin", filepath.Base(script)), bytes.ReplaceAll(b, []byte(from), []byte(dir)), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func typeSettings(typ, dir string) []string {
	variable := map[string]string{"venv": "VENV_PATH", "venv-uv": "UV_VENV_PATH", "conda": "CONDA_ENV_NAME"}[typ]
	return []string{"ENV_TYPE=" + typ, variable + "=" + dir}
}

// sitePackages lists what lies in an environment's site-packages.
func sitePackages(t testing.TB, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(found, func(path string) bool { return filepath.Base(path) == "__pycache__" })
}

// changes are those of an installation as "name old new".
func changes(o map[string]any) string {
	var all []string
	list, _ := o["changes"].([]any)
	for _, c := range list {
		m, _ := c.(map[string]any)
		all = append(all, fmt.Sprint(m["name"], " ", m["old"], " ", m["new"]))
	}
	return strings.Join(all, ", ")
}

// TestPackagesRefused: what is not a requirement is refused with its reason; no
// installer is started.
func TestPackagesRefused(t *testing.T) {
	t.Parallel()
	dir, settings := makeEnv(t, "venv-uv")
	before := sitePackages(t, dir)
	ran := filepath.Join(t.TempDir(), "ran")
	fake := filepath.Join(t.TempDir(), "uv")
	write(t, map[string]string{fake: "#!/bin/sh\necho \"$@\" >> " + ran + "\n"})
	if err := os.Chmod(fake, 0o755); err != nil {
		t.Fatal(err)
	}
	p := launchRaced(t, append(settings, "UV="+fake)...)
	for _, test := range []struct {
		packages any
		parts    []string
	}{
		{[]string{"-r x"}, []string{"-r x", "option"}},
		{[]string{"-r", "requirements.txt"}, []string{"-r", "option"}},
		{[]string{"a;b"}, []string{"a;b"}},
		{[]string{"--index-url=https://example.org"}, []string{"--index-url", "option"}},
		{[]string{"numpy", "$(id)"}, []string{"$(id)"}},
		{[]string{"`id`"}, []string{"`id`"}},
		{[]string{"x & id"}, []string{"x & id"}},
		{[]string{"git+https://x;y"}, []string{"git+https://x;y"}},
		{[]string{"file:///etc"}, []string{"file:///etc"}},
		{[]string{"./local"}, []string{"./local"}},
		{[]string{"-e ."}, []string{"-e", "option"}},
		{[]string{"a\nb"}, []string{"printable"}},
		{[]string{"a\x00b"}, []string{"NUL"}},
		{[]string{strings.Repeat("x", 5000)}, []string{"5000"}},
		{[]string{}, []string{"empty list"}},
		{[]string{""}, []string{"empty"}},
		{5, []string{"number", "list of strings"}},
		{[]any{5}, []string{"number", "list of strings"}},
		{map[string]string{"a": "b"}, []string{"object", "list of strings"}},
		{nil, []string{"packages", "missing"}},
	} {
		r := p.call("install_dependencies", args{"packages": test.packages})
		refused(t, fmt.Sprintf("%.40v", test.packages), r, test.parts...)
		if o := r.object(t); o["status"] != "error" || o["error"] == "" {
			t.Errorf("%.40v: %v", test.packages, o)
		}
	}
	if b, err := os.ReadFile(ran); err == nil {
		t.Errorf("an installer ran: %s", b)
	}
	if after := sitePackages(t, dir); !slices.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
}

// TestInstall: new, old and upgraded packages, while the session's kernel lives, in a venv
// without pip by uv; in one by pip, which is slow, in TestMatrixInstall. The tests of
// session/pyenv/install have pip too.
func TestInstall(t *testing.T) {
	t.Parallel()
	p, dir := installs(t, "venv-uv", "uv")
	otherSession(t, p)
	checkPackages(t, p, dir)
	unknownPackage(t, p, dir)
}

func TestMatrixInstall(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	p, dir := installs(t, "venv", "pip")
	checkPackages(t, p, dir)
	unknownPackage(t, p, dir)
}

// installs installs a package and upgrades it, in an environment of that type by that tool.
func installs(t *testing.T, typ, tool string) (p *program, dir string) {
	t.Helper()
	dir, settings := makeEnv(t, typ)
	p = launchRaced(t, append(append(settings, wheels(t)...), "UV="+testUV(t))...)
	p.run("x = 41")
	o := p.done("install_dependencies", args{"packages": []string{"mcetoy==1.0"}})
	if changes(o) != "mcetoy <nil> 1.0" || o["tool"] != tool || o["env_type"] != typ || o["environment"] != dir {
		t.Errorf("a new one: %v", o)
	}
	if o["warnings"] != nil || o["restart_required"] != nil {
		t.Errorf("warnings: %v, %v", o["warnings"], o["restart_required"])
	}
	if r := p.run("import toymodule; print(toymodule.version, x)"); strings.TrimSpace(r.rest()) != "1.0 41" {
		t.Errorf("importing it: %s", r.text())
	}
	if o := p.done("install_dependencies", args{"packages": "mcetoy"}); o["changes"] != nil || fmt.Sprint(o["already_installed"]) != "[mcetoy 1.0]" {
		t.Errorf("one that is there: %v", o)
	}
	o = p.done("install_dependencies", args{"packages": []string{"mcetoy"}, "upgrade": true})
	if changes(o) != "mceleaf <nil> 0.5, mcetoy 1.0 2.0" {
		t.Errorf("an upgrade: %v", o)
	}
	if w := fmt.Sprint(o["warnings"]); fmt.Sprint(o["restart_required"]) != "[mcetoy 1.0 -> 2.0 (imported)]" || !strings.Contains(w, "restart") {
		t.Errorf("warnings: %v, %v", o["restart_required"], w)
	}
	if r := p.run("print(toymodule.version, x)"); strings.TrimSpace(r.rest()) != "1.0 41" {
		t.Errorf("afterwards: %s", r.text())
	}
	return p, dir
}

// otherSession: another session of the environment sees what is new as well.
func otherSession(t *testing.T, p *program) {
	t.Helper()
	p.call("execute_code", args{"code": "import leaf", "session": "other"})
	if o := p.done("install_dependencies", args{"packages": []string{"mceleaf==0.4"}}); o["restart_required"] != nil {
		t.Errorf("nothing of it is imported here: %v", o)
	}
	if r := p.call("execute_code", args{"code": "1", "session": "other"}); !strings.Contains(r.text(), "session default has changed") || !strings.Contains(r.text(), "mceleaf 0.5 -> 0.4 (imported)") {
		t.Errorf("the other session is not told: %s", r.text())
	}
	p.done("install_dependencies", args{"packages": []string{"mceother"}})
	if r := p.call("execute_code", args{"code": "import other; print(other.version)", "session": "other"}); strings.TrimSpace(r.rest()) != "1.0" {
		t.Errorf("the other session: %s", r.text())
	}
	refused(t, "an import name", p.call("install_dependencies", args{"packages": []string{"cv2"}}), "not found", "the package to install is opencv-python-headless")
}

// checkPackages asks for what TestInstall has installed.
func checkPackages(t *testing.T, p *program, dir string) {
	t.Helper()
	site, _ := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages"))
	imported := filepath.Join(t.TempDir(), "imported")
	write(t, map[string]string{filepath.Join(site[0], "bomb.py"): "open('" + imported + "', 'w')\n"})
	o := p.done("check_installed_packages", args{"packages": []string{"mcetoy", "toymodule", "McEtoy>=2", "mcetoy<2", "mceabsent", "PIL", "bomb", "sklearn", "cv2", "yaml", "json", "-r x"}})
	if _, err := os.Stat(imported); err == nil {
		t.Error("a check imported what it looked for")
	}
	details := o["package_details"].(map[string]any)
	for name, want := range map[string]map[string]any{
		"mcetoy":    {"installed": true, "version": "2.0"},
		"toymodule": {"installed": true, "version": "2.0", "name": "mcetoy"},
		"McEtoy>=2": {"installed": true, "version": "2.0"},
		"mcetoy<2":  {"installed": true, "satisfied": false},
		"mceabsent": {"installed": false},
		"sklearn":   {"installed": false, "hint": "scikit-learn"},
		"cv2":       {"installed": false, "hint": "opencv-python-headless"},
		"yaml":      {"installed": false, "hint": "PyYAML"},
		"PIL":       {"installed": true, "name": "pillow", "via": "import"},
		"bomb":      {"installed": true, "via": "path"},
		"json":      {"installed": true, "via": "stdlib"},
		"-r x":      {"installed": false},
	} {
		got, _ := details[name].(map[string]any)
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %v, want %v", name, key, got[key], value)
			}
		}
	}
	if location := details["mcetoy"].(map[string]any)["location"]; !strings.HasPrefix(fmt.Sprint(location), dir) {
		t.Errorf("location: %v", location)
	}
	if missing := fmt.Sprint(o["not_installed"]); o["all_installed"] != false || missing != "[mcetoy<2 mceabsent sklearn cv2 yaml -r x]" {
		t.Errorf("all_installed %v, not_installed %s", o["all_installed"], missing)
	}
	o = p.done("check_installed_packages", args{"packages": []string{"mceabsent", "mcetoy", "mceabsent", "mcetoy"}})
	if missing := o["not_installed"].([]any); len(missing) != 1 {
		t.Errorf("a name that was given twice is told twice: %v", missing)
	}
	if o := p.done("check_installed_packages", args{"packages": []string{"mcetoy"}}); o["all_installed"] != true {
		t.Errorf("all there: %v", o)
	}
}

// unknownPackage: the installer's last lines, and the environment as before.
func unknownPackage(t *testing.T, p *program, dir string) {
	t.Helper()
	before := sitePackages(t, dir)
	r := p.call("install_dependencies", args{"packages": []string{"mceleaf", "mceabsent"}})
	refused(t, "an unknown package", r, "mceabsent", "not found", "nothing was changed")
	if o := r.object(t); o["status"] != "error" || o["env_type"] == nil {
		t.Errorf("an unknown package: %v", o)
	}
	if after := sitePackages(t, dir); !slices.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
}

// silentIndex is an index that takes connections and never answers.
func silentIndex(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return "http://" + l.Addr().String() + "/simple"
}

// TestInstallCancelled: an installation that hangs answers in time, and
// interrupt_execution ends it with everything it started.
func TestInstallCancelled(t *testing.T) {
	t.Parallel()
	cancelInstall(t, "venv-uv")
}

// TestMatrixInstallCancelled is that with pip, which is slow.
func TestMatrixInstallCancelled(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	cancelInstall(t, "venv")
}

func cancelInstall(t *testing.T, typ string) {
	t.Helper()
	dir, settings := makeEnv(t, typ)
	before := sitePackages(t, dir)
	value := fmt.Sprintf("%d-%s", os.Getpid(), t.Name())
	p := launchRaced(t, append(settings, "UV="+testUV(t), "PIP_INDEX_URL="+silentIndex(t), mark+value)...)
	begun := time.Now()
	o := p.call("install_dependencies", args{"packages": []string{"mcetoy"}, "wait_seconds": 1}).object(t)
	id := fmt.Sprint(o["id"])
	if took := time.Since(begun); o["status"] != "installing" || took > 30*time.Second { // not the index's minutes
		t.Fatalf("after %s: %v", took, o)
	}
	if r := p.run("1 + 1"); !strings.Contains(r.text(), "2") { // beside it
		t.Errorf("beside it: %s", r.text())
	}
	kernel := len(marked(t, value))
	begun = time.Now()
	r := p.call("interrupt_execution", args{"id": id})
	if took := time.Since(begun); r.object(t)["status"] != "cancelled" || took > 30*time.Second {
		t.Errorf("after %s: %s", took, r.text())
	}
	for path := range marked(t, value) {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", path))
		if words := strings.ReplaceAll(string(cmdline), "\x00", " "); strings.Contains(words, "mcetoy") {
			t.Errorf("still there: %s", words)
		}
	}
	if left := len(marked(t, value)); left >= kernel {
		t.Errorf("%d processes, %d before the interrupt", left, kernel)
	}
	if after := sitePackages(t, dir); !slices.Equal(before, after) {
		t.Errorf("before %v, after %v", before, after)
	}
	if r := p.call("get_execution", args{"id": id}); r.object(t)["status"] != "cancelled" {
		t.Errorf("afterwards: %s", r.text())
	}
}

// TestInstallSideBySide: two servers that install into one environment at the
// same time take turns.
func TestInstallSideBySide(t *testing.T) {
	t.Parallel()
	dir, settings := makeEnv(t, "venv-uv")
	settings = append(append(settings, wheels(t)...), "UV="+testUV(t))
	home := "HOME=" + t.TempDir()
	var answers []chan reply
	var servers []*program
	for _, name := range []string{"mcetoy==1.0", "mceleaf", "mceother"} {
		p := launchRaced(t, append(settings, home)...)
		_, answer := p.begin("install_dependencies", args{"packages": []string{name}})
		servers, answers = append(servers, p), append(answers, answer)
	}
	for i, answer := range answers {
		if o := servers[i].await(answer, "installing").Result.object(t); o["status"] != "success" || strings.Contains(changes(o), ",") {
			t.Errorf("server %d: %v", i, o)
		}
	}
	o := servers[0].done("check_installed_packages", args{"packages": []string{"mcetoy", "mceleaf", "mceother"}})
	if o["all_installed"] != true || o["environment"] != dir {
		t.Errorf("%v", o)
	}
}
