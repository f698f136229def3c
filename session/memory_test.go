package session

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/testneeds"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	pyhost "github.com/mcp-code-executor/mcp-code-executor/session/pyenv/host"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
)

// TestMain lets the test binary be a kernel's guard.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		syscall.Exit(guard.Main(os.Args[2:])) // os.Exit takes a second in race builds
	}
	os.Exit(testneeds.Run(m))
}

// withKernels makes a manager that starts real kernels.
func withKernels(t *testing.T, idle time.Duration) *Manager {
	t.Helper()
	pythons := testneeds.Pythons(t)
	reaper, err := guard.NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	settings := map[string]string{"ENV_TYPE": "venv", "VENV_PATH": filepath.Dir(filepath.Dir(pythons[0]))}
	getenv := func(name string) string { return settings[name] }
	host := &kernel.Host{RecordDir: filepath.Join(dir, "records"), Reaper: reaper, Version: "test", Log: log}
	helpers := &pyhost.Host{
		Getenv: getenv, Environ: func() []string { return []string{"PATH=/usr/bin:/bin"} },
		Home: dir, Runner: reaper, DataDir: filepath.Join(dir, "data"), Logger: log,
	}
	m := NewManager(Config{
		Host:        host,
		Provisioner: provision.New(helpers),
		Environment: pyenv.Config{Type: settings["ENV_TYPE"], VenvPath: settings["VENV_PATH"]},
		Storage:     func() (*codefile.Store, error) { return codefile.Open(filepath.Join(dir, "code")) },
		StateDir:    filepath.Join(dir, "state"),
		IdleLimit:   idle,
		Log:         log,
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		m.Close(ctx)
		host.Close()
		helpers.Close()
	})
	return m
}

// finished runs code to its end, has its answer delivered, and returns its report.
func finished(t *testing.T, s *Session, code string) Report {
	t.Helper()
	e := execute(t, s, Request{Code: code})
	<-e.Done()
	r := e.Report(-1)
	for range r.Outputs {
	}
	r.Delivered()
	return r
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMatrixMemoryFlat: runs, deaths, restarts and fresh kernels leave little behind:
// with 2,000 runs kept, 830 restarts and deaths stay below 10 MB. It counts bytes.
func TestMatrixMemoryFlat(t *testing.T) {
	testneeds.All(t)
	m := withKernels(t, 0)
	ctx := context.Background()
	const perKernel, perRun = 6_000, 2_000
	work := func(rounds int) (kernels, runs int) {
		for i := range rounds {
			s, err := m.Open(fmt.Sprintf("s%d", i%2))
			if err != nil {
				t.Fatal(err)
			}
			for j := range 40 {
				finished(t, s, fmt.Sprintf("x%d = %q\nprint(x%d)", j, "some words of code that an answer has shown", j))
			}
			finished(t, s, "1/0")
			if r := finished(t, s, "import os, sys\nsys.__stderr__.flush(); os.write(2, b'w' * 70000); os._exit(3)"); r.Outcome != OutcomeDied {
				t.Fatalf("%s", r.Outcome)
			}
			finished(t, s, "1")
			if had, err := m.Stop(ctx, s.Name(), i%4 < 2); !had || err != nil {
				t.Fatal(had, err)
			}
			if s, err = m.Open(s.Name()); err != nil {
				t.Fatal(err)
			}
			fresh, err := s.ExecuteFresh(Request{Code: "print(1)"})
			if err != nil {
				t.Fatal(err)
			}
			<-fresh.Done()
			fresh.Report(-1).Delivered()
			kernels, runs = kernels+3, runs+44
		}
		return kernels, runs
	}
	work(2) // what is made once
	before := heap()
	kernels, runs := work(4)
	grown := heap() - before
	t.Logf("%d kernels and %d runs: %d bytes more", kernels, runs, grown)
	if limit := int64(kernels*perKernel + runs*perRun); grown > limit {
		t.Errorf("%d kernels and %d runs: %d bytes more, allowed are %d", kernels, runs, grown, limit)
	}
}
