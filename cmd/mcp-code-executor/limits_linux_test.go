package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// limited are settings with every limit.
func limited(t testing.TB) []string {
	return append(inVenv(t), "MEMORY_LIMIT=512MB", "CPU_LIMIT=1", "PROCESS_LIMIT=20", "FILE_SIZE_LIMIT=64MiB")
}

// TestLimits: what goes over a limit is refused or ended, the answer names the limit
// and who can raise it, and the session keeps its variables.
func TestLimits(t *testing.T) {
	t.Parallel()
	p := launch(t, limited(t)...)
	p.run("import mmap, os, signal, subprocess, sys, time\nkept = 'kept'")
	for _, test := range []struct {
		name, code, status string
		parts              []string
	}{
		{"reserved memory is no memory",
			"m = mmap.mmap(-1, 1 << 30, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)\nimport numpy\nsize = [l for l in open('/proc/self/status') if l[:6] == 'VmSize'][0].split()[1]\nprint('more' if int(size) > 1 << 20 else size, numpy.ones(1000).sum())\ndel m",
			"ok", []string{"more 1000.0"}},
		{"memory of the kernel", "more = bytearray(600 << 20)", "error MemoryError",
			[]string{"MEMORY_LIMIT=512MiB", "variables are kept", "only the person can raise MEMORY_LIMIT"}},
		{"memory of numpy", "more = numpy.zeros(100 << 20)", "error MemoryError", []string{"MEMORY_LIMIT=512MiB"}},
		{"memory of a child", "r = subprocess.run([sys.executable, '-c', 'bytearray(600 << 20)'], stderr=subprocess.PIPE)\nprint(r.returncode, r.stderr[-12:])", "ok", []string{`1 b'MemoryError\n'`}},
		{"memory of the tree",
			"def take(): return subprocess.Popen([sys.executable, '-c', 'import time; b = b\"x\" * (300 << 20); time.sleep(60)'])\nps = [take(), take()]\nwhile all(p.poll() is None for p in ps): time.sleep(0.05)\nprint(sorted(str(p.poll()) for p in ps))\nfor p in ps: p.kill(); p.wait()",
			"ok", []string{"['-9', 'None']", "took more memory than the limit allows (MEMORY_LIMIT=512MiB)", "ended the process", "(python"}},
		{"a large file", "with open('large', 'wb', buffering=0) as f:\n    for _ in range(1000): f.write(b'x' * (1 << 20))", "error OSError",
			[]string{"File too large", "FILE_SIZE_LIMIT=64MiB", "only the person can raise"}},
		{"cores", "print('cores', len(os.sched_getaffinity(0)))", "ok", []string{"cores 1"}},
		{"too many processes", "ps = []\nwhile True: ps.append(subprocess.Popen(['sleep', '20']))", "error KeyboardInterrupt",
			[]string{"PROCESS_LIMIT=20", "interrupts code", "variables are kept"}},
		{"a fork bomb of a child", "r = subprocess.run([sys.executable, '-c', 'import os, time\\nend = time.time() + 20\\nwhile time.time() < end: os.fork()'])\nprint(r.returncode)", "ok",
			[]string{"PROCESS_LIMIT=20", "ended all but the kernel", "variables are kept", "\n-9"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := p.call("execute_code", args{"code": test.code})
			if !strings.HasPrefix(r.text(), "["+test.status+" | ") {
				t.Errorf("%s", r.text())
			}
			has(t, r, test.parts...)
			if r := p.run("kept"); !strings.HasSuffix(r.text(), "'kept'") || strings.Contains(r.text(), "LIMIT") || r.field("generation") != "" {
				t.Errorf("afterwards: %s", r.text())
			}
		})
	}
	// What has escaped of the fork bomb may be told of here: it needs a moment to be too many again.
	if size := strings.TrimSpace(p.run("print(os.path.getsize('large'))").rest()); !strings.HasSuffix("\n"+size, fmt.Sprintf("\n%d", 64<<20)) {
		t.Errorf("the large file has %s bytes", size)
	}
	for tool, parts := range map[string][]string{
		"get_environment_config": {`"MEMORY_LIMIT":"512MiB, held in each process by RLIMIT_DATA`, `"CPU_LIMIT":"1, held by CPU affinity (1 core)"`},
		"list_sessions":          {"[each session on this machine: FILE_SIZE_LIMIT=64MiB, held by RLIMIT_FSIZE]", "[each session on this machine: PROCESS_LIMIT=20, held by a look every 0.5 s]"},
	} {
		has(t, p.call(tool, nil), parts...)
	}
}

// TestLimitsEndKernel: where the kernel itself is what goes over a limit it is ended,
// and the answer says by what and what is lost.
func TestLimitsEndKernel(t *testing.T) {
	t.Parallel()
	p := launch(t, limited(t)...)
	for _, test := range []struct {
		name, code string
		parts      []string
	}{
		{"shared memory", "import mmap\nm = mmap.mmap(-1, 700 << 20)\nfor i in range(0, 700 << 20, 4096): m[i] = 1\nimport time; time.sleep(60)",
			[]string{"out of memory: its memory limit (MEMORY_LIMIT=512MiB) ended it", "only the person can raise", "variables and imports are gone"}},
		{"native code without memory", "import os\nos.write(2, b'memory allocation of 800000000 bytes failed\\n')\nos.abort()",
			[]string{"MEMORY_LIMIT=512MiB", "variables and imports are gone"}},
		{"a fork bomb that heeds nothing", "import os, signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nend = time.time() + 20\nwhile time.time() < end:\n    try: os.fork()\n    except OSError: pass",
			[]string{"too many processes", "PROCESS_LIMIT=20", "variables and imports are gone"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.run("kept = 1")
			r := p.call("execute_code", args{"code": test.code})
			if !strings.HasPrefix(r.text(), "[died | ") || !r.IsError {
				t.Errorf("%s", r.text())
			}
			has(t, r, test.parts...)
			nextCall(t, p)
		})
	}
}

// TestWrongLimit: code does not run while a limit cannot be read, in no environment, and
// the doctor says so.
func TestWrongLimit(t *testing.T) {
	t.Parallel()
	p := launch(t, append(inVenv(t), "MEMORY_LIMIT=8")...)
	for range 2 {
		r := p.call("execute_code", args{"code": "open('ran', 'w')"})
		refused(t, "with a wrong limit", r, "nothing was run", `MEMORY_LIMIT="8"`, "a number without a unit", "MEMORY_LIMIT=8MiB", "restart it")
	}
	if _, err := os.Stat(filepath.Join(p.storage, "ran")); err == nil {
		t.Error("the code ran")
	}
}

// TestWithoutLimits: with none set the guard is told nothing and the kernel is as free
// as the server.
func TestWithoutLimits(t *testing.T) {
	t.Parallel()
	p := launch(t, append(inVenv(t), "MEMORY_LIMIT=none", "CPU_LIMIT=off")...)
	r := p.run("import os, resource\nprint(resource.getrlimit(resource.RLIMIT_DATA)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0], len(os.sched_getaffinity(0)), os.getppid())")
	var data, file, cores, guard int
	if _, err := fmt.Sscan(r.rest(), &data, &file, &cores, &guard); err != nil || data != -1 || file != -1 {
		t.Errorf("%s", r.text())
	}
	line, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(guard), "cmdline"))
	if err != nil || strings.Contains(string(line), "-limits") {
		t.Errorf("%q %v", line, err)
	}
	if r := p.call("get_environment_config", nil); strings.Contains(r.text(), "LIMIT") {
		t.Errorf("%s", r.text())
	}
}
