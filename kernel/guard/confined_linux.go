package guard

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// sandbox is one around a guard, which is its process 1. A nil one is none.
type sandbox struct {
	words *words // what the program that makes it, or the guard, has said
	guard int    // the guard's process id, as seen from here; 0 while unknown
}

// sandboxEnv are all variables of the program that makes the sandbox: those of the
// kernel may say which libraries to load, and it runs outside.
func sandboxEnv() []string { return []string{"PATH=/usr/bin:/bin", "LC_ALL=C"} }

// startConfined starts the guard that p.cmd describes in a sandbox. The guard is this
// program, which the sandbox's files need not have: it is given as an open file. The
// options, with the kernel's variables in them, go through another, as everybody can
// read command lines.
func (p *Process) startConfined(plan confine.Plan, reports *os.File) error {
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
	p.sandbox = &sandbox{words: &words{next: p.cmd.Stderr}}
	if p.cmd.Stdout != nil && p.cmd.Stdout == p.cmd.Stderr {
		p.cmd.Stdout = p.sandbox.words // one pipe for both, so that lines do not mix
	}
	p.cmd.Stderr = p.sandbox.words
	return p.start(reports)
}

// confinedFiles are the program of the guard and the sandbox's options.
func confinedFiles(plan confine.Plan, dir string, env []string) (program, options *os.File, err error) {
	if program, err = os.Open("/proc/self/exe"); err != nil {
		return nil, nil, fmt.Errorf("opening this program's own file: %w", err)
	}
	fd, err := unix.MemfdCreate("options", unix.MFD_CLOEXEC)
	if err != nil {
		program.Close()
		return nil, nil, fmt.Errorf("making a sandbox's options: %w", err)
	}
	options = os.NewFile(uintptr(fd), "options")
	_, err = io.WriteString(options, strings.Join(plan.Options(dir, env), "\x00")+"\x00")
	if err == nil {
		_, err = options.Seek(0, io.SeekStart)
	}
	if err != nil {
		program.Close()
		options.Close()
		return nil, nil, fmt.Errorf("writing a sandbox's options: %w", err)
	}
	return program, options, nil
}

// refused is err, the end of a guard that has started nothing, with what was said.
func (s *sandbox) refused(err error) error {
	if s == nil {
		return err
	}
	return confine.Explain(s.words.String(), err)
}

// outside finds the numbers outside of the sandbox of its guard and of the kernel,
// whose number inside is known. top is the process that made the sandbox.
func (s *sandbox) outside(top, inside int) (guard, kernel int) {
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

// maxWords bounds what is kept of what the sandbox's program says, in bytes.
const maxWords = 4 << 10

// words keeps the beginning of what is written to it, and hands all of it on.
type words struct {
	next io.Writer // nil for nobody

	mu   sync.Mutex // protects text
	text []byte
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.text = append(w.text, p[:min(len(p), maxWords-len(w.text))]...)
	w.mu.Unlock()
	if w.next == nil {
		return len(p), nil
	}
	return w.next.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(w.text), "\uFFFD"))
}
