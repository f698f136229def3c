package kerneltest

import (
	"sync"
	"syscall"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
)

// Process stands for the kernel's process. Its methods are those of a
// *guard.Process and are safe for concurrent use.
type Process struct {
	kernel     *Kernel
	interrupts chan struct{} // one signal waits, as in Unix
	done       chan struct{}

	mu   sync.Mutex // protects the fields below
	exit guard.Exit
	dead bool
}

// Pid is a process id that no process has.
func (p *Process) Pid() int { return 1 << 30 }

// Interrupt interrupts the cell that runs; an idle kernel ignores it.
func (p *Process) Interrupt() error {
	select {
	case <-p.done:
		return guard.ErrExited
	case p.interrupts <- struct{}{}:
	default:
	}
	return nil
}

// Kill ends the kernel with signal 9.
func (p *Process) Kill() error {
	if !p.end(guard.Exit{Code: -1, Signal: syscall.SIGKILL, Killed: true}) {
		return guard.ErrExited
	}
	return nil
}

// AwaitOutput has nothing to wait for: no guard reads.
func (p *Process) AwaitOutput() {}

// Done is closed when the kernel has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit is how the kernel ended.
func (p *Process) Exit() guard.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// Usage is made up.
func (p *Process) Usage() (guard.Usage, error) {
	return guard.Usage{Processes: 1, Memory: 1 << 20}, nil
}

// Close kills the kernel and waits until nothing of it runs.
func (p *Process) Close() error {
	p.Kill()
	p.kernel.wg.Wait()
	return nil
}

// end ends the process and reports whether it still ran. What was sent can
// still be received.
func (p *Process) end(exit guard.Exit) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false
	}
	p.dead, p.exit = true, exit
	close(p.done)
	for _, end := range p.kernel.ends {
		end.Close()
	}
	return true
}
