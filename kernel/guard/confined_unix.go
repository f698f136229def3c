//go:build linux || darwin

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

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// sandbox is one around a guard, which is its process 1, or one that the guard makes
// around its kernel. A nil one is none.
type sandbox struct {
	own   bool   // the guard makes it
	words *words // what the program that makes it, or the guard, has said
	guard int    // the guard's process id, as seen from here; 0 while unknown
}

// hear keeps what is said on stderr.
func (p *Process) hear() {
	p.sandbox.words = &words{next: p.cmd.Stderr}
	if p.cmd.Stdout != nil && p.cmd.Stdout == p.cmd.Stderr {
		p.cmd.Stdout = p.sandbox.words // one pipe for both, so that lines do not mix
	}
	p.cmd.Stderr = p.sandbox.words
}

// startInside starts the guard that p.cmd describes; it confines what it starts. The plan
// goes through an open file: it can be longer than an argument may be.
func (p *Process) startInside(plan confine.Plan, reports *os.File) error {
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
	p.cmd.Args = slices.Insert(p.cmd.Args, 2, planFlag, strconv.Itoa(3+len(p.cmd.ExtraFiles)))
	p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, file)
	p.cmd.Env = plan.Environ(p.cmd.Env)
	p.sandbox = &sandbox{own: true}
	p.hear()
	return p.start(reports)
}

// try tries, in a sandbox that was made around this process, what must not work there:
// the guard that is to start a program in another one like it asks for that.
func try(check string) int {
	var c confine.Check
	err := json.Unmarshal([]byte(check), &c)
	if err == nil {
		err = confine.Enter(c)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// refused is err, the end of a guard that has started nothing, with what was said.
func (s *sandbox) refused(err error) error {
	if s == nil {
		return err
	}
	return confine.Explain(s.words.String(), err)
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
