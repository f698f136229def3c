//go:build linux

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/cmd/mcp-code-executor/doctor"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
)

// patient is a set-up the doctor is asked about.
type patient struct {
	settings []string
	args     []string // of the doctor
	mounts   string   // shell commands run before it, in a mount space of its own
	nobody   bool     // the doctor runs as another user
}

// examine runs the doctor as a person does, with nothing in its environment but
// settings, and returns what it found and its exit status.
func (p patient) examine(t *testing.T) (found doctor.Report, status int) {
	t.Helper()
	exe, home := programFor(t), t.TempDir()
	cmd := exec.Command(exe, append([]string{"doctor", "--json"}, p.args...)...)
	if p.nobody {
		open := filepath.Dir(home)
		server := filepath.Join(open, "server")
		execute(t, "cp", exe, server) // go's own directory is closed to others
		execute(t, "chmod", "a+rx", server, open)
		execute(t, "chown", "65534", home)
		cmd.Path, cmd.Args[0] = server, server
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir = "/"
	}
	if p.mounts != "" {
		inMounts(t, cmd, p.mounts)
	}
	cmd.Env = append([]string{"MCE_TEST_SERVER=1", "GORACE=atexit_sleep_ms=0", "PATH=/usr/bin:/bin", "HOME=" + home,
		"CODE_STORAGE_DIR=" + filepath.Join(home, "code"), "PIP_NO_INDEX=1"}, p.settings...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // the exit status is told below
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("%v in %s\n%s", err, out, stderr.String())
	}
	return found, cmd.ProcessState.ExitCode()
}

// findingsOf returns what was found in a step with that verdict.
func findingsOf(f doctor.Report, step, verdict string) string {
	var b strings.Builder
	for _, n := range f.Steps {
		if n.Step == step && n.Verdict == verdict {
			b.WriteString(n.Found + n.Cause + "\nfix: " + n.Fix + "\n")
		}
	}
	return b.String()
}

// foreignPython writes a program for a processor this machine does not have.
func foreignPython(t *testing.T, path string) {
	header := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_S390), Version: 1, Ehsize: 64}
	copy(header.Ident[:], "\x7fELF\x02\x02\x01")
	var b bytes.Buffer
	if err := binary.Write(&b, binary.BigEndian, header); err != nil {
		t.Fatal(err)
	}
	write(t, map[string]string{path: b.String()})
	execute(t, "chmod", "+x", path)
}

// withoutModule makes an environment that has all of the newest test one's
// packages, but for the code of one.
func withoutModule(t *testing.T, module string) (dir string) {
	dir = emptyEnv(t, "venv-uv")
	ask := "import sysconfig; print(sysconfig.get_path('purelib'))"
	there := execute(t, pythons(t)[0], "-c", ask)
	here := execute(t, filepath.Join(dir, "bin", "python"), "-c", ask)
	entries, err := os.ReadDir(there)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := os.Lstat(filepath.Join(here, e.Name())); err == nil || e.Name() == module {
			continue
		}
		if err := os.Symlink(filepath.Join(there, e.Name()), filepath.Join(here, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestDoctorNamesCauseAndFix: for each broken set-up the step at which it
// breaks, the cause and what fixes it. Those that are like others, or take longest, are
// in the matrices.
func TestDoctorNamesCauseAndFix(t *testing.T) {
	t.Parallel()
	split(t, ailments(t), ailmentsLeft, false, diagnosed)
}

func TestMatrixDoctorNamesCauseAndFix(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	split(t, ailments(t), ailmentsLeft, true, diagnosed)
}

var ailmentsLeft = []string{
	"type alone", "no conda", "no venv", "hollow venv", "crashing python", "ipykernel forbidden", "half an ipykernel", "no zmq",
	"storage is a file", "storage full", "storage read-only", "failing activation", "hanging activation", "long temporary", "full temporary", "wrong patterns",
}

// ailment is a broken set-up, and what the doctor says of it.
type ailment struct {
	patient func(t *testing.T) patient
	step    string
	warns   bool // it works all the same
	parts   []string
}

func ailments(t *testing.T) map[string]ailment {
	venv := func(t *testing.T, files map[string]string) string {
		dir := filepath.Join(t.TempDir(), "env")
		absolute := map[string]string{filepath.Join(dir, "pyvenv.cfg"): "home = /nowhere/python3.11/bin\n"}
		for name, content := range files {
			absolute[filepath.Join(dir, name)] = content
		}
		write(t, absolute)
		return dir
	}
	inConda := func(t *testing.T, script string) patient {
		home, root := condaHome(t)
		write(t, map[string]string{filepath.Join(root, "envs", "science", "etc", "conda", "activate.d", "zz_broken.sh"): script})
		return patient{settings: []string{"HOME=" + home, "ENV_TYPE=conda", "CONDA_ENV_NAME=science"}}
	}
	set := func(settings ...string) func(t *testing.T) patient {
		return func(*testing.T) patient { return patient{settings: settings} }
	}
	return map[string]ailment{
		"unknown type": {set("ENV_TYPE=poetry"), "environment", false, []string{`ENV_TYPE="poetry"`, "fix: use conda, venv, venv-uv or jupyter"}},
		"type alone":   {set("ENV_TYPE=venv"), "environment", false, []string{"VENV_PATH is not set", "fix: set VENV_PATH"}},
		"two choices":  {set("VENV_PATH=/a", "UV_VENV_PATH=/b"), "environment", false, []string{"ENV_TYPE is not set", "fix: set ENV_TYPE"}},
		"absent venv":  {set("VENV_PATH=/nowhere/env"), "environment", false, []string{"/nowhere/env", "fix: python3 -m venv /nowhere/env"}},
		"misspelt conda": {func(t *testing.T) patient {
			home, _ := sharedConda(t)
			return patient{settings: append(typeSettings("conda", "scince"), "HOME="+home)}
		}, "environment", false, []string{`"scince"`, "fix: CONDA_ENV_NAME=science"}},
		"no conda": {set("ENV_TYPE=conda", "CONDA_ENV_NAME=mce-nothing"), "environment", false, []string{"mce-nothing", "fix: conda create -n mce-nothing"}},
		"no venv": {func(t *testing.T) patient { return patient{settings: []string{"VENV_PATH=" + t.TempDir()}} }, "environment", false,
			[]string{"no pyvenv.cfg", "fix: make one with: python3 -m venv"}},
		"hollow venv": {func(t *testing.T) patient { return patient{settings: []string{"VENV_PATH=" + venv(t, nil)}} }, "environment", false,
			[]string{"no python in it", "fix: make it anew: python3 -m venv --clear"}},
		"dangling venv": {func(t *testing.T) patient {
			dir := venv(t, map[string]string{"bin/pip": ""})
			if err := os.Symlink("/nowhere/python3.11/bin/python3.11", filepath.Join(dir, "bin", "python")); err != nil {
				t.Fatal(err)
			}
			return patient{settings: []string{"VENV_PATH=" + dir}}
		}, "environment", false, []string{"/nowhere/python3.11/bin) is gone", "fix: make it anew: python3 -m venv --clear"}},
		"wrong architecture": {func(t *testing.T) patient {
			dir := venv(t, nil)
			foreignPython(t, filepath.Join(dir, "bin", "python"))
			return patient{settings: []string{"VENV_PATH=" + dir}}
		}, "environment", false, []string{"exec format error", "fix: make it anew", "another processor"}},
		"crashing python": {func(t *testing.T) patient {
			dir := venv(t, map[string]string{"bin/python": "#!/bin/sh\necho no such luck >&2\nexit 3\n"})
			execute(t, "chmod", "+x", filepath.Join(dir, "bin", "python"))
			return patient{settings: []string{"VENV_PATH=" + dir}}
		}, "environment", false, []string{"exit status 3: no such luck", "fix: make it anew"}},
		"no ipykernel": {func(t *testing.T) patient {
			return patient{settings: []string{"VENV_PATH=" + emptyEnv(t, "venv-uv")}}
		}, "ipykernel", true, []string{"ipykernel is not installed", "first call", "fix: mcp-code-executor doctor --fix, or: uv pip install"}},
		"ipykernel forbidden": {func(t *testing.T) patient {
			return patient{settings: []string{"VENV_PATH=" + emptyEnv(t, "venv-uv"), "KERNEL_INSTALL=never"}}
		}, "ipykernel", false, []string{"KERNEL_INSTALL=never forbids", "fix: uv pip install"}},
		"everything forbidden": {set("INSTALL=never"), "environment", false, []string{"INSTALL=never forbids making the default Python environment", "fix: INSTALL=auto"}},
		"half an ipykernel": {func(t *testing.T) patient {
			return patient{settings: []string{"VENV_PATH=" + withoutModule(t, "ipykernel")}}
		}, "ipykernel", true, []string{"half removed", "fix: uv pip install", "--reinstall ipykernel"}},
		"no zmq": {func(t *testing.T) patient {
			return patient{settings: []string{"VENV_PATH=" + withoutModule(t, "zmq")}}
		}, "kernel", false, []string{"its module zmq", "--reinstall ipykernel"}},
		"no matplotlib": {func(t *testing.T) patient {
			return patient{settings: []string{"VENV_PATH=" + withoutModule(t, "matplotlib")}}
		}, "plot", true, []string{"matplotlib cannot be imported", "fix: uv pip install", "matplotlib"}},
		"storage is a file": {set("CODE_STORAGE_DIR=/etc/passwd"), "storage", false, []string{"not a directory", "fix: set CODE_STORAGE_DIR"}},
		"storage full": {func(t *testing.T) patient {
			dir := t.TempDir()
			return patient{settings: []string{"CODE_STORAGE_DIR=" + dir}, mounts: "mount -t tmpfs -o size=4k none " + dir + "\nprintf %4096s x >" + dir + "/big"}
		}, "storage", false, []string{"no space left on device", "fix: free some space", "df -h"}},
		"storage read-only": {func(t *testing.T) patient {
			dir := t.TempDir()
			return patient{settings: []string{"CODE_STORAGE_DIR=" + dir}, mounts: "mount -t tmpfs -o ro none " + dir}
		}, "storage", false, []string{"read-only file system", "fix: set CODE_STORAGE_DIR"}},
		"storage not owned": {func(t *testing.T) patient {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			return patient{settings: []string{"CODE_STORAGE_DIR=" + dir}, nobody: os.Getuid() == 0}
		}, "storage", false, []string{"permission denied", "fix: sudo chown", "or set CODE_STORAGE_DIR"}},
		"work dir of somebody else": {func(t *testing.T) patient {
			dir := filepath.Join(t.TempDir(), "closed")
			if err := os.Mkdir(dir, 0o600); err != nil {
				t.Fatal(err)
			}
			return patient{settings: []string{"WORK_DIR=" + dir}, nobody: os.Getuid() == 0}
		}, "work dir", false, []string{"/closed may not be entered", "fix: set WORK_DIR to a directory that you may enter"}},
		"a Python that is somebody else's": {func(t *testing.T) patient {
			return patient{settings: []string{"ENV_TYPE=venv", "VENV_PATH=" + closedVenv(t)}, nobody: os.Getuid() == 0}
		},
			"environment", false, []string{"permission denied to enter ", "/home/somebody\n", "chmod o+rx ", "/home/somebody, or choose"}},
		"failing activation": {func(t *testing.T) patient { return inConda(t, "echo broken here >&2\nreturn 3\n") }, "activation", true,
			[]string{"zz_broken.sh failed", "broken here", "fix: fix or move away"}},
		"hanging activation": {func(t *testing.T) patient { return inConda(t, "sleep 1000\n") }, "activation", true,
			[]string{"longer than 10s", "fix: fix or move away"}},
		"long temporary": {func(t *testing.T) patient { return patient{settings: []string{"TMPDIR=" + longDir(t)}} }, "temporary", true, []string{"too long", "fix: TMPDIR=/tmp"}},
		"full temporary": {func(t *testing.T) patient {
			dir := t.TempDir()
			return patient{settings: []string{"TMPDIR=" + dir}, mounts: "mount -t tmpfs -o size=4k none " + dir}
		}, "temporary", true, []string{"is full", "fix: free some space"}},
		"wrong limit":    {set("MEMORY_LIMIT=8"), "settings", false, []string{"no kernel is started", "fix: MEMORY_LIMIT=8MiB"}},
		"wrong patterns": {set("ENV_DENY=[x-"), "environment", false, []string{"which is not a pattern", "fix: give names and patterns"}},
		"no Python": {func(t *testing.T) patient {
			empty := t.TempDir()
			return patient{mounts: "mount -t tmpfs none /usr/local\nmount --bind " + empty + " /usr/bin"}
		}, "environment", false, []string{"python3", "fix: install Python"}},
		"no index and nothing made": {set("PIP_NO_INDEX=", "UV="+testUV(t), "UV_HTTP_RETRIES=0", "UV_NO_CACHE=1", "PATH="+basePath(t), "UV_DEFAULT_INDEX=http://127.0.0.1:9/simple", "PIP_INDEX_URL=http://127.0.0.1:9/simple"),
			"environment", false, []string{"making the default Python environment", "127.0.0.1:9", "fix: check the network"}},
	}
}

// closedVenv is a venv whose python is a link into a home directory that is closed.
func closedVenv(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "venv") // t.TempDir would be closed itself
	if err != nil {
		t.Fatal(err)
	}
	home, bin := filepath.Join(dir, "home", "somebody"), filepath.Join(dir, "venv", "bin")
	t.Cleanup(func() {
		os.Chmod(home, 0o755)
		os.RemoveAll(dir)
	})
	for _, err := range []error{
		os.MkdirAll(filepath.Join(home, "python", "bin"), 0o755), os.MkdirAll(bin, 0o755),
		os.Symlink("python3", filepath.Join(bin, "python")), os.Symlink(filepath.Join(home, "python", "bin", "python3"), filepath.Join(bin, "python3")),
		os.WriteFile(filepath.Join(dir, "venv", "pyvenv.cfg"), []byte("home = "+home+"\n"), 0o644), os.Chmod(home, 0), os.Chmod(dir, 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Dir(bin)
}

func diagnosed(t *testing.T, _ string, test ailment) {
	p := test.patient(t)
	configured := len(p.settings) > 0 && (strings.Contains(strings.Join(p.settings, " "), "VENV_PATH") || strings.Contains(strings.Join(p.settings, " "), "ENV_TYPE"))
	if !configured && test.step != "environment" { // what is broken is something else
		p.settings = append(inVenv(t), p.settings...)
	}
	found, status := p.examine(t)
	verdict := doctor.VerdictFail
	if test.warns {
		verdict = doctor.VerdictWarn
	}
	said := findingsOf(found, test.step, verdict)
	for _, part := range test.parts {
		if !strings.Contains(said, part) {
			t.Errorf("%q is missing in:\n%s\nwhole: %+v", part, said, found.Steps)
		}
	}
	if test.warns != (status == 0) || found.OK != (status == 0) {
		t.Errorf("status %d, ok %v:\n%+v", status, found.OK, found.Steps)
	}
	for _, n := range found.Steps {
		if (n.Verdict == doctor.VerdictFail || n.Verdict == doctor.VerdictWarn) && (n.Cause == "" || n.Fix == "") {
			t.Errorf("no cause or no fix: %+v", n)
		}
	}
}

// longDir is a directory whose path is too long for a socket in it.
func longDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDoctorWarns: what works all the same is told, however much there is of it, each
// at its step with the cause and what fixes it.
func TestDoctorWarns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings []string
		steps    map[string][]string
	}{
		"no place": {[]string{"HOME=", "TMPDIR=/nowhere/tmp", "NOTEBOOK=/proc/notebooks"}, map[string][]string{
			"notebook":  {"the directory /proc/notebooks cannot be written to", "or set NOTEBOOK=off"},
			"home":      {"HOME is not set", "fix: HOME=/"},
			"temporary": {"does not exist", "fix: mkdir -p /nowhere/tmp"},
		}},
		"wrong words": {[]string{"SESSION_IDLE_LIMIT=soon", "HISTORY=perhaps", "KERNEL_INSTALL=maybe", "UV_INSTALL=soon", "PRELUDE=x", "LOG_LEVEL=verbose",
			"CODE_STORAGE_DIR=code", "XDG_RUNTIME_DIR=" + longDir(t), "PIP_NO_INDEX=", "UV=" + testUV(t), "PIP_INDEX_URL=http://user:secret@127.0.0.1:9/simple"}, map[string][]string{
			"settings": {`"soon" is not a duration`, "fix: SESSION_IDLE_LIMIT=2h", `HISTORY="perhaps" is neither on nor off: no record is kept`, "fix: HISTORY=on or HISTORY=off",
				`KERNEL_INSTALL="maybe"`, `UV_INSTALL="soon"`, `PRELUDE="x"`, `LOG_LEVEL="verbose"`},
			"client":    {"CODE_STORAGE_DIR=code is relative", "fix: CODE_STORAGE_DIR=/"},
			"temporary": {"too long", "fix: XDG_RUNTIME_DIR=/tmp"},
			"index":     {"127.0.0.1:9", "fix: check the network"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, status := patient{settings: append(inVenv(t), test.settings...)}.examine(t)
			if !found.OK || status != 0 {
				t.Errorf("status %d: %+v", status, found.Steps)
			}
			for step, parts := range test.steps {
				said := findingsOf(found, step, doctor.VerdictWarn)
				for _, part := range parts {
					if !strings.Contains(said, part) {
						t.Errorf("%s: %q is missing in:\n%s\nwhole: %+v", step, part, said, found.Steps)
					}
				}
			}
			if whole := fmt.Sprintf("%+v", found.Steps); strings.Contains(whole, "secret") {
				t.Errorf("a password is shown: %s", whole)
			}
		})
	}
}

// TestDoctorGreen: all is well in every kind of environment; the time is logged. The
// doctor is green in a venv in TestSetupDoctor too; TestMatrixDoctorGreen has the others.
func TestDoctorGreen(t *testing.T) {
	t.Parallel()
	split(t, healthy(), healthyLeft, false, inGreen)
}

func TestMatrixDoctorGreen(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	split(t, healthy(), healthyLeft, true, inGreen)
}

var healthyLeft = []string{"venv", "venv-uv", "old ipykernel", "managed"}

func healthy() map[string]func(t *testing.T) patient {
	return map[string]func(t *testing.T) patient{
		"venv": func(t *testing.T) patient {
			_, settings := makeEnv(t, "venv")
			return patient{settings: settings}
		},
		"venv-uv": func(t *testing.T) patient {
			_, settings := makeEnv(t, "venv-uv")
			return patient{settings: settings}
		},
		"old ipykernel": func(t *testing.T) patient {
			return patient{args: []string{"--env", "venv=" + filepath.Dir(filepath.Dir(pythons(t)[1]))}}
		},
		"conda": func(t *testing.T) patient {
			home, _ := sharedConda(t)
			return patient{settings: append(typeSettings("conda", "science"), "HOME="+home)}
		},
		"managed": func(t *testing.T) patient {
			settings, _ := loggedUV(t, "0")
			return patient{settings: append(settings, "HOME="+t.TempDir(), "PIP_NO_INDEX=")}
		},
	}
}

func inGreen(t *testing.T, name string, make func(t *testing.T) patient) {
	found, status := make(t).examine(t)
	if !found.OK || status != 0 {
		t.Fatalf("status %d: %+v", status, found.Steps)
	}
	for _, n := range found.Steps {
		if n.Verdict != doctor.VerdictOK && n.Step != "index" && !(n.Step == "plot" && name == "old ipykernel") {
			t.Errorf("%+v", n)
		}
	}
	t.Logf("%.1f s", found.Seconds)
}

// TestMatrixDoctorFix: ipykernel is installed when that is asked for.
func TestMatrixDoctorFix(t *testing.T) {
	testneeds.All(t)
	t.Parallel()
	dir := emptyEnv(t, "venv-uv")
	settings := append(append(typeSettings("venv-uv", dir), network()...), "PIP_NO_INDEX=", "UV="+testUV(t), "UV_CACHE_DIR="+execute(t, testUV(t), "cache", "dir"))
	found, status := patient{settings: settings, args: []string{"--fix"}}.examine(t)
	if status != 0 || len(sitePackages(t, dir)) < 10 {
		t.Errorf("status %d: %+v", status, found.Steps)
	}
}

// TestDoctorClientFiles: entries of this program in clients' files are judged
// and tried.
func TestDoctorClientFiles(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := filepath.Join(home, "mcp-code-executor")
	if err := os.Symlink(exe, server); err != nil {
		t.Fatal(err)
	}
	ssh := filepath.Join(home, "ssh")
	write(t, map[string]string{ssh: `#!/bin/sh
[ "$1 $2" = "-o BatchMode=yes" ] || exit 254
case $3 in
quiet) ;;
chatty) echo "Welcome to bigbox"; echo ;;
*) echo "ana@bigbox: Permission denied (publickey)." >&2; exit 255 ;;
esac
exec env MCE_TEST_SERVER=1 GORACE=atexit_sleep_ms=0 /bin/sh -c "$4"
`})
	if err := os.Chmod(ssh, 0o755); err != nil {
		t.Fatal(err)
	}
	desktop := map[string]any{"mcpServers": map[string]any{
		"quiet":    map[string]any{"command": ssh, "args": []string{"quiet", server}},
		"chatty":   map[string]any{"command": ssh, "args": []string{"chatty", server}},
		"denied":   map[string]any{"command": ssh, "args": []string{"denied", server}},
		"far":      map[string]any{"command": ssh, "args": []string{"denied", "/usr/bin/other"}},
		"good":     map[string]any{"command": server, "env": map[string]string{"VENV_PATH": filepath.Dir(filepath.Dir(pythons(t)[0]))}},
		"name":     map[string]any{"command": "mcp-code-executor"},
		"gone":     map[string]any{"command": "/nowhere/mcp-code-executor"},
		"relative": map[string]any{"command": server, "env": map[string]string{"CODE_STORAGE_DIR": "code"}},
		"broken":   map[string]any{"command": server, "env": map[string]string{"VENV_PATH": "/nowhere/env"}},
		"other":    map[string]any{"command": "/nowhere/other", "args": []string{"x"}},
	}}
	text, err := json.Marshal(desktop)
	if err != nil {
		t.Fatal(err)
	}
	write(t, map[string]string{
		filepath.Join(home, ".config", "Claude", "claude_desktop_config.json"): string(text),
		filepath.Join(home, ".cursor", "mcp.json"):                             `{"mcpServers": {"x": {"command": "mcp-code-executor",}}}`,
	})
	found, _ := patient{settings: append(inVenv(t), "HOME="+home)}.examine(t)
	said := findingsOf(found, "claude-desktop", doctor.VerdictWarn)
	for _, part := range []string{`server "name": command "mcp-code-executor" is not an absolute path`, `server "gone": there is no program`, `server "relative": CODE_STORAGE_DIR=code is relative`, `server "broken": no venv environment "/nowhere/env"`,
		`server "chatty": version `, `a login there prints before the first message: "Welcome to bigbox"`, `server "denied": ana@bigbox: Permission denied (publickey).`} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is missing in %s", part, said)
		}
	}
	if right := findingsOf(found, "claude-desktop", doctor.VerdictOK); !strings.Contains(right, `server "quiet": right: version `) || strings.Contains(said, "quiet") {
		t.Errorf("over ssh: %s", right)
	}
	if strings.Contains(said, "other") || strings.Contains(said, `"far"`) || strings.Contains(said, `"good"`) || findingsOf(found, "claude-desktop", doctor.VerdictOK) == "" {
		t.Errorf("%+v", found.Steps)
	}
	if said := findingsOf(found, "cursor", doctor.VerdictFail); !strings.Contains(said, "is not JSON") {
		t.Errorf("cursor: %s", said)
	}
}
