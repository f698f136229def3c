package keep

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestProcesses: what is asked of the process table.
func TestProcesses(t *testing.T) {
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if stopped(pid) || parent(pid) != os.Getpid() || !descends(pid, os.Getpid()) || descends(os.Getpid(), pid) {
		t.Error("a living child")
	}
	cmd.Process.Signal(syscall.SIGSTOP)
	for !stopped(pid) { // it is on its way
		time.Sleep(time.Millisecond)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if stopped(pid) || parent(pid) != 0 {
		t.Error("it is gone")
	}
}
