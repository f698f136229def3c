package testneeds

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	// Environments is the need for what `make test` makes in .cache.
	Environments = "environments"
	// MemoryCgroup is the need for a memory cgroup that the test can make.
	MemoryCgroup = "memory-cgroup"
	// CondaProgram is the need for a conda program, which needs a Python 3.6.
	CondaProgram = "conda-program"
	// MountNamespace is the need for mounts that only the tested program sees.
	MountNamespace = "mount-namespace"
	// OpenPython is the need for a Python that others than root can start.
	OpenPython = "open-python"
	// ManagedPython is the need for a /usr/bin/python3 that the system's package
	// manager keeps to itself (PEP 668).
	ManagedPython = "managed-python"
	// CCompiler is the need for gcc, which compiles the sandbox of testdata/sandbox.
	CCompiler = "c-compiler"
	// SSHServer is the need for OpenSSH, or for Debian's packages of it.
	SSHServer = "ssh-server"
	// Bubblewrap is the need for bwrap, and for user namespaces.
	Bubblewrap = "bubblewrap"
	// Landlock is the need for Linux's Landlock, of a version that a test is for.
	Landlock = "landlock"
	// OtherUser is the need for root, who can give files to another user.
	OtherUser = "other-user"
	// RKernel is the need for R with IRkernel, Debian's r-cran-irkernel.
	RKernel = "r-kernel"
)

// All leaves a test out but for `make test-all`. Such a test is one of many alike
// (Pythons, transports, users), and its name begins with TestMatrix.
func All(t testing.TB) {
	t.Helper()
	if os.Getenv("MCE_TEST_ALL") == "" {
		t.Skip("only in make test-all")
	}
}

const (
	required = "MCE_TEST_REQUIRED"
	leftOut  = "MCE_TEST_LEFT_OUT"
)

// Variable returns what `make test` has put into an environment variable, and
// leaves the test out where it has not run.
func Variable(t testing.TB, name, what string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		Skip(t, Environments, what+" in "+name+": run `make test`, which makes one")
	}
	return value
}

// List is Variable for a list of paths.
func List(t testing.TB, name, what string) []string {
	t.Helper()
	return filepath.SplitList(Variable(t, name, what))
}

// Pythons are the Pythons with ipykernel to test with, the newest ipykernel first.
func Pythons(t testing.TB) []string {
	t.Helper()
	return List(t, "MCE_TEST_PYTHONS", "Pythons with ipykernel")
}

// Kernels is the first of Pythons: the newest in `make test`; `make test-matrices`
// runs the packages that ask for it again, on the others, and of cmd's tests those
// called TestKernels….
func Kernels(t testing.TB) []string { return Pythons(t)[:1] }

// Skip ends a test for want of something; a failure where that is required.
func Skip(t testing.TB, need, what string) {
	t.Helper()
	Lacks(t, need, what)
	t.Skipf("left out for want of %s: %s", need, what)
}

// Lacks notes that a part of a test is left out; a failure where the need is
// required. The test goes on.
func Lacks(t testing.TB, need, what string) {
	t.Helper()
	if slices.Contains(strings.Fields(os.Getenv(required)), need) {
		t.Fatalf("this machine lacks %s, which %s says it must have: %s", need, required, what)
	}
	if err := note(os.Getenv(leftOut), need, t.Name(), what); err != nil {
		t.Fatal(err)
	}
}

func note(file, need, test, what string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "%s\t%s\t%s\n", need, test, strings.ReplaceAll(what, "\n", " "))
	return err
}

// Run runs a package's tests and says how many were left out, unless they were
// started with a file of their own for that: `make test` counts once for all.
func Run(m *testing.M) (status int) {
	if os.Getenv(leftOut) != "" {
		return m.Run()
	}
	f, err := os.CreateTemp("", "left-out-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	f.Close()
	defer os.Remove(f.Name())
	os.Setenv(leftOut, f.Name())
	status = m.Run()
	if b, err := os.ReadFile(f.Name()); err == nil && len(b) > 0 {
		say(fmt.Sprintf("left out %d for want of %s: run `make test`, which has more\n", strings.Count(string(b), "\n"), strings.Join(needs(string(b)), ", ")))
	}
	return status
}

// needs are the first words of the lines, each once.
func needs(lines string) (names []string) {
	for line := range strings.Lines(lines) {
		name, _, _ := strings.Cut(line, "\t")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// say prints a line. `go test` with a list of packages drops what a package that
// passes has printed: there the line goes to go's own stderr, where that can be
// reached.
func say(line string) {
	parent := fmt.Sprintf("/proc/%d", os.Getppid())
	command, _ := os.ReadFile(parent + "/comm")
	ours, _ := os.Readlink("/proc/self/fd/1")
	theirs, _ := os.Readlink(parent + "/fd/1")
	if strings.TrimSpace(string(command)) == "go" && ours != theirs {
		if f, err := os.OpenFile(parent+"/fd/2", os.O_WRONLY|os.O_APPEND, 0); err == nil {
			dir, _ := os.Getwd()
			fmt.Fprintf(f, "%s: %s", filepath.Base(dir), line)
			f.Close()
			return
		}
	}
	fmt.Print(line)
}
