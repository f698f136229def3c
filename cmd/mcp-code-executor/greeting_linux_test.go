package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGreeting: a person who starts the server in a terminal reads in two lines
// what it is and what to do; Ctrl-D ends it. A client, which has a pipe, gets none.
func TestGreeting(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func(stdin *os.File) string {
		cmd := exec.Command(exe)
		cmd.Env = []string{"MCE_TEST_SERVER=1", "GORACE=atexit_sleep_ms=0", "HOME=" + t.TempDir()}
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = stdin, &stderr
		if out, err := cmd.Output(); err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
		return stderr.String()
	}
	person, program := pseudoTerminal(t)
	if _, err := person.Write([]byte{4}); err != nil { // Ctrl-D
		t.Fatal(err)
	}
	said := start(program)
	for _, part := range []string{"MCP server", "Ctrl-D", "config CLIENT", "doctor"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is missing in %s", part, said)
		}
	}
	if strings.Count(said, "\n") != 2 {
		t.Errorf("no two lines: %s", said)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if said := start(null); said != "" {
		t.Errorf("without a terminal: %s", said)
	}
}

// pseudoTerminal opens a terminal: what a person has, and what a program has.
func pseudoTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}
