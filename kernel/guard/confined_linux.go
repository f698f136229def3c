package guard

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// sandboxEnv are all variables of the program that makes the sandbox: those of the
// kernel may say which libraries to load, and it runs outside.
func sandboxEnv() []string { return []string{"PATH=/usr/bin:/bin", "LC_ALL=C"} }

// startConfined starts the guard that p.cmd describes in a sandbox. The guard is this
// program, which the sandbox's files need not have: it is given as an open file. The
// options, with the kernel's variables in them, go through another, as everybody can
// read command lines.
func (p *Process) startConfined(plan confine.Plan, reports *os.File) error {
	if !plan.Mounts() {
		return p.startInside(plan, reports)
	}
	program, options, err := confinedFiles(plan, p.cmd.Dir, p.cmd.Env)
	if err != nil {
		p.commands.Close()
		reports.Close()
		return err
	}
	defer program.Close()
	defer options.Close()
	check, err := json.Marshal(plan.Check)
	if err != nil {
		p.commands.Close()
		reports.Close()
		return err
	}
	first := 3 + len(p.cmd.ExtraFiles)
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, program, options)
	p.cmd.Path = plan.Program
	p.cmd.Args = slices.Concat(
		[]string{plan.Program, "--args", strconv.Itoa(first + 1), "--", "/proc/self/fd/" + strconv.Itoa(first), "guard", checkFlag, string(check)},
		p.cmd.Args[2:])
	p.cmd.Env, p.cmd.Dir = sandboxEnv(), "/"
	p.sandbox = &sandbox{}
	p.hear()
	return p.start(reports)
}

// confinedFiles are the program of the guard and the sandbox's options.
func confinedFiles(plan confine.Plan, dir string, env []string) (program, options *os.File, err error) {
	if program, err = os.Open("/proc/self/exe"); err != nil {
		return nil, nil, fmt.Errorf("opening this program's own file: %w", err)
	}
	options, err = memoryFile("options", strings.Join(plan.Options(dir, env), "\x00")+"\x00")
	if err != nil {
		program.Close()
		return nil, nil, err
	}
	return program, options, nil
}

// memoryFile is an open file, without a place on a disk, that holds text.
func memoryFile(name, text string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a sandbox's %s: %w", name, err)
	}
	file := os.NewFile(uintptr(fd), name)
	_, err = io.WriteString(file, text)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("writing a sandbox's %s: %w", name, err)
	}
	return file, nil
}

// outside finds the numbers outside of the sandbox of its guard and of the kernel,
// whose number inside is known. top is the process that made the sandbox.
func (s *sandbox) outside(top, inside int) (guard, kernel int) {
	if s.own {
		return top, inside
	}
	for _, pid := range scanChildrenOf(top) {
		if pidInside(pid) == 1 {
			guard = pid
		}
	}
	s.guard = guard
	for _, pid := range scanChildrenOf(guard) {
		if pidInside(pid) == inside {
			kernel = pid
		}
	}
	return guard, kernel
}

// kill ends the guard, and with it everything in the sandbox.
func (s *sandbox) kill() {
	if s != nil && s.guard > 0 {
		unix.Kill(s.guard, unix.SIGKILL)
	}
}

// pidInside is a process's number in its own namespace, 0 if that is not known.
func pidInside(pid int) int {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(numbers)
			n, _ := strconv.Atoi(fields[len(fields)-1])
			return n
		}
	}
	return 0
}
