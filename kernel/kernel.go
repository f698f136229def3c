package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/guard"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/record"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/rundir"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/share"
)

// Kernel is one running kernel process.
//
// Its goroutines:
//  1. one reader per channel (iopub, shell, control, stdin), started by Start,
//     ended by the closing of its connection;
//  2. the watcher, started by Start, which waits for the process and then
//     closes the connections and fails what is in flight;
//  3. the syncer, started by Start, ended by Close, which brings the record to
//     the disk.
//
// Close ends them all and waits.
type Kernel struct {
	spec    Spec
	log     *slog.Logger
	dir     string
	scratch string // its temporary files, in a sandbox; "" for none
	process process
	record  *record.Record
	codec   *jupyter.Codec
	info    Info

	channels map[jupyter.Channel]*channel

	gone     chan struct{} // closed when the process is gone and its output is in
	closing  chan struct{} // closed by Close
	once     sync.Once
	wg       sync.WaitGroup // readers, watcher and executions
	oom      *oomCounter
	oomHits  *oomCounter   // of its own cgroup, for TakeHits
	held     limits.Held   // with a cgroup, or zero
	unsynced chan struct{} // buffered 1: the record has entries the disk may not have
	waits    *waiting      // of a spare, until its first run

	large     chan struct{} // closed when a large library has been imported
	largeOnce sync.Once
	widgets   widgets // of the iopub reader

	others    *share.Others          // nil where nobody else can use the kernel
	forOthers jupyter.ConnectionInfo // how they connect; zero where that is nobody's affair

	subshellMu sync.Mutex // held while the subshell is made
	subshellID string     // of our own questions

	signals sync.Mutex // held while an interrupt is sent, and while an execution ends

	// mu is shared with the executions, which outlive the kernel.
	mu         *sync.Mutex // protects the fields below
	executions map[string]*Execution
	finished   []*Execution // oldest first
	waiters    map[string]*waiter
	current    *Execution
	capture    captures
	late       []string   // ids of executions with output after their end
	exited     bool       // the kernel said it exits (ask_exit)
	latest     *Execution // the current one, or the last
	outside    outside
	atStake    Lost
	imported   []string     // large libraries
	hits       []limits.Hit // not taken yet
	ending     limits.Hit   // the one that ended the kernel
	closed     bool
}

// process is the process a Kernel talks to: a *guard.Process, or a test's.
type process interface {
	Pid() int
	Interrupt() error
	Kill() error
	AwaitOutput()
	Done() <-chan struct{}
	Exit() guard.Exit
	Usage() (guard.Usage, error)
	Close() error
}

// Info is what a kernel tells about itself.
type Info struct {
	PID             int
	Implementation  string // "ipython"
	Version         string // of IPython
	Protocol        string
	Language        string // "python", "bash"
	LanguageVersion string
	Features        []string
	Started         time.Time
	StartupDuration time.Duration
	RecordDir       string

	// NotShared says why other clients cannot find a kernel that was to be shared.
	NotShared error
	// Joined says that somebody else has started the kernel: it outlives ours.
	Joined bool
	// Server, ID and Kernelspec are those of a kernel on a Jupyter Server, Ours says
	// that we started it there.
	Server, ID, Kernelspec string
	Ours                   bool
}

// Start launches a kernel and returns when it has answered on shell and iopub.
// ctx bounds the start only. A kernel that ends while starting gives a
// *[StartError] with its exit and the last lines it wrote.
func Start(ctx context.Context, host *Host, spec Spec) (*Kernel, error) {
	k, err := startOnce(ctx, host, spec)
	if err != nil && host.transport.refused(err) {
		host.Log.Warn("the kernel cannot use unix sockets: starting it with TCP ports", "err", err)
		k, err = startOnce(ctx, host, spec)
	}
	return k, err
}

func startOnce(ctx context.Context, host *Host, spec Spec) (*Kernel, error) {
	k, err := begin(ctx, host, spec, nil)
	if err == nil {
		k.log.Info("kernel started", "pid", k.info.PID, "python", spec.Python, "took", k.info.StartupDuration)
	}
	return k, err
}

// begin starts a kernel; with waits it is a spare's.
func begin(ctx context.Context, host *Host, spec Spec, waits *waiting) (*Kernel, error) {
	patience := spec.StartTimeout
	if patience == 0 {
		patience = defaultStartTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()

	parent, err := host.run.Get(host.RuntimePlaces)
	if errors.Is(err, rundir.ErrRemoved) {
		err = ErrDead
	}
	if err != nil {
		return nil, &StartError{Phase: "making a private directory", Err: err}
	}
	dir, err := os.MkdirTemp(parent, "k")
	if err != nil {
		return nil, &StartError{Phase: "making its private directory", Err: err}
	}
	log := host.Log.With("session", spec.Session, "generation", spec.Generation)
	if waits != nil {
		log = host.Log.With("spare", filepath.Base(dir))
	}
	k := newKernel(spec, log)
	k.dir, k.waits = dir, waits
	started := time.Now()
	if err := k.start(ctx, host); err != nil {
		k.Close()
		return nil, err
	}
	k.info.Started = started
	k.info.StartupDuration = time.Since(started)
	return k, nil
}

func newKernel(spec Spec, log *slog.Logger) *Kernel {
	return &Kernel{
		spec:       spec,
		log:        log,
		channels:   map[jupyter.Channel]*channel{},
		gone:       make(chan struct{}),
		closing:    make(chan struct{}),
		unsynced:   make(chan struct{}, 1),
		large:      make(chan struct{}),
		executions: map[string]*Execution{},
		waiters:    map[string]*waiter{},
		capture:    captures{},
		mu:         &sync.Mutex{},
	}
}

func (k *Kernel) start(ctx context.Context, host *Host) error {
	info, err := k.connection(host)
	if err != nil {
		return &StartError{Phase: "preparing its connection", Err: err}
	}
	if k.spec.Share.On() {
		k.others = &share.Others{}
	}
	file := filepath.Join(k.dir, "kernel.json")
	if err := jupyter.WriteConnectionFile(file, info); err != nil {
		return &StartError{Phase: "writing its connection file", Err: err}
	}
	private := filepath.Dir(k.dir) // the server's
	session := uuid.NewString()
	k.codec = jupyter.NewCodec([]byte(info.Key), session, "mcp-code-executor")
	command, err := k.command(host, file)
	if err != nil {
		return err
	}
	if command.Limits, err = k.limit(host); err != nil {
		return &StartError{Phase: "making its cgroup", Err: err}
	}
	tried, err := k.confine(host, info, &command)
	if err != nil {
		return &StartError{Phase: "making its sandbox", Err: err}
	}
	guarded, err := guard.Start(ctx, command, host.Reaper)
	tried()
	if err != nil {
		return &StartError{Phase: "launching", Err: err}
	}
	k.process = guarded
	k.oom = newOOMCounter(guarded.Pid())
	if k.held.Cgroup != "" {
		k.oomHits = newOOMCounter(guarded.Pid())
	}
	k.info.PID = k.process.Pid()
	if k.waits == nil {
		k.record = k.newRecord(host, private)
		k.info.RecordDir = k.record.Dir()
	} else if k.waits.ahead.Begun != nil {
		k.waits.ahead.Begun(k.info.PID)
	}

	// The start ends at once when the process does: an environment without
	// ipykernel is told in a second, not after the time limit.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	exited := make(chan struct{})
	go func() {
		select {
		case <-k.process.Done():
			cancel(ErrDead)
		case <-exited:
		}
	}()
	defer close(exited)

	if err := k.connect(ctx, info, file, session); err != nil {
		return k.startError(ctx, "connecting", err)
	}
	if err := k.ready(ctx); err != nil {
		return k.startError(ctx, "waiting for an answer", err)
	}
	if k.spec.Share.On() {
		if k.forOthers, err = jupyter.ReadConnectionFile(file); err != nil {
			return &StartError{Phase: "reading its connection file", Err: err}
		}
		if k.waits == nil {
			k.share()
		}
	}
	// The key has done its work; whoever can read our memory needs no file.
	if err := os.Remove(file); err != nil {
		k.log.Warn("removing connection file", "err", err)
	}
	return nil
}

// newRecord makes the kernel's record; see Host.newRecord.
func (k *Kernel) newRecord(host *Host, private string) *record.Record {
	return host.newRecord(private, record.Info{
		Session:       k.spec.Session,
		Generation:    k.spec.Generation,
		Environment:   k.spec.Environment,
		Python:        k.spec.Python,
		Dir:           k.spec.Dir,
		ServerVersion: host.Version,
		Started:       time.Now(),
		PID:           k.info.PID,
	})
}

// ready begins to watch the process and returns when the kernel has answered.
func (k *Kernel) ready(ctx context.Context) error {
	k.wg.Go(k.watch)
	k.wg.Go(k.sync)
	return k.awaitReady(ctx)
}

func (k *Kernel) startError(ctx context.Context, phase string, err error) error {
	// A failed handshake can come a moment before the news of the process's end,
	// which says more.
	patience := exitNews
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrDead) {
		patience = 0
	}
	select {
	case <-k.process.Done():
		k.takeRest()
		exit := k.Exit()
		return &StartError{Phase: phase, Exit: &exit, Err: ErrDead}
	case <-time.After(patience):
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &StartError{Phase: phase, Err: err}
}

// watch waits for the end of the process, lets the channels deliver what they
// hold and then declares the kernel gone.
func (k *Kernel) watch() {
	<-k.process.Done()
	drained := make(chan struct{})
	go func() {
		for _, c := range k.channels {
			<-c.done
		}
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(drainPatience):
	}
	k.takeRest()
	exit := k.Exit()
	k.log.Info("kernel ended", "exit", exit.String())
	close(k.gone)
	k.closeChannels()
	<-drained
}

// syncInterval is how long entries of the record may wait for the disk. It only
// matters for a power cut: what was written outlives any process.
const syncInterval = 500 * time.Millisecond

// dirty asks for the record to be brought to the disk.
func (k *Kernel) dirty() {
	select {
	case k.unsynced <- struct{}{}:
	default:
	}
}

// sync brings the record to the disk beside the runs: nobody waits for it.
func (k *Kernel) sync() {
	for {
		select {
		case <-k.closing:
			return
		case <-k.unsynced:
		}
		if err := k.record.Sync(); err != nil {
			k.log.Warn("syncing record", "err", err)
		}
		select {
		case <-k.closing:
			return
		case <-time.After(syncInterval):
		}
	}
}

// Done is closed when the process is gone and what it had sent has arrived.
func (k *Kernel) Done() <-chan struct{} { return k.gone }

// Exit says how the process ended. Call it after Done is closed.
func (k *Kernel) Exit() Exit {
	exit := Exit{Exit: k.process.Exit()}
	exit.Tail = k.lastWords(exit.Tail)
	exit.Lost = k.Lost()
	if there, ok := k.process.(interface{ Reason() string }); ok {
		exit.Reason = there.Reason()
	}
	if there, ok := k.process.(elsewhere); ok && there.OutOfReach() {
		exit.MayRun = there.ID()
	}
	exit.OutOfMemory = exit.Signal == syscall.SIGKILL && !exit.Killed && k.oom != nil && k.oom.rose()
	k.judgeLimits(&exit)
	return exit
}

// Exit is how a kernel's process ended.
type Exit struct {
	guard.Exit
	// OutOfMemory says that its memory cgroup killed it, or the guard for its limit.
	OutOfMemory bool
	// Limit is the limit that ended it; its Kind is "" when none of ours did.
	Limit limits.Hit
	Lost  Lost
	// Reason is what is known of the end of a kernel that is not a process of ours.
	Reason string
	// MayRun is the id of a kernel on a Jupyter server that is out of reach, and may still
	// run; "" for one that is gone.
	MayRun string
}

// String is "exit code 3" or "signal 11 (SIGSEGV)", or the reason.
func (e Exit) String() string {
	if e.Reason != "" {
		return e.Reason
	}
	return e.Exit.String()
}

// Usage is what the kernel's process and everything it started use now.
func (k *Kernel) Usage() (guard.Usage, error) { return k.process.Usage() }

// Info returns what the kernel told about itself.
func (k *Kernel) Info() Info { return k.info }

// Record returns the kernel's record; it can be read after Close too.
func (k *Kernel) Record() *record.Record { return k.record }

// Dir is the working directory the kernel was started in.
func (k *Kernel) Dir() string { return k.spec.Dir }

// Shutdown asks the kernel to exit, so that its atexit handlers run, and closes
// it when it is gone or ctx ends. A busy kernel answers a shutdown_request but
// does not exit, so it is interrupted first.
func (k *Kernel) Shutdown(ctx context.Context) {
	if k.process != nil && k.channels[jupyter.Control] != nil {
		if e := k.Current(); e != nil {
			k.signal(e)
		}
		if _, there := k.process.(interface{ Reason() string }); there { // its server ends it, or it lives on
			k.Close()
			return
		}
		if _, err := k.request(jupyter.Control, jupyter.MsgShutdownRequest, jupyter.ShutdownRequest{}); err == nil {
			select {
			case <-k.process.Done():
			case <-ctx.Done():
			}
		}
	}
	k.Close()
}

// Close kills the process and everything it started, and releases what the
// kernel held. It may be called twice.
func (k *Kernel) Close() {
	k.once.Do(func() {
		k.mu.Lock()
		k.closed = true
		k.mu.Unlock()
		close(k.closing)
		if k.process != nil {
			k.process.Close()
		}
		k.unshare()
		k.closeChannels()
		k.wg.Wait()
		k.forgetAll()
		if k.record != nil {
			if err := k.record.Sync(); err != nil {
				k.log.Warn("syncing record", "err", err)
			}
			if err := k.record.Close(); err != nil {
				k.log.Warn("closing record", "err", err)
			}
		}
		if err := errors.Join(os.RemoveAll(k.dir), k.removeScratch()); err != nil {
			k.log.Warn("removing the kernel's directory", "err", err)
		}
		k.leaveCgroup()
	})
}

// forgetAll parts the kernel from its executions, when nothing more can come.
func (k *Kernel) forgetAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.executions {
		k.forgetLocked(e)
	}
	k.finished = nil
}
