package guard

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// watch follows the guard to its end.
func (p *Process) watch(reports *os.File) {
	exit, orderly := p.readReports(bufio.NewReader(reports))
	if orderly {
		p.setExit(exit)
		io.Copy(io.Discard, reports)
	}
	reports.Close()
	p.waitErr = p.reaper.Wait(p.cmd)
	if !orderly {
		// Only now that the guard is reaped are its children ours to see: they
		// are reparented after its end of the pipe is closed.
		p.reaper.adopt(p.pid)
		p.setExit(Exit{Code: -1, GuardLost: true})
		select {
		case p.started <- p.sandbox.refused(fmt.Errorf("guard ended: %v", p.cmd.ProcessState)):
		default: // long since started
		}
	}
	p.mu.Lock()
	p.closeCommandsLocked()
	p.mu.Unlock()
	close(p.gone)
}

// readReports reads the guard's reports. Without an orderly exit report the
// guard was lost.
func (p *Process) readReports(r *bufio.Reader) (exit Exit, orderly bool) {
	line, _ := r.ReadString('\n')
	var errno syscall.Errno
	if n, _ := fmt.Sscanf(line, "failed %d\n", &errno); n == 1 {
		p.started <- errno
		return Exit{Code: -1}, true
	}
	if n, _ := fmt.Sscanf(line, "started %d\n", &p.pid); n != 1 {
		return Exit{}, false
	}
	if p.sandbox != nil {
		p.guardPid, p.pid = p.sandbox.outside(p.cmd.Process.Pid, p.pid)
	}
	p.started <- nil

	line, _ = p.readText(r)
	var size int
	if n, _ := fmt.Sscanf(line, "exit %d %d %d\n", &exit.Code, &exit.Signal, &size); n != 3 || size < 0 || size > RingSize {
		return Exit{}, false
	}
	exit.Tail = make([]byte, size)
	n, _ := io.ReadFull(r, exit.Tail)
	exit.Tail = exit.Tail[:n]
	return exit, true
}

// readText passes the reports about output on, and returns the line that is
// something else.
func (p *Process) readText(r *bufio.Reader) (line string, err error) {
	for {
		if line, err = r.ReadString('\n'); err != nil {
			return line, err
		}
		if line == reportMark {
			select {
			case p.marks <- struct{}{}:
			default:
			}
			continue
		}
		if strings.HasPrefix(line, reportLimit) {
			if hit, ok := parseLimit(line); ok {
				p.limited(hit)
			}
			continue
		}
		var kind string
		var stream, size int
		n, _ := fmt.Sscanf(line, "%s %d %d\n", &kind, &stream, &size)
		if n != 3 || kind != reportText && kind != reportRest || size < 0 || size > RingSize {
			return line, nil
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(r, text); err != nil {
			return "", err
		}
		p.output(stream, text, kind == reportRest)
	}
}

func (p *Process) setExit(e Exit) {
	p.mu.Lock()
	e.Killed = p.killed
	p.exit = e
	p.mu.Unlock()
	close(p.done)
}
