package guard

import (
	"io"
	"os/exec"
	"syscall"
	"testing"
)

// TestFirstThreadEnded: a process is alive, and has its memory, as long as one of its threads
// runs; the system says of it what is true of the first.
func TestFirstThreadEnded(t *testing.T) {
	argv := pythonArgs(t, `import ctypes, threading
end = ctypes.CDLL(None).pthread_exit
def other():
    held = b"x" * (64 << 20)
    while open("/proc/self/stat").read().rpartition(")")[2].split()[0] != "Z": pass
    print("alone", flush=True)
    threading.Event().wait()
threading.Thread(target=other).start()
end(None)`)
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	said := make([]byte, len("alone"))
	if _, err := io.ReadFull(out, said); err != nil {
		t.Fatal(err)
	}
	m := machine{}
	if memory := m.Memory(pid, true); !m.Alive(pid) || memory < 64<<20 {
		t.Errorf("alive %v, %d bytes", m.Alive(pid), memory)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out.Close()
	for m.Alive(pid) { // until the last thread has ended
	}
	if memory := m.Memory(pid, true); memory != 0 {
		t.Errorf("dead, with %d bytes", memory)
	}
	cmd.Wait()
}
