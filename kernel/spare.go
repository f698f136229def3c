package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/launch"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
)

// Spare is a kernel that was started before a session needs it. No code of a
// session's has run in it, and it has no record. Its methods are not for concurrent
// use, but for Done and Close.
type Spare struct {
	kernel  *Kernel
	host    *Host
	sources []string
}

// waiting is what a kernel has while it is a spare.
type waiting struct {
	ahead Ahead
	first atomic.Bool // it is a session's and has run nothing
}

// ErrOwnCode says that a spare was not started because the start of a kernel runs
// code of the user's, which must not run before he wants a kernel.
var ErrOwnCode = errors.New("the start of this kernel runs start-up code of the user's")

// ErrPreimport says that a spare was not started because libraries cannot be imported
// ahead without a session noticing.
var ErrPreimport = errors.New("libraries cannot be imported ahead unnoticed")

// Ahead is what a spare has besides its Spec.
type Ahead struct {
	// Imports are libraries to import, see launch.Options.Preimport.
	Imports []string
	// Begun is called when its process is there, before it is waited for; nil is none.
	Begun func(pid int)
}

// StartSpare starts a kernel as [Start] does, for a session that is not known yet:
// Session, Generation and Environment of spec are not used.
func StartSpare(ctx context.Context, host *Host, spec Spec, ahead Ahead) (*Spare, error) {
	k, err := begin(ctx, host, spec, &waiting{ahead: ahead})
	if start := (*StartError)(nil); errors.As(err, &start) && start.Exit != nil {
		switch start.Exit.Code {
		case launch.ExitOwnCode:
			err = ErrOwnCode
		case launch.ExitPreimport:
			err = fmt.Errorf("%w: %s", ErrPreimport, start.Exit.Tail)
		}
	}
	if err != nil {
		return nil, err
	}
	s := &Spare{kernel: k, host: host}
	if s.sources, err = launch.ReadSources(k.sourcesFile()); err != nil {
		k.Close()
		return nil, err
	}
	return s, nil
}

// sourcesFile is where the launcher writes what the start has read.
func (k *Kernel) sourcesFile() string { return filepath.Join(k.dir, "sources") }

// Sources are the files and directories that its start has read or looked for.
func (s *Spare) Sources() []string { return s.sources }

// PID is the process's, for showing to a person.
func (s *Spare) PID() int { return s.kernel.info.PID }

// Began is when its process was started.
func (s *Spare) Began() time.Time { return s.kernel.info.Started }

// Done is closed when its process is gone.
func (s *Spare) Done() <-chan struct{} { return s.kernel.Done() }

// Close ends it, at once: there are no variables and no handlers of anybody's.
func (s *Spare) Close() { s.kernel.Close() }

// answerTime is how long a spare may take to answer when it is wanted: half of what its
// start took on this machine, but no longer than anybody should wait for one that hangs.
func (s *Spare) answerTime() time.Duration {
	return min(max(s.kernel.info.StartupDuration/2, 250*time.Millisecond), time.Second)
}

// HandOver makes the kernel that of a session, as if it had started now: with a record
// of its own and the first number for its first run. It is an error when the spare does
// not answer, or belongs to another start than spec tells; it is to be closed then.
func (s *Spare) HandOver(ctx context.Context, spec Spec) (*Kernel, error) {
	k, began := s.kernel, time.Now()
	if !k.Probe(ctx, s.answerTime()) {
		return nil, fmt.Errorf("the spare kernel %d does not answer", s.PID())
	}
	private, err := s.host.run.Get(s.host.RuntimePlaces)
	if errors.Is(err, rundir.ErrRemoved) {
		err = ErrDead
	}
	if err != nil {
		return nil, err
	}
	if k.oom != nil {
		k.oom.again()
	}
	if err := os.Remove(k.sourcesFile()); err != nil {
		k.log.Warn("removing what the start has read", "err", err)
	}
	k.spec = spec
	record := k.newRecord(s.host, private)
	k.mu.Lock()
	k.record = record
	k.mu.Unlock()
	k.info.RecordDir = record.Dir()
	k.info.Started, k.info.StartupDuration = began, time.Since(began)
	k.waits.first.Store(true)
	k.share()
	k.log.Info("spare kernel handed over", slog.Int("pid", k.info.PID), "session", spec.Session, "generation", spec.Generation, "took", k.info.StartupDuration)
	return k, nil
}

// waited reports once, before the first run, that the kernel was a spare.
func (k *Kernel) waited() bool { return k.waits != nil && k.waits.first.CompareAndSwap(true, false) }
