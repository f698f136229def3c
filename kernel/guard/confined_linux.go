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

// sandbox is one around a guard, which is its process 1, or one that the guard makes
// around its kernel. A nil one is none.
type sandbox struct {
	own   bool   // the guard makes it
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
	if !plan.Mounts() {
		return p.startLandlocked(plan, reports)
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

// hear keeps what is said on stderr.
func (p *Process) hear() {
	p.sandbox.words = &words{next: p.cmd.Stderr}
	if p.cmd.Stdout != nil && p.cmd.Stdout == p.cmd.Stderr {
		p.cmd.Stdout = p.sandbox.words // one pipe for both, so that lines do not mix
	}
	p.cmd.Stderr = p.sandbox.words
}

// startLandlocked starts the guard that p.cmd describes; it confines what it starts. The
// plan goes through an open file: it can be longer than an argument may be.
func (p *Process) startLandlocked(plan confine.Plan, reports *os.File) error {
	text, err := json.Marshal(plan)
	var file *os.File
	if err == nil {
		file, err = memoryFile("plan", string(text))
	}
	if err != nil {
		p.commands.Close()
		reports.Close()
		return err
	}
	defer file.Close()
	p.cmd.Args = slices.Insert(p.cmd.Args, 2, landlockFlag, strconv.Itoa(3+len(p.cmd.ExtraFiles)))
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, file)
	p.cmd.Env = plan.Environ(p.cmd.Env)
	p.sandbox = &sandbox{own: true}
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
