package limits

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes a fake tree of cgroups and /proc.
func tree(t *testing.T, files map[string]string) (m Machine, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Machine{Cgroups: filepath.Join(dir, "cgroup"), Proc: filepath.Join(dir, "proc"), Self: 100}, dir
}

// delegatedTree is a scope with the server, 100, and a child of it.
func delegatedTree() map[string]string {
	return map[string]string{
		"proc/self/cgroup": "0::/user/run.scope\n",
		"proc/101/status":  "Name:\tx\nPPid:\t100\n",
		"proc/7/status":    "Name:\teditor\nPPid:\t1\n",
		"cgroup/user/run.scope/cgroup.controllers":      "cpu memory pids\n",
		"cgroup/user/run.scope/cgroup.subtree_control":  "cpu memory pids\n", // as after the write
		"cgroup/user/run.scope/cgroup.procs":            "100\n101\n",
		"cgroup/user/run.scope/mce-server/cgroup.procs": "",
	}
}

// TestDelegated: a cgroup of the server's own is divided, the server put into a leaf; any
// other is refused with the reason, and left as it was.
func TestDelegated(t *testing.T) {
	all := Limits{Memory: 1 << 30, CPU: 1.5, Processes: 50, FileSize: 1}
	for _, test := range []struct {
		name   string
		change map[string]string
		err    string
	}{
		{"the server's own", nil, ""},
		{"version 1", map[string]string{"proc/self/cgroup": "4:memory:/x\n0::/user/run.scope\n"}, "version 1"},
		{"none", map[string]string{"proc/self/cgroup": ""}, "no cgroup of version 2"},
		{"with an editor in it", map[string]string{"cgroup/user/run.scope/cgroup.procs": "7\n100\n"}, "process 7 is in it too"},
		{"memory not delegated", map[string]string{"cgroup/user/run.scope/cgroup.controllers": "cpu pids\n"}, "does not have memory"},
		{"a write without effect", map[string]string{"cgroup/user/run.scope/cgroup.subtree_control": ""}, "does not have memory"},
		{"divided already", map[string]string{"proc/self/cgroup": "0::/user/run.scope/mce-server\n"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := delegatedTree()
			for name, content := range test.change {
				files[name] = content
			}
			m, dir := tree(t, files)
			scope := filepath.Join(dir, "cgroup/user/run.scope")
			base, err := m.Delegated(all)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%q, %v", base, err)
				}
				return
			}
			if err != nil || base != scope {
				t.Fatalf("%q, %v", base, err)
			}
			if test.change != nil {
				return
			}
			for file, want := range map[string]string{"mce-server/cgroup.procs": "100\n101\n", "cgroup.subtree_control": "cpu memory pids\n+memory +cpu +pids\n"} {
				if got, _ := os.ReadFile(filepath.Join(scope, file)); string(got) != want {
					t.Errorf("%s: %q, want %q", file, got, want)
				}
			}
		})
	}
}

// TestMakeCgroup: a kernel's cgroup has the limits that are set, and no others.
func TestMakeCgroup(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{"memory.max", "memory.swap.max", "cpu.max", "pids.max"} {
		files["base/k1/"+name] = ""
		files["base/k2/"+name] = ""
	}
	_, dir := tree(t, files)
	base := filepath.Join(dir, "base")
	for name, want := range map[string]map[string]string{
		"k1": {"memory.max": "1073741824\n", "memory.swap.max": "0\n", "cpu.max": "150000 100000\n", "pids.max": "1074\n"},
		"k2": {"memory.max": "", "memory.swap.max": "", "cpu.max": "50000 100000\n", "pids.max": ""},
	} {
		l := Limits{CPU: 0.5}
		if name == "k1" {
			l = Limits{Memory: 1 << 30, CPU: 1.5, Processes: 50, FileSize: 1}
		}
		made, err := MakeCgroup(base, name, l)
		if err != nil || made != filepath.Join(base, name) {
			t.Fatal(made, err)
		}
		for file, content := range want {
			if got, _ := os.ReadFile(filepath.Join(made, file)); string(got) != content {
				t.Errorf("%s/%s: %q, want %q", name, file, got, content)
			}
		}
	}
	if made, err := MakeCgroup(base, "k3", Limits{Memory: 1}); err == nil { // no memory.max in it
		t.Errorf("%s: limits that could not be written", made)
	}
	if _, err := os.Stat(filepath.Join(base, "k3")); err == nil {
		t.Error("a cgroup without its limits is left")
	}
	if err := os.Mkdir(filepath.Join(base, "k4"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := RemoveCgroup(filepath.Join(base, "k4")); err != nil {
			t.Error(err)
		}
	}
}
