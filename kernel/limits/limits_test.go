package limits

import (
	"math"
	"testing"
)

// TestArg: what the server writes the guard reads.
func TestArg(t *testing.T) {
	for _, h := range []Held{
		{},
		{Limits: Limits{Memory: 8 << 30, CPU: 1.5, Processes: 50, FileSize: 1 << 20}},
		{Limits: Limits{Memory: math.MaxInt64, CPU: 0.1}, Cgroup: "/sys/fs/cgroup/a,b/mce-1"},
	} {
		if got, err := ParseHeld(h.Arg()); err != nil || got != h {
			t.Errorf("%s: %+v, %v", h.Arg(), got, err)
		}
	}
	for _, arg := range []string{"", "1,2,3,4", "a,0,0,0,", "1,x,0,0,", "1,1,1.5,0,", "1,1,1,,"} {
		if got, err := ParseHeld(arg); err == nil {
			t.Errorf("%q: %+v", arg, got)
		}
	}
}

func FuzzParseHeld(f *testing.F) {
	f.Add("1,1.5,3,4,/sys/fs/cgroup")
	f.Fuzz(func(t *testing.T, arg string) {
		h, err := ParseHeld(arg)
		if err != nil || h.CPU != h.CPU {
			return
		}
		if again, err := ParseHeld(h.Arg()); err != nil || again != h {
			t.Errorf("%q: %+v, again %+v, %v", arg, h, again, err)
		}
	})
}

// TestRefusal: only what a limit can have caused is laid at its door.
func TestRefusal(t *testing.T) {
	all := Limits{Memory: 1 << 30, Processes: 50, FileSize: 1 << 20}
	for _, test := range []struct {
		limits             Limits
		exception, message string
		want               Kind
	}{
		{all, "MemoryError", "", Memory},
		{all, "MemoryError", "Unable to allocate 800. MiB for an array with shape (104857600,)", Memory},
		{all, "ArrowMemoryError", "malloc of size 838860800 failed", Memory},
		{all, "OSError", "[Errno 12] Cannot allocate memory", Memory},
		{all, "RuntimeError", "[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 800 bytes", Memory},
		{all, "RuntimeError", "can't start new thread", Memory},
		{all, "", "memory allocation of 800000000 bytes failed", Memory},
		{all, "OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB", ""},
		{all, "MemoryError", "CUDA error", ""},
		{all, "OSError", "[Errno 27] File too large", FileSize},
		{all, "OSError", "[Errno 27] File too large: 'x'", FileSize},
		{all, "CalledProcessError", "Command 'dd' died with <Signals.SIGXFSZ: 25>.", FileSize},
		{all, "OSError", "[Errno 28] No space left on device", ""},
		{all, "BlockingIOError", "[Errno 11] Resource temporarily unavailable", Processes},
		{all, "ValueError", "memory", ""},
		{Limits{FileSize: 1}, "MemoryError", "", ""},
		{Limits{Memory: 1}, "OSError", "[Errno 27] File too large", ""},
		{Limits{}, "BlockingIOError", "[Errno 11] Resource temporarily unavailable", ""},
	} {
		h, ok := test.limits.Refusal(test.exception, test.message)
		if h.Kind != test.want || ok != (test.want != "") || ok && (!h.Refused || h.Bound != test.limits.Bound(test.want)) {
			t.Errorf("%s: %s: %+v, %t", test.exception, test.message, h, ok)
		}
	}
}

// TestMeans: the words say what a cgroup changes.
func TestMeans(t *testing.T) {
	l := Limits{Memory: 1 << 30, CPU: 1.5, Processes: 50, FileSize: 1 << 20}
	for _, test := range []struct {
		held Held
		want map[Kind]string
	}{
		{Held{Limits: l}, map[Kind]string{
			Memory:    "in each process by RLIMIT_DATA, in all together by a look every 0.5 s",
			CPU:       "by CPU affinity (2 cores)",
			Processes: "by a look every 0.5 s",
			FileSize:  "by RLIMIT_FSIZE"}},
		{Held{Limits: l, Cgroup: "/x"}, map[Kind]string{
			Memory:    "in each process by RLIMIT_DATA, in all together by cgroup (memory.max)",
			CPU:       "by cgroup (cpu.max)",
			Processes: "by a look every 0.5 s, and cgroup (pids.max) 1024 tasks above it",
			FileSize:  "by RLIMIT_FSIZE"}},
	} {
		for kind, want := range test.want {
			if got := test.held.Means()[kind]; got != want {
				t.Errorf("%s: %q, want %q", kind, got, want)
			}
		}
	}
}
