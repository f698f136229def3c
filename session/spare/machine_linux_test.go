package spare

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRoom(t *testing.T) {
	if total, free := meminfo("MemTotal:       2000 kB\nMemFree: 1 kB\nMemAvailable:    500 kB\nOdd\n"); total != 2000<<10 || free != 500<<10 {
		t.Errorf("meminfo: %d %d", total, free)
	}
	if p := pressure("some avg10=7.25 avg60=0.10 avg300=0.00 total=1\nfull avg10=0.00\n"); p != 7.25 {
		t.Errorf("pressure %v", p)
	}
	if p := pressure(""); p != 0 {
		t.Errorf("no pressure: %v", p)
	}
	got := strings.Join(cgroups("4:cpu,memory:/a/b\n0::/c\nbroken\n"), " ")
	if want := "/sys/fs/cgroup/memory/a/b /sys/fs/cgroup/memory /sys/fs/cgroup/c /sys/fs/cgroup"; got != want {
		t.Errorf("cgroups: %s", got)
	}
	if n := inactive("cache 1\ninactive_file 4096\n"); n != 4096 {
		t.Errorf("inactive %d", n)
	}
}

func TestBattery(t *testing.T) {
	for name, test := range map[string]struct {
		supplies map[string]string
		on       bool
	}{
		"none":        {nil, false},
		"emptied":     {map[string]string{"AC/type": "Mains", "AC/online": "0", "BAT0/type": "Battery", "BAT0/status": "Discharging"}, true},
		"charged":     {map[string]string{"AC/type": "Mains", "AC/online": "1", "BAT0/type": "Battery", "BAT0/status": "Charging"}, false},
		"by USB":      {map[string]string{"U/type": "USB", "U/online": "1", "BAT0/type": "Battery", "BAT0/status": "Discharging"}, false},
		"of a mouse":  {map[string]string{"m/type": "Battery", "m/scope": "Device", "m/status": "Discharging"}, false},
		"full, alone": {map[string]string{"BAT0/type": "Battery", "BAT0/status": "Full"}, false},
	} {
		dir := t.TempDir()
		for file, text := range test.supplies {
			os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o700)
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if on := batteryIn(dir) != ""; on != test.on {
			t.Errorf("%s: on battery %t", name, on)
		}
	}
}

// TestPriority: what is lowered is as before afterwards, for an ordinary user too.
func TestPriority(t *testing.T) {
	if os.Getenv("MCE_TEST_PRIORITY") == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestPriority$", "-test.v")
		cmd.Env = append(os.Environ(), "MCE_TEST_PRIORITY=1")
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		cmd.Dir = "/"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("as an ordinary user: %v\n%s", err, out)
		}
	}
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	pid := cmd.Process.Pid
	state := func() string {
		attr, err := unix.SchedGetAttr(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		ioprio, _, _ := unix.RawSyscall(unix.SYS_IOPRIO_GET, ioprioProcess, uintptr(pid), 0)
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/autogroup")
		_, group, _ := strings.Cut(string(text), " ")
		return strings.TrimSpace(strings.Join([]string{strconv.Itoa(int(attr.Policy)), strconv.Itoa(int(attr.Nice)), strconv.Itoa(int(ioprio)), group}, " "))
	}
	before := state()
	restore := lowerPriority(pid)
	if lowered := state(); lowered == before {
		t.Errorf("nothing is lowered: %s", before)
	}
	restore()
	if after := state(); after != before {
		t.Errorf("%s before, %s after", before, after)
	}
}
