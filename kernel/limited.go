package kernel

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
)

// delegated is the cgroup that kernels' are made in, found when the first limited
// kernel starts.
type delegated struct {
	once sync.Once
	base string // "" where there is none
}

// Held tells how the limits of kernels are held. It is asked of the system once.
func (h *Host) Held() limits.Held {
	held := limits.Held{Limits: h.Limits}
	if !h.Limits.Any() {
		return held
	}
	h.delegated.once.Do(func() {
		m := limits.Machine{Cgroups: "/sys/fs/cgroup", Proc: "/proc", Self: os.Getpid()}
		base, err := m.Delegated(h.Limits)
		if err != nil {
			h.Log.Debug("no cgroup for kernels' limits", "err", err)
			return
		}
		h.delegated.base = base
	})
	held.Cgroup = h.delegated.base
	return held
}

// limit makes what holds the kernel's limits.
func (k *Kernel) limit(host *Host) (held limits.Held, err error) {
	held = host.Held()
	if k.spec.Plan != nil {
		held.Cgroup = "" // a sandbox cannot enter one
	}
	if held.Cgroup == "" {
		k.held = held
		return held, nil
	}
	// Two servers may share the cgroup, but no private directory.
	name := "mce-" + filepath.Base(filepath.Dir(k.dir)) + "-" + filepath.Base(k.dir)
	held.Cgroup, err = limits.MakeCgroup(held.Cgroup, name, held.Limits)
	k.held = held
	return held, err
}

func (k *Kernel) leaveCgroup() {
	if k.held.Cgroup == "" {
		return
	}
	if err := limits.RemoveCgroup(k.held.Cgroup); err != nil && !os.IsNotExist(err) {
		k.log.Warn("removing the kernel's cgroup", "err", err)
	}
}

// Limits are those in force for this kernel: none on a Jupyter server.
func (k *Kernel) Limits() limits.Limits { return k.held.Limits }

// tellBegun tells a guard that looks at processes that code is about to be sent.
func (k *Kernel) tellBegun() {
	if p, ok := k.process.(*guard.Process); ok && k.Limits().Processes > 0 {
		p.Begun() // an error is the kernel's end, which is told
	}
}

// maxHits bounds what is kept of limits that nobody has asked for.
const maxHits = 16

// hit notes what the guard ends by a limit.
func (k *Kernel) hit(h limits.Hit) {
	k.log.Info("limit", "kind", h.Kind, "limit", h.Bound, "pid", h.PID, "name", h.Name, "memory", h.Memory, "processes", h.Count, "kernel", h.Kernel)
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.Kernel {
		k.ending = h
	} else if len(k.hits) < maxHits {
		k.hits = append(k.hits, h)
	}
}

// TakeHits returns the limits that processes of the kernel ran into, each once. What
// ended the kernel itself is in its Exit.
func (k *Kernel) TakeHits() []limits.Hit {
	k.mu.Lock()
	hits := k.hits
	k.hits = nil
	k.mu.Unlock()
	if k.held.Cgroup != "" && !k.isGone() && k.oomHits.rose() {
		k.oomHits.again()
		hits = append(hits, limits.Hit{Kind: limits.Memory, Bound: k.held.Memory, At: time.Now()})
	}
	return hits
}

// judgeLimits adds what the limits have to do with the end.
func (k *Kernel) judgeLimits(exit *Exit) {
	k.mu.Lock()
	exit.Limit = k.ending
	k.mu.Unlock()
	if exit.OutOfMemory && k.held.Cgroup != "" {
		exit.Limit = limits.Hit{Kind: limits.Memory, Bound: k.held.Memory, Kernel: true}
	}
	if exit.Limit.Kind == limits.Memory {
		exit.OutOfMemory = true
	}
	k.judgeWords(exit, string(exit.Tail))
}

// judgeWords adds the limit that the last words of a kernel tell of: native code ends
// itself when it gets no memory.
func (k *Kernel) judgeWords(exit *Exit, words string) {
	if exit.Limit.Kind == "" && !exit.Killed && k.held.Memory > 0 {
		exit.Limit, _ = limits.Limits{Memory: k.held.Memory}.Refusal("", words)
	}
}

// confine completes the plan of the kernel's sandbox, nil for none: it may use its own
// directory and read the launcher, and has a directory of its own for temporary files.
// The sandbox is tried against sockets of ours, which are to be closed when it has been.
func (k *Kernel) confine(host *Host, info jupyter.ConnectionInfo, command *guard.Spec) (tried func(), err error) {
	if k.spec.Plan == nil {
		return func() {}, nil
	}
	if !k.spec.Plan.Network && info.Transport != jupyter.TransportIPC {
		return nil, &confine.Refused{Reason: "without network a kernel can only be reached by unix sockets, and they cannot be used here",
			Next: "set XDG_RUNTIME_DIR or TMPDIR to a directory with a short path, or SANDBOX_NETWORK=on"}
	}
	if k.spec.Share.On() && info.Transport != jupyter.TransportIPC {
		return nil, &confine.Refused{Reason: "with SHARE=on, a kernel in a sandbox is joined by unix sockets only, and this one has TCP ports, which code of other sandboxes with the network reaches",
			Next: "set SHARE=off, or set XDG_RUNTIME_DIR or TMPDIR to a directory with a short path"}
	}
	scratch, err := host.scratch.Get([]string{os.TempDir()})
	if err != nil {
		return nil, fmt.Errorf("making a directory for temporary files: %w", err)
	}
	if k.scratch, err = os.MkdirTemp(scratch, "t"); err != nil {
		return nil, fmt.Errorf("making a directory for temporary files: %w", err)
	}
	var read []string
	if k.spec.Command == nil {
		read = []string{filepath.Join(filepath.Dir(k.dir), launchDir)}
	}
	full := k.spec.Plan.With([]string{k.dir}, read)
	full.Private, full.Sockets = k.scratch, []string{k.dir}
	command.Plan = &full
	return k.bait(&full, info.Transport == jupyter.TransportIPC)
}

// bait has the sandbox tried against sockets that somebody listens on: one beside the
// kernel's directory, where other kernels and programs have theirs, and a port. There is no
// unix socket where none can be made, which a kernel on unix sockets needs anyway.
func (k *Kernel) bait(plan *confine.Plan, sockets bool) (tried func(), err error) {
	var open []net.Listener
	closeAll := func() {
		for _, l := range open {
			l.Close()
		}
	}
	path, err := net.Listen("unix", k.dir+"x")
	if err != nil && sockets {
		return nil, fmt.Errorf("trying the sandbox: %w", err)
	}
	if err == nil {
		open = append(open, path)
		if plan.CutsSockets() {
			plan.Check.Unix = append(plan.Check.Unix, path.Addr().String())
		}
	}
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		closeAll()
		return nil, fmt.Errorf("trying the sandbox: %w", err)
	}
	open = append(open, port)
	if !plan.Network {
		plan.Check.TCP = port.Addr().String()
	}
	return closeAll, nil
}

// removeScratch removes the kernel's temporary files.
func (k *Kernel) removeScratch() error {
	if k.scratch == "" {
		return nil
	}
	return os.RemoveAll(k.scratch)
}
